"""``autograder regrade``: grade again after a change of the course, and say who gains or loses points, and why."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport
from autograder.base.run_lock import only_run
from autograder.base.sinks import csv_table
from autograder.cli.class_options import class_options, read_class, read_students
from autograder.cli.endings import GRADER_ERROR, OutputConsole
from autograder.cli.grade import register
from autograder.cli.grading import grade_class
from autograder.cli.shared import LabOption, pass_lab, unsafe_option, workers_option
from autograder.course.lab import Lab
from autograder.feedback.words import counted
from autograder.integrations.filing_report import FilingReport
from autograder.integrations.gradebook import file_results
from autograder.pipeline.grade import Regrading, Reuse
from autograder.pipeline.regrade import OutdatedError, Regraded, counts, regraded_from_store

_MOST_SHOWN = 40
_MOST_REASONS = 3


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would change; change no result and no gradebook.")
@click.option("--never-lower", is_flag=True, help="Let a check that the same hand-in passed before stay passed.")
@class_options
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write every change with all its reasons to this file.",
)
@workers_option
@unsafe_option
@pass_lab
def regrade(
    option: LabOption,
    paths: tuple[Path, ...],
    dry_run: bool,
    never_lower: bool,
    stage_ids: tuple[str, ...],
    times_file: Path | None,
    roster_file: Path | None,
    names: str | None,
    csv_file: Path | None,
    workers: int,
    unsafe_no_isolation: bool,
) -> None:
    """Grade PATHS again after a change of the course, and show whose points change, and why.

    PATHS are those of `autograder grade`. Where the tests did not change, `--dry-run` needs no PATHS: the points are
    recomputed from the stored results. Where they changed, hand-ins are judged again, and the results are kept for the
    real run. Students' pages are written by `autograder grade --html`, which then judges nothing.
    """
    lab, console = option.lab, OutputConsole(highlight=False)
    if not paths and not dry_run:
        raise click.UsageError("PATHS are required without --dry-run: the gradebook needs the hand-ins")
    filed: FilingReport | None = None
    with only_run(lab.gradebook.parent, "autograder regrade"):
        if paths:
            roster = read_students(roster_file, names)
            submissions = read_class(lab, paths, stage_ids, times_file, roster)
            graded = grade_class(
                *(lab, submissions, Reuse(), workers, console),
                isolated=not unsafe_no_isolation,
                regrading=Regrading(dry_run=dry_run, never_lower=never_lower),
                meanwhile=lambda: None if dry_run else register(lab),
            )
            graded = [result for result in graded if not stage_ids or result.submission.stage in stage_ids]
            regraded = [Regraded(result.before, result.report) for result in graded]
            filed = None if dry_run else file_results(lab, graded, roster.people if roster is not None else {})
        else:
            regraded = _from_store(lab, stage_ids)
    if csv_file is not None:
        write_atomically(csv_file, _csv(regraded))
    _show(console, regraded)
    console.print(
        filed.summary() if filed else "dry run: no result and no gradebook was changed", soft_wrap=True, markup=False
    )
    if any(item.after.grader_failed for item in regraded) or (filed and filed.differences):
        sys.exit(GRADER_ERROR)


def _from_store(lab: Lab, stage_ids: Sequence[str]) -> list[Regraded]:
    try:
        return regraded_from_store(lab, stage_ids)
    except OutdatedError as error:
        raise click.UsageError(f"{error}. Pass the class's PATHS: their hand-ins must be judged again") from None


def _changed(regraded: Sequence[Regraded]) -> list[Regraded]:
    """The changes, greatest losses first."""
    changed = [item for item in regraded if item.changes]
    return sorted(changed, key=lambda item: (item.difference, item.after.student, item.after.stage))


def _show(console: Console, regraded: Sequence[Regraded]) -> None:
    changed = _changed(regraded)
    if changed:
        table = Table("student", "stage", "before", "after", "change", "why")
        for item in changed[:_MOST_SHOWN]:
            reasons = item.reasons()
            more = f"; and {len(reasons) - _MOST_REASONS} more" if len(reasons) > _MOST_REASONS else ""
            why = "; ".join(reasons[:_MOST_REASONS]) + more
            table.add_row(*(escape(text) for text in (*_cells(item), why)))
        console.print(table)
    if len(changed) > _MOST_SHOWN:
        console.print(f"and {len(changed) - _MOST_SHOWN} more: --csv writes all")
    gain, lose, stay = counts(regraded)
    results = counted(len(regraded), "result")
    console.print(f"{results}: {gain} gain points, {lose} lose points, {stay} keep theirs")


def _cells(item: Regraded) -> tuple[str, str, str, str, str]:
    before = _points(item.before) if item.before is not None else "–"
    return item.after.student, item.after.stage, before, _points(item.after), f"{item.difference:+d}"


def _points(report: StageReport) -> str:
    return f"{report.final} / {report.points}" if report.final is not None else report.state.value


def _csv(regraded: Sequence[Regraded]) -> bytes:
    rows: list[tuple[object, ...]] = [("student", "stage", "before", "after", "change", "why")]
    for item in _changed(regraded):
        before = item.before.final if item.before is not None else None
        points = (before, item.after.final, item.difference)
        rows.append((item.after.student, item.after.stage, *points, "; ".join(item.reasons())))
    return csv_table(rows)
