"""``autograder report`` and ``autograder export``: what the stored results say, and where they go."""

from pathlib import Path

import click
from rich.console import Console

from autograder.cli.shared import LabOption, pass_lab
from autograder.feedback import print_class_report, write_class_page
from autograder.grade import stored_results
from autograder.integrations.nbgrader import export_csv


@click.command()
@click.option("--html", "html_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the class page here.")
@pass_lab
def report(option: LabOption, html_file: Path | None) -> None:
    """Show how the class is doing: scores, each check, common mistakes, who needs help. For instructors only."""
    lab, console = option.lab, Console(highlight=False)
    graded = stored_results(lab)
    if not graded:
        console.print("nothing is graded yet: run `autograder grade PATH…` first")
        return
    print_class_report(console, lab, graded)
    if html_file is not None:
        write_class_page(html_file, lab, graded)
        console.print(f"the class page is {html_file}", soft_wrap=True)


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
