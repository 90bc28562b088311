"""``autograder commitment`` and ``autograder replay``: publish what hidden tests draw, show that it did not change."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from autograder.cli.class_options import class_options, read_class, read_students
from autograder.cli.endings import FAILURES, OutputConsole
from autograder.cli.grading import grade_class
from autograder.cli.shared import LabOption, pass_lab, stage_option, unsafe_option, workers_option
from autograder.course.lab import StageFolders
from autograder.feedback.words import counted
from autograder.pipeline.commitment import differences, read_commitments, write_commitments
from autograder.pipeline.grade import Graded, Regrading, Reuse

_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@_file
@stage_option
@click.option("--reveal", is_flag=True, help="Add the key and the seed of each stage, once the stage is due.")
@pass_lab
def commitment(option: LabOption, file: Path, stage_ids: tuple[str, ...], reveal: bool) -> None:
    """Write digests of what the hidden tests draw to FILE, for students.

    Publish FILE before the due date. `--reveal` adds what opens the digests after it: students can then verify that
    neither the hidden tests nor their examples were changed.
    """
    lab = option.lab
    stages = [lab.stage(stage_id) for stage_id in stage_ids] or lab.stages()
    if reveal:
        stages = _due(stages, requested=bool(stage_ids))
    write_commitments(lab, file, stages, reveal=reveal)
    done = "opened" if reveal else "committed to"
    OutputConsole(highlight=False, soft_wrap=True).print(
        f"{file}: {counted(len(stages), 'stage')} {done}", markup=False
    )


def _due(stages: list[StageFolders], *, requested: bool) -> list[StageFolders]:
    """The stages whose due date has passed; a stage that was requested must be one of them."""
    now = datetime.now(UTC)
    due = [stage for stage in stages if stage.spec.due is not None and stage.spec.due < now]
    if not due or (requested and len(due) < len(stages)):
        early = ", ".join(stage.id for stage in stages if stage not in due)
        raise click.UsageError(f"these stages are not due yet, or have no due date in grading.yml: {early}")
    return due


@click.command()
@_file
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@class_options
@workers_option
@unsafe_option
@pass_lab
def replay(
    option: LabOption,
    file: Path,
    paths: tuple[Path, ...],
    stage_ids: tuple[str, ...],
    times_file: Path | None,
    roster_file: Path | None,
    names: str | None,
    workers: int,
    unsafe_no_isolation: bool,
) -> None:
    """Compare the lab with the commitments in FILE; with PATHS, judge the hand-ins again.

    The exit code is 1 if a hidden test, a drawn example, a point or the outcome of a check differs.
    """
    lab, console = option.lab, OutputConsole(highlight=False, soft_wrap=True)
    changed = False
    for stage_id, published in read_commitments(file).stages.items():
        if not stage_ids or stage_id in stage_ids:
            found = differences(lab, lab.stage(stage_id), published)
            changed = changed or bool(found)
            console.print(f"{stage_id}: {'changed: ' + ', '.join(found) if found else 'unchanged'}", markup=False)
    if paths:
        submissions = read_class(lab, paths, stage_ids, times_file, read_students(roster_file, names))
        graded = grade_class(
            *(lab, submissions, Reuse(nothing=True), workers, console),
            isolated=not unsafe_no_isolation,
            regrading=Regrading(dry_run=True),
        )
        lines = [line for result in graded for line in _other_outcomes(result)]
        for line in lines:
            console.print(line, markup=False)
        equal = len(graded) - len(lines)
        console.print(f"{equal} of {counted(len(graded), 'result')} equal the stored results")
        changed = changed or bool(lines)
    sys.exit(FAILURES if changed else 0)


def _other_outcomes(result: Graded) -> list[str]:
    """A line if the outcomes differ from those of the stored result."""
    before, after = result.before, result.report
    subject = f"{after.student} {after.stage}"
    if before is None:
        return [f"{subject}: no stored result"]
    stored = {check.id: check.outcome for check in before.checks}
    other = [check.id for check in after.checks if stored.get(check.id) is not check.outcome]
    return [f"{subject}: {', '.join(other)}"] if other else []
