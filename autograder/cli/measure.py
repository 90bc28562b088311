"""``autograder measure``: how well students' trained models foretell hidden text."""

import sys
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.cli.shared import WRONG_USE, LabOption, pass_lab, progress, unsafe_option
from autograder.corpora.gap import missing_skill
from autograder.fingerprint import class_secret, course_secret
from autograder.intake.sources import LARGEST_FILE, check_source
from autograder.intake.submission import RefusedError
from autograder.intake.tree import read_plain_file
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.process import Limits, Template, TemplateError
from autograder.isolation.proxy import Student
from autograder.lab import Lab, StageFolders
from autograder.stand_ins import modules_for
from autograder.text import printable
from autograder.trained import (
    LARGEST_RECORD,
    LARGEST_WEIGHTS,
    RECORD_FILE,
    WEIGHTS_FILE,
    ModelResult,
    TrainedModelError,
    grade_model,
)

# The largest model reads the hidden text twice in about twenty seconds of CPU time.
LIMITS = Limits(call_cpu_seconds=15.0, worker_cpu_seconds=120.0)
LONGEST_NAME, LONGEST_PROBLEM = 60, 300


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--stage", "stage_id", default="6_gpt", show_default=True, help="Whose model it is.")
@unsafe_option
@pass_lab
def measure(option: LabOption, folders: tuple[Path, ...], stage_id: str, unsafe_no_isolation: bool) -> None:
    """Measure trained models on text that nobody trained on: one FOLDER per student.

    A folder is a student's repository or its stage, with the module, gpt.safetensors and training.json. The model is
    the student's own; modules of earlier stages are the course's. The text is drawn by the course's secret; each
    loss is a mean over 30,000 characters, in nats.
    """
    lab, console = option.lab, Console(highlight=False)
    stage = lab.stage(stage_id)
    secret = class_secret(course_secret(lab), stage.id)
    try:
        template = Template.start_without_isolation() if unsafe_no_isolation else Template.start()
    except TemplateError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(WRONG_USE)
    rows: list[_Row] = []
    with template, progress(console, "measuring", len(folders)) as done:
        for folder in folders:
            rows.append(_measured(lab, stage, folder, template, secret))
            done(printable(folder.name, LONGEST_NAME))
    console.print(_table(rows), soft_wrap=True)
    for row in rows:
        if row.problem:
            console.print(f"{row.name}: {row.problem}", style="yellow", markup=False, soft_wrap=True)


@dataclass(frozen=True)
class _Row:
    name: str
    result: ModelResult | None = None
    problem: str = ""


def _measured(lab: Lab, stage: StageFolders, folder: Path, template: Template, secret: bytes) -> _Row:
    name = printable(folder.resolve().name, LONGEST_NAME)
    place = folder / stage.id if (folder / stage.id).is_dir() else folder
    try:
        module = f"{stage.stage.module}.py"
        source, _ = check_source(read_plain_file(place, module, LARGEST_FILE), module)
        record = read_plain_file(place, RECORD_FILE, LARGEST_RECORD)
        weights = read_plain_file(place, WEIGHTS_FILE, LARGEST_WEIGHTS)
    except RefusedError as error:
        return _Row(name, problem=str(error))
    modules, _ = modules_for(lab, stage, source, {})
    workers = [template.spawn(LIMITS) for _ in range(2)]
    try:
        for worker in workers:
            worker.request("load", modules=modules, main=stage.stage.module)
        plays = lab.root / "data" / "held_out_plays" / "plays.zip"
        student, twin = map(Student, workers)
        return _Row(name, grade_model(student, twin, record, weights, plays, secret))
    except (SubmissionError, WorkerDied, TrainedModelError) as error:
        return _Row(name, problem=printable(str(error), LONGEST_PROBLEM))
    finally:
        for worker in workers:
            worker.kill()


def _table(rows: list[_Row]) -> Table:
    """The models, best first; those that could not be measured last."""
    table = Table("student", "parameters", "tokens", "declared", "hidden text", "above the limit", "missing")
    for row in sorted(rows, key=lambda row: row.result.loss if row.result else float("inf")):
        table.add_row(escape(row.name), *(_figures(row.result) if row.result else ("–", "–", "–", "not measured")))
    return table


def _figures(result: ModelResult) -> tuple[str, ...]:
    told = result.record
    declared = "–" if told.validation_loss is None else f"{told.validation_loss:.3f}"
    figures = (f"{told.parameters:,}", f"{told.tokens:,}", declared, f"{result.loss:.3f} ± {result.standard_error:.3f}")
    if result.gap is None:
        return figures
    return (*figures, f"{result.gap.nats:.3f}", str(missing_skill(result.gaps.items())))
