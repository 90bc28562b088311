"""The arguments of the commands that read a class, and the reading of its hand-ins."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from autograder.cli.endings import WRONG_USE, OutputConsole
from autograder.cli.shared import notice, stage_option
from autograder.course.lab import Lab
from autograder.intake import KnownTimes, StageSubmission, read_roster, read_times, take_in
from autograder.pipeline.grade import stage_files

Command = Callable[..., Any]


def class_options(command: Command) -> Command:
    """Add ``--stage``, ``--times`` and ``--roster``."""
    times = click.option(
        "--times",
        "times_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Read hand-in times from this CSV file (student,stage,time); they count before all other times.",
    )
    roster = click.option(
        "--roster",
        "roster_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Read the students' names or ids from this file, one a line; it settles which folders are students.",
    )
    return stage_option(times(roster(command)))


def read_class(
    lab: Lab, paths: Sequence[Path], stage_ids: Sequence[str], times_file: Path | None, roster_file: Path | None
) -> list[StageSubmission]:
    """Collect the submissions in the paths; end the command if there are none."""
    zone = lab.config.policies.zone
    times = KnownTimes(zone=zone)
    if times_file is not None:
        times = read_times(times_file, lab.config.stages.keys(), zone)
    submissions = take_in(
        paths,
        stage_files(lab, stage_ids),
        times,
        roster=read_roster(roster_file) if roster_file is not None else None,
        notice=notice,
    )
    if not submissions:
        OutputConsole(stderr=True).print("autograder: these paths hold no submission", style="red")
        sys.exit(WRONG_USE)
    return submissions
