"""The arguments of the commands that read a class, and the reading of its hand-ins."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from autograder.cli.endings import WRONG_USE, OutputConsole
from autograder.cli.shared import notice, stage_option
from autograder.course.lab import Lab
from autograder.course.yaml_source import nearest
from autograder.intake import KnownTimes, Roster, StageSubmission, read_roster, read_times, take_in
from autograder.pipeline.grade import stage_files
from autograder.pipeline.stored_reports import result_store

Command = Callable[..., Any]


def class_options(command: Command) -> Command:
    """Add ``--stage``, ``--times``, ``--roster`` and ``--names``."""
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
        help="Read the students from this file: one id a line, or a CSV file with a column `login`.",
    )
    pattern = click.option(
        "--names",
        metavar="PATTERN",
        help="How folders and archives are named, with the login of the roster: transformers-lab-{login}.",
    )
    return stage_option(times(roster(pattern(command))))


def read_times_file(lab: Lab, times_file: Path | None) -> KnownTimes:
    """Read the hand-in times that the instructor knows."""
    zone = lab.config.policies.zone
    if times_file is None:
        return KnownTimes(zone=zone)
    return read_times(times_file, lab.config.stages.keys(), zone)


def read_students(roster_file: Path | None, names: str | None) -> Roster | None:
    """Read the roster, if one was given."""
    if roster_file is None:
        if names is not None:
            raise click.UsageError("--names needs --roster: it says which part of a name is the login")
        return None
    return read_roster(roster_file, names)


def read_class(
    lab: Lab,
    paths: Sequence[Path],
    stage_ids: Sequence[str],
    times_file: Path | None,
    roster: Roster | None,
) -> list[StageSubmission]:
    """Collect the submissions in the paths; end the command if there are none."""
    times = read_times_file(lab, times_file)
    submissions = take_in(paths, stage_files(lab, stage_ids), times, roster=roster, notice=notice)
    if not submissions:
        OutputConsole(stderr=True).print("autograder: these paths hold no submission", style="red")
        sys.exit(WRONG_USE)
    for line in unknown_students(lab, submissions):
        notice(line)
    return submissions


def unknown_students(lab: Lab, submissions: Sequence[StageSubmission]) -> Iterator[str]:
    """A line for each student whom ``grading.yml`` names, but who is not in the class or in the stored results."""
    policies = lab.config.policies
    known = {each.student for each in submissions}
    if policies.extensions or policies.overrides:
        known |= {student for student, _ in result_store(lab).keys()}
    for name, granted in (("extensions", policies.extensions), ("overrides", policies.overrides)):
        for student in granted:
            if student not in known:
                close = _containing(student, known) or nearest(student, sorted(known))
                yield f"grading.yml: policies.{name}.{student}: no student has this id{close}"


def _containing(student: str, known: Iterable[str]) -> str:
    """The only id that contains the name, as a hint: ``transformers-lab-octocat`` for ``octocat``."""
    found = [each for each in known if student in each]
    return f"; did you mean `{found[0]}`?" if len(found) == 1 else ""
