"""``autograder report``: show the stored results."""

from pathlib import Path

import click

from autograder.cli.endings import OutputConsole
from autograder.cli.shared import NOTHING_GRADED, LabOption, notice, pass_lab
from autograder.feedback.class_terminal import print_class_report
from autograder.feedback.pages import statistics_of, write_class_page
from autograder.pipeline.stored_reports import stored_reports


@click.command()
@click.option(
    "--html", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write class.html to this folder."
)
@pass_lab
def report(option: LabOption, folder: Path | None) -> None:
    """Show scores, checks, common mistakes and students who may need help. For instructors only.

    Each check is listed with its id and with the file and line of its hidden test.
    """
    lab, console = option.lab, OutputConsole(highlight=False)
    reports = stored_reports(lab, notice)
    if not reports:
        console.print(NOTHING_GRADED)
        return
    statistics = statistics_of(lab, reports)
    print_class_report(console, statistics)
    if folder is not None:
        console.print(f"class page: {write_class_page(folder, statistics, {})}", soft_wrap=True)
