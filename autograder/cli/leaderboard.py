"""``autograder leaderboard``: the class's entries to the speedrun, ranked."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console

from autograder.base.atomic_files import write_atomically
from autograder.base.console import SafeConsole
from autograder.base.parallel_map import parallel_map
from autograder.cli.isolated import proven_template
from autograder.cli.shared import WRONG_USE, LabOption, pass_lab, progress, unsafe_option, workers_option
from autograder.cli.stage_choice import choose_stage
from autograder.feedback.leaderboard_page import leaderboard_json, leaderboard_page
from autograder.feedback.leaderboard_terminal import print_leaderboard
from autograder.intake import StageSubmission, take_in
from autograder.leaderboard import Entry, EntryEvaluator, rank
from autograder.pipeline.grade import stage_files


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--stage", "stage_id", help="Stage of the speedrun. [default: the only stage with a leaderboard]")
@click.option("--fresh", is_flag=True, help="Evaluate every entry again and ignore kept evaluations.")
@click.option("--show-students", is_flag=True, help="Show the student of each entry, on the terminal only.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the ranking to this JSON file."
)
@click.option(
    "--out", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write the page to this HTML file."
)
@workers_option
@unsafe_option
@pass_lab
def leaderboard(
    option: LabOption,
    paths: tuple[Path, ...],
    stage_id: str | None,
    fresh: bool,
    show_students: bool,
    json_file: Path | None,
    page: Path | None,
    workers: int,
    unsafe_no_isolation: bool,
) -> None:
    """Evaluate the entries to the speedrun on held-out text, and rank them.

    PATHS are submissions as for `autograder grade`. An entry is the speedrun's module, its weights and its record,
    beside the stage's module. Evaluations are kept by content: a stopped run continues where it was, and unchanged
    entries are not evaluated again. The page and the file show only the names that students chose.
    """
    lab, console = option.lab, SafeConsole(highlight=False)
    stage = choose_stage(lab, stage_id, lambda stage: stage.speedrun is not None, "a leaderboard")
    speedrun = stage.spec.speedrun
    assert speedrun is not None
    wanted = [
        replace(files, attachments=tuple(stage.spec.entries.items())) if files.stage == stage.id else files
        for files in stage_files(lab, [stage.id])
    ]
    submissions = take_in(paths, wanted)
    with proven_template(console, isolated=not unsafe_no_isolation) as template:
        evaluator = EntryEvaluator(lab, stage, speedrun, template, fresh=fresh)
        entries = _evaluate(evaluator, submissions, console, workers)
    if not entries:
        console.print(f"there is no entry: no folder holds a {speedrun.weights_file}", style="yellow")
        sys.exit(WRONG_USE)
    ranking = rank(entries, speedrun.events)
    print_leaderboard(console, ranking, show_students=show_students)
    if unsafe_no_isolation:
        console.print("evaluated without isolation: student code could have changed these figures", style="yellow")
    if json_file is not None:
        write_atomically(json_file, leaderboard_json(ranking))
    if page is not None:
        html = leaderboard_page(lab.config.course, ranking, isolated=not unsafe_no_isolation)
        write_atomically(page, html.encode())
        console.print(f"the page is {page}", soft_wrap=True, markup=False)


def _evaluate(
    evaluator: EntryEvaluator, submissions: Sequence[StageSubmission], console: Console, workers: int
) -> list[Entry]:
    students = [list(group) for _, group in groupby(submissions, key=lambda submission: submission.student)]
    with progress(console, "evaluating", len(students)) as done:
        entries = parallel_map(evaluator.evaluate, students, workers, lambda entry: done(""))
    return [entry for entry in entries if entry is not None]
