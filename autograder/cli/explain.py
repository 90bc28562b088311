"""``autograder explain``: why a student's check failed, with a script that reproduces it. For instructors only."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from autograder.base.atomic_files import write_atomically
from autograder.base.results import CheckResult, StageReport
from autograder.base.sinks import log_line
from autograder.cli.endings import OutputConsole
from autograder.cli.isolated import proven_template
from autograder.cli.shared import LabOption, notice, pass_lab, unsafe_option
from autograder.course.check_locations import check_locations
from autograder.course.config import Check
from autograder.course.lab import Lab, StageFolders
from autograder.course.surroundings import surroundings
from autograder.course.yaml_source import nearest
from autograder.intake import StageSubmission, take_in
from autograder.isolation.process import Template, Worker, WorkerLimits
from autograder.judge.course_code import read_course_code
from autograder.judge.messages import Job
from autograder.judge.recorded import RecordedRun, run_recorded
from autograder.judge.reproduction import SCRIPT, reproduction
from autograder.pipeline.grade import stage_files
from autograder.pipeline.hand_in import HandInError, filed_hand_in, judged_job


@click.command()
@click.argument("student")
@click.argument("check_id", metavar="CHECK")
@click.option("--stage", "stage_id", metavar="STAGE", help="Stage of the check, if several have a check of this name.")
@click.option(
    "--from",
    "path",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Read the hand-in from this class or folder. [default: as it was filed in the gradebook]",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write the script to this folder. [default: build/explain/STUDENT/CHECK]",
)
@unsafe_option
@pass_lab
def explain(
    option: LabOption,
    student: str,
    check_id: str,
    stage_id: str | None,
    path: Path | None,
    folder: Path | None,
    unsafe_no_isolation: bool,
) -> None:
    """Show why CHECK of STUDENT failed. For instructors only.

    The check runs again in isolation. The command prints the failing input, what was expected, what came, and the
    nearest named mistake. It writes a script that reproduces the failure without the grader.
    """
    lab, console = option.lab, OutputConsole(highlight=False)
    stage, check = _find(lab, check_id, stage_id)
    try:
        hand_in = _hand_in(lab, student, path) if path is not None else filed_hand_in(lab, student)
        job, report = judged_job(lab, stage, check.id, hand_in)
        _refuse_without_files(stage, check, job)
    except HandInError as error:
        raise click.UsageError(str(error)) from None
    graded = next((result for result in report.checks if result.id == check.id), None)
    with proven_template(console, isolated=not unsafe_no_isolation) as template:
        run = _run(lab, stage, job, check, graded.stand_ins if graded else (), template)
    title = f"{student} · {stage.id} · {check.id}"
    folder = folder or lab.build / "explain" / student / check.id
    files = reproduction(title, stage.spec.module, run) if run.exchanges else {}
    for name, content in files.items():
        write_atomically(folder / name, content)
    console.print(Text(title, style="bold"))
    console.print(_table(_rows(lab, stage, report, graded, run)))
    if files:
        console.print(f"python {folder / SCRIPT}", markup=False, soft_wrap=True)
        notice("this script runs the student's code without isolation: read it first")


def _refuse_without_files(stage: StageFolders, check: Check, job: Job) -> None:
    """Refuse a check of a trained model, or of another attachment, that is not there: its run would prove nothing."""
    needed = stage.spec.exercises[check.exercise].attachments
    if missing := [name for name in needed if name not in job.attachments]:
        files = " and ".join(missing)
        raise HandInError(
            f"{check.id} reads {files}, and attachments are not filed; pass the class or the student's folder that "
            f"holds {files} with --from PATH"
        )


def _find(lab: Lab, check_id: str, stage_id: str | None) -> tuple[StageFolders, Check]:
    stages = [lab.stage(stage_id)] if stage_id is not None else lab.stages()
    found = [(stage, check) for stage in stages for check in stage.spec.checks if check.id == check_id]
    if len(found) > 1:
        raise click.UsageError(f"several stages have {check_id}; pass --stage {' or '.join(s.id for s, _ in found)}")
    if not found:
        known = [check for stage in stages for check in stage.spec.check_ids]
        close = nearest(check_id, known)
        raise click.UsageError(f"no check named `{check_id}`: `autograder report --all` lists them{close}")
    return found[0]


def _hand_in(lab: Lab, student: str, path: Path) -> list[StageSubmission]:
    found = [submission for submission in take_in([path], stage_files(lab)) if submission.student == student]
    if not found:
        raise HandInError(f"{path} holds no hand-in of {student}")
    return found


def _run(
    lab: Lab, stage: StageFolders, job: Job, check: Check, stand_ins: Sequence[str], template: Template
) -> RecordedRun:
    limits, around = stage.spec.limits, surroundings(lab)
    allowed = WorkerLimits(
        call_cpu_seconds=limits.call_cpu_seconds,
        worker_cpu_seconds=limits.check_cpu_seconds,
        memory_mb=limits.memory_mb,
        reply_mb=limits.reply_mb,
    )

    def open_session() -> Worker:
        worker = template.spawn(allowed)
        worker.request("surround", **around)
        return worker

    return run_recorded(stage, job, check, stand_ins, read_course_code(lab, stage), open_session)


def _rows(
    lab: Lab, stage: StageFolders, report: StageReport, graded: CheckResult | None, run: RecordedRun
) -> Iterator[tuple[str, str]]:
    if graded is not None:
        yield "graded", f"{graded.outcome.lower()}, {graded.score} of {graded.points} points"
        yield "what", graded.what
        yield "where", graded.where
    yield "now", f"{run.ending.outcome.lower()}{f': {run.ending.what}' if run.ending.what else ''}"
    yield from run.example
    if graded is not None and graded.stand_ins:
        yield "stood in", ", ".join(graded.stand_ins)
    if report.stand_ins:
        yield "modules", f"the course's {', '.join(report.stand_ins)}"
    yield "nearest", _nearest(run)
    locations: Mapping[tuple[str, str], str] = check_locations(lab)
    if graded is not None:
        yield "test", locations.get((stage.id, graded.id), "")


def _nearest(run: RecordedRun) -> str:
    if run.nearest is None:
        return "no named mistake gives a comparable output"
    mistake, difference = run.nearest.mistake, run.nearest.difference
    how = "exactly this output" if difference == 0 else f"outputs differ by at most {difference:.2g}"
    return f"{mistake.id}: {mistake.says} ({how})"


def _table(rows: Iterator[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        if text:
            table.add_row(label, Text(log_line(text)))
    return table
