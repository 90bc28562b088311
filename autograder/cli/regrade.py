"""``autograder regrade``: grade again after a change of the course, and say who gains or loses points, and why."""

import sys
from collections.abc import Mapping, Sequence
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
from autograder.cli.endings import FAILURES, GRADER_ERROR, OutputConsole
from autograder.cli.grade import register
from autograder.cli.grading import grade_class
from autograder.cli.shared import LabOption, notice, pass_lab, unsafe_option, workers_option
from autograder.course.lab import Lab
from autograder.feedback.words import counted
from autograder.integrations.filing_report import FilingReport
from autograder.integrations.gradebook import file_results, filed_before
from autograder.pipeline.grade import Regrading, Reuse
from autograder.pipeline.recompute import keep, recomputed
from autograder.pipeline.regrade import Regraded, counts

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
    """Grade again after a change of the course, and show whose points change, and why.

    Where the tests did not change, no PATHS are needed: the points are recomputed from the stored results. Where they
    changed, PATHS are those of `autograder grade`: the hand-ins are judged again. `--dry-run` keeps what it judged for
    the real run. Students' pages are written by `autograder grade --html`, which then judges nothing.
    """
    lab, console = option.lab, OutputConsole(highlight=False)
    outdated: Mapping[str, int] = {}
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
            regraded: Sequence[Regraded] = [Regraded(result.before, result.report) for result in graded]
            filed = None if dry_run else file_results(lab, graded, roster.people if roster is not None else {})
        else:
            regraded, outdated = _from_store(lab, stage_ids)
            filed = None if dry_run else _apply(lab, regraded)
    if csv_file is not None:
        write_atomically(csv_file, _csv(regraded))
    _show(console, regraded, outdated, filed)
    if any(item.after.grader_failed for item in regraded) or (filed and filed.differences):
        sys.exit(GRADER_ERROR)
    sys.exit(FAILURES if outdated else 0)


def _from_store(lab: Lab, stage_ids: Sequence[str]) -> tuple[Sequence[Regraded], Mapping[str, int]]:
    """The results that need no hand-in, and the numbers of the others by stage; end the command without the first."""
    found = recomputed(lab, stage_ids)
    if found.outdated and not found.regraded:
        raise click.UsageError(_made_with_other_tests(found.outdated))
    return found.regraded, found.outdated


def _made_with_other_tests(outdated: Mapping[str, int]) -> str:
    listed = ", ".join(f"{count} of {stage}" for stage, count in sorted(outdated.items()))
    return (
        f"these results were made with other tests or versions: {listed}. Pass the class's PATHS: their hand-ins must "
        "be judged again"
    )


def _apply(lab: Lab, regraded: Sequence[Regraded]) -> FilingReport:
    """Store recomputed results, and file those of the submissions that the gradebook has."""
    register(lab)
    graded = keep(lab, regraded)
    known = filed_before(lab, graded)
    if missing := sum(result.report.graded for result in graded) - sum(result.report.graded for result in known):
        notice(
            f"{counted(missing, 'result')} not filed, because the gradebook has no submission: grade the class's PATHS"
        )
    return file_results(lab, known)


def _changed(regraded: Sequence[Regraded]) -> list[Regraded]:
    """The changes, greatest losses first."""
    changed = [item for item in regraded if item.changes]
    return sorted(changed, key=lambda item: (item.difference, item.after.student, item.after.stage))


def _show(
    console: Console, regraded: Sequence[Regraded], outdated: Mapping[str, int], filed: FilingReport | None
) -> None:
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
    if outdated:
        console.print(f"[yellow]not regraded[/]: {_made_with_other_tests(outdated)}", soft_wrap=True)
    unchanged = "dry run: no result and no gradebook was changed"
    console.print(filed.summary() if filed else unchanged, soft_wrap=True, markup=False)


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
