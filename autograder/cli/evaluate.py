"""``autograder evaluate``: the losses of students' trained models on held-out text."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from autograder.base.console import SafeConsole
from autograder.base.parallel_map import parallel_map
from autograder.cli.isolated import proven_template
from autograder.cli.shared import LabOption, pass_lab, progress, unsafe_option, workers_option
from autograder.cli.stage_choice import choose_stage
from autograder.course.config import Stage
from autograder.intake import take_in
from autograder.leaderboard import Entry
from autograder.leaderboard.hand_in import evaluate_hand_in
from autograder.models.corpora.gap import missing_skill
from autograder.pipeline.grade import stage_files


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--stage", "stage_id", help="Stage of the model. [default: the only stage with a trained model]")
@workers_option
@unsafe_option
@pass_lab
def evaluate(
    option: LabOption, paths: tuple[Path, ...], stage_id: str | None, workers: int, unsafe_no_isolation: bool
) -> None:
    """Evaluate trained models on held-out text, and print them by their loss.

    PATHS are submissions as for `autograder grade`. A model runs on the student's own modules; an earlier module that
    was not handed in is replaced by the course's module. The course's secret draws the text. Each loss is the mean
    over 30,000 characters, in nats.
    """
    lab, console = option.lab, SafeConsole(highlight=False)
    stage = choose_stage(lab, stage_id, _has_model, "a trained model")
    submissions = take_in(paths, stage_files(lab, [stage.id]))
    students = [list(group) for _, group in groupby(submissions, key=lambda submission: submission.student)]
    with (
        proven_template(console, isolated=not unsafe_no_isolation) as template,
        progress(console, "evaluating", len(students)) as done,
    ):
        entries = parallel_map(
            lambda group: evaluate_hand_in(lab, stage, group, template),
            students,
            workers,
            lambda entry: done(entry.student),
        )
    console.print(_table(entries), soft_wrap=True)
    for entry in entries:
        if entry.problem:
            console.print(f"{entry.student}: {entry.problem}", style="yellow", markup=False, soft_wrap=True)


def _has_model(stage: Stage) -> bool:
    return stage.model_limits is not None


def _table(entries: Sequence[Entry]) -> Table:
    """The models, best first; those that could not be evaluated last."""
    headings = ("student", "parameters", "tokens", "declared", "held-out loss", "above the limit", "missing skill")
    table = Table(*headings)
    for entry in sorted(entries, key=lambda entry: entry.evaluation.loss if entry.evaluation else float("inf")):
        table.add_row(escape(entry.student), *_figures(entry))
    return table


def _figures(entry: Entry) -> tuple[str, ...]:
    record, evaluation = entry.record, entry.evaluation
    if record is None or evaluation is None:
        return ("–", "–", "–", "not evaluated")
    declared = "–" if record.validation_loss is None else f"{record.validation_loss:.3f}"
    loss = f"{evaluation.loss:.3f} ± {evaluation.standard_error:.3f}"
    figures = (f"{evaluation.parameters:,}", f"{record.tokens:,}", declared, loss)
    if evaluation.gap is None:
        return figures
    return (*figures, f"{evaluation.gap.nats:.3f}", str(missing_skill(evaluation.gaps.items())))
