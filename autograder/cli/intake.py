"""``autograder intake``: a dry look at a class before anything is judged."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.base.sinks import log_line
from autograder.cli.class_options import class_options, read_students, read_times_file
from autograder.cli.endings import FAILURES, OutputConsole
from autograder.cli.shared import LabOption, notice, pass_lab
from autograder.course.config import Config
from autograder.course.policy import days_late
from autograder.feedback.words import counted
from autograder.intake import RefusalReason, StageSubmission, look_in
from autograder.pipeline.grade import stage_files

_STYLES = {"found": "green", "renamed": "yellow", "missing": "dim"}
_NO_PERSON_NEEDED = ("found", "renamed", "missing")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@class_options
@pass_lab
def intake(
    option: LabOption,
    paths: tuple[Path, ...],
    stage_ids: tuple[str, ...],
    times_file: Path | None,
    roster_file: Path | None,
    names: str | None,
) -> None:
    """Show what `autograder grade` would find in PATHS, without judging anything.

    The exit code is 1 if a hand-in is ambiguous or refused, or an entry is not understood.
    """
    lab, console = option.lab, OutputConsole(highlight=False)
    times, roster = read_times_file(lab, times_file), read_students(roster_file, names)
    found = look_in(paths, stage_files(lab, stage_ids), times, roster=roster)
    for line in found.notices:
        notice(line)
    submissions = [each for each in found.submissions if not stage_ids or each.stage in stage_ids]
    states = {(each.student, each.stage): _state(each) for each in submissions}
    _print_table(console, lab.config, submissions)
    for line in _reasons(submissions):
        console.print(line, markup=False, soft_wrap=True)
    for line in found.unknown:
        console.print(f"not understood: {line}", markup=False, soft_wrap=True, style="red")
    totals = Counter(states.values())
    students = counted(len({each.student for each in submissions}), "student")
    console.print(f"{students}: {', '.join(f'{count} {state}' for state, count in totals.most_common())}")
    if found.unknown or any(state not in _NO_PERSON_NEEDED for state in totals):
        sys.exit(FAILURES)


def _state(submission: StageSubmission) -> str:
    """``found``, ``renamed``, ``missing``, or the reason of the refusal in one or two words."""
    if submission.refusal is None:
        return "renamed" if any(note.startswith("found as ") for note in submission.notes) else "found"
    if submission.refusal.reason is RefusalReason.MISNAMED:
        return "misnamed"
    return submission.refusal.reason.value


def _print_table(console: Console, config: Config, submissions: Sequence[StageSubmission]) -> None:
    stages = [stage for stage in config.stages if any(each.stage == stage for each in submissions)]
    table = Table("student", *stages)
    cells: dict[str, dict[str, Text]] = {}
    for each in submissions:
        state = _state(each)
        late = _late(config, each)
        cells.setdefault(each.student, {})[each.stage] = Text(f"{state}{late}", style=_STYLES.get(state, "bold red"))
    for student, row in sorted(cells.items()):
        missing = Text("missing", style=_STYLES["missing"])
        table.add_row(Text(log_line(student)), *(row.get(stage, missing) for stage in stages))
    console.print(table)


def _late(config: Config, submission: StageSubmission) -> str:
    """How late a hand-in is, after extension and grace: ``, 2 d late``; empty in time, or if nothing was found."""
    due = config.stages[submission.stage].due
    if due is None or submission.source is None:
        return ""
    if submission.handed_in is None:
        return ", time unknown"
    policies = config.policies
    extension = policies.extensions.get(submission.student, {}).get(submission.stage, 0)
    days = days_late(policies.late, due=due, handed_in=submission.handed_in, extension_days=extension)
    return f", {days} d late" if days else ""


def _reasons(submissions: Sequence[StageSubmission]) -> Iterator[str]:
    """Why a hand-in was renamed, or is not found: one line each; what is missing needs no reason."""
    for each in submissions:
        state, subject = _state(each), f"{each.student} {each.stage}"
        if state == "renamed":
            yield from (f"{subject}: {note}" for note in each.notes if note.startswith("found as "))
        elif each.refusal is not None and state != "missing":
            yield f"{subject}: {state}: {each.refusal.message}"
