"""``autograder report`` and ``autograder export``: what the stored results say, and where they go."""

from pathlib import Path

import click
from rich.console import Console

from autograder.cli.shared import LabOption, pass_lab
from autograder.feedback.class_terminal import print_class_report
from autograder.feedback.pages import statistics_of, write_class_page
from autograder.integrations.nbgrader import export_csv
from autograder.pipeline.grade import result_store


@click.command()
@click.option("--html", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write class.html here.")
@pass_lab
def report(option: LabOption, folder: Path | None) -> None:
    """Show how the class is doing: scores, each check, common mistakes, who needs help. For instructors only."""
    lab, console = option.lab, Console(highlight=False)
    reports = result_store(lab).all()
    if not reports:
        console.print("nothing is graded yet: run `autograder grade PATH…` first")
        return
    statistics = statistics_of(lab, reports)
    print_class_report(console, statistics)
    if folder is not None:
        console.print(f"the class page is {write_class_page(folder, statistics, {})}", soft_wrap=True)


@click.group()
def export() -> None:
    """Write the gradebook's scores in another program's format."""


@export.command("nbgrader")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_lab
def export_nbgrader(option: LabOption, file: Path) -> None:
    """Write nbgrader's own CSV: one line per student and stage, manual and late scores included."""
    rows = export_csv(option.lab, file)
    Console(highlight=False, soft_wrap=True).print(f"{file}: {rows} rows")
