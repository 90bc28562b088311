"""What the commands share: the lab they work on, exit codes, progress."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from autograder.course.lab import Lab

FAILURES = 1
WRONG_USE = 2
GRADER_ERROR = 3


@dataclass(frozen=True)
class LabOption:
    """The lab named with ``--lab``, or the one around the current folder; looked for when asked for."""

    folder: Path | None

    @cached_property
    def lab(self) -> Lab:
        """The lab.

        Raises:
            LabError: there is none.
        """
        return Lab.find(self.folder)


pass_lab = click.make_pass_decorator(LabOption)

stage_option = click.option(
    "--stage", "stage_ids", multiple=True, metavar="STAGE", help="Only this stage; may be given several times."
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    default=lambda: len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    show_default="one per core",
    help="How many submissions are worked on at once.",
)
unsafe_option = click.option(
    "--unsafe-no-isolation",
    is_flag=True,
    help="Run student code unlocked where this machine cannot lock it; the grades are marked.",
)


@contextmanager
def progress(console: Console, title: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar with time left on a terminal; one plain line per piece elsewhere, as in a CI log.

    Yields a function that takes a line about the piece of work just done.
    """
    if not console.is_terminal:
        done = 0

        def plain(line: str) -> None:
            nonlocal done
            done += 1
            console.print(f"{title} {done}/{total} {line}", markup=False, highlight=False, soft_wrap=True)

        yield plain
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[line]}", style="dim", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total, line="")
        yield lambda line: bar.update(task, advance=1, line=line)
