"""Parts that several commands share: the lab, common options, progress."""

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

from autograder.cli.endings import OutputConsole
from autograder.course.lab import Lab
from autograder.pipeline.secret import close_to_others


@dataclass(frozen=True)
class LabOption:
    """The lab of ``--lab``, by default the lab around the current folder; found on first use."""

    folder: Path | None

    @cached_property
    def lab(self) -> Lab:
        """The lab.

        Raises:
            LabError: no lab was found.
        """
        return Lab.find(self.folder)


pass_lab = click.make_pass_decorator(LabOption)

stage_option = click.option(
    "--stage",
    "stage_ids",
    multiple=True,
    metavar="STAGE",
    show_default="all stages",
    help="Process this stage only; repeatable.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    default=lambda: len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    show_default="one per core",
    metavar="N",
    help="Number of submissions to process in parallel.",
)
unsafe_option = click.option(
    "--unsafe-no-isolation",
    is_flag=True,
    help="Run student code without isolation, and mark the results.",
)


NOTHING_GRADED = "no submission has been graded yet: run `autograder grade PATH…` first"


def tell_about_secret(lab: Lab) -> None:
    """Close the course's secret to other accounts, and print a line if it was open to them."""
    if line := close_to_others(lab):
        notice(line)


def notice(line: str) -> None:
    """Print a note beside the results, on the error output."""
    OutputConsole(stderr=True).print(f"note: {' '.join(line.split())}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(console: Console, title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar with the time left on a terminal, or one plain line per step elsewhere, as in a CI log.

    Yields a function to call after each step, with a line about it.
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
