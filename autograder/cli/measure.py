"""``autograder measure``: how well students' trained models foretell hidden text."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.base.parallel_map import parallel_map
from autograder.cli.isolated import proven_template
from autograder.cli.shared import LabOption, pass_lab, progress, unsafe_option, workers_option
from autograder.intake import take_in
from autograder.leaderboard.hand_in import Measurement, measure_hand_in
from autograder.models import ModelResult
from autograder.models.corpora.gap import missing_skill
from autograder.pipeline.grade import stage_files


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--stage", "stage_id", default="6_gpt", show_default=True, help="Whose model it is.")
@workers_option
@unsafe_option
@pass_lab
def measure(option: LabOption, paths: tuple[Path, ...], stage_id: str, workers: int, unsafe_no_isolation: bool) -> None:
    """Measure trained models on text that nobody trained on, and rank them.

    PATHS are hand-ins as `autograder grade` takes them. A model runs on the student's own modules; where an earlier
    one was not handed in, on the course's. The text is drawn by the course's secret; each loss is a mean over 30,000
    characters, in nats.
    """
    lab, console = option.lab, Console(highlight=False)
    stage = lab.stage(stage_id)
    submissions = take_in(paths, stage_files(lab, [stage_id]))
    students = [list(group) for _, group in groupby(submissions, key=lambda one: one.student)]
    with (
        proven_template(console, isolated=not unsafe_no_isolation) as template,
        progress(console, "measuring", len(students)) as done,
    ):
        measurements = parallel_map(
            lambda group: measure_hand_in(lab, stage, group, template), students, workers, lambda one: done(one.student)
        )
    console.print(_table(measurements), soft_wrap=True)
    for one in measurements:
        if one.problem:
            console.print(f"{one.student}: {one.problem}", style="yellow", markup=False, soft_wrap=True)


def _table(measurements: Sequence[Measurement]) -> Table:
    """The models, best first; those that could not be measured last."""
    table = Table("student", "parameters", "tokens", "declared", "hidden text", "above the limit", "missing")
    for one in sorted(measurements, key=lambda one: one.result.loss if one.result else float("inf")):
        table.add_row(escape(one.student), *(_figures(one.result) if one.result else ("–", "–", "–", "not measured")))
    return table


def _figures(result: ModelResult) -> tuple[str, ...]:
    told = result.record
    declared = "–" if told.validation_loss is None else f"{told.validation_loss:.3f}"
    figures = (f"{told.parameters:,}", f"{told.tokens:,}", declared, f"{result.loss:.3f} ± {result.standard_error:.3f}")
    if result.gap is None:
        return figures
    return (*figures, f"{result.gap.nats:.3f}", str(missing_skill(result.gaps.items())))
