"""``autograder leaderboard``: the class's entries to the speedrun, ranked."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console

from autograder.base.atomic_files import write_atomically
from autograder.base.parallel_map import parallel_map
from autograder.cli.isolated import proven_template
from autograder.cli.shared import WRONG_USE, LabOption, pass_lab, progress, unsafe_option, workers_option
from autograder.course.lab import Lab, StageFolders
from autograder.feedback.leaderboard_page import leaderboard_json, leaderboard_page
from autograder.feedback.leaderboard_terminal import print_leaderboard
from autograder.intake import StageSubmission, take_in
from autograder.isolation.process import Template
from autograder.leaderboard import Entry, Kept, KeptResults, Measurer, rank
from autograder.pipeline.grade import stage_files


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--stage", "stage_id", default="6_gpt", show_default=True, help="Whose speedrun it is.")
@click.option("--fresh", is_flag=True, help="Measure everything again, whatever is stored.")
@click.option("--show-students", is_flag=True, help="Say on the terminal, and only there, whose entry each is.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here.")
@click.option("--out", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write the page, in HTML, here.")
@workers_option
@unsafe_option
@pass_lab
def leaderboard(
    option: LabOption,
    paths: tuple[Path, ...],
    stage_id: str,
    fresh: bool,
    show_students: bool,
    json_file: Path | None,
    page: Path | None,
    workers: int,
    unsafe_no_isolation: bool,
) -> None:
    """Measure the entries to the speedrun on text that nobody trained on, and rank them.

    PATHS are hand-ins as `autograder grade` takes them; an entry is speedrun.py, speedrun.safetensors and speedrun.json
    beside the stage's module. Figures are kept by content: a run that was stopped goes on where it was, and what has
    not changed is not measured again. Page and file hold the names that students chose to show, and no others.
    """
    lab, console = option.lab, Console(highlight=False)
    stage = lab.stage(stage_id)
    if not stage.spec.entries:
        raise click.UsageError(f"{stage_id} has no leaderboard: grading.yml lists no `entries` for it")
    wanted = [
        replace(one, attachments=tuple(stage.spec.entries.items())) if one.stage == stage.id else one
        for one in stage_files(lab, [stage.id])
    ]
    submissions = take_in(paths, wanted)
    with proven_template(console, isolated=not unsafe_no_isolation) as template:
        entries = _measure(lab, stage, submissions, template, console, workers, fresh=fresh)
    if not entries:
        console.print("nobody handed in an entry: no folder holds a speedrun.safetensors", style="yellow")
        sys.exit(WRONG_USE)
    ranking = rank(entries)
    print_leaderboard(console, ranking, show_students=show_students)
    if unsafe_no_isolation:
        console.print("measured without isolation: student code could have changed these figures", style="yellow")
    if json_file is not None:
        write_atomically(json_file, leaderboard_json(ranking))
    if page is not None:
        html = leaderboard_page(lab.config.course, ranking, isolated=not unsafe_no_isolation)
        write_atomically(page, html.encode())
        console.print(f"the page is {page}", soft_wrap=True, markup=False)


def _measure(
    lab: Lab,
    stage: StageFolders,
    submissions: Sequence[StageSubmission],
    template: Template,
    console: Console,
    workers: int,
    *,
    fresh: bool,
) -> list[Entry]:
    kept = KeptResults(lab.build / "leaderboard", Kept, fresh=fresh)
    measurer = Measurer(lab, stage, template, kept)
    students = [list(group) for _, group in groupby(submissions, key=lambda one: one.student)]
    with progress(console, "measuring", len(students)) as done:
        entries = parallel_map(measurer.measure, students, workers, lambda entry: done(""))
    return [entry for entry in entries if entry is not None]
