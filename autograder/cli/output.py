"""``autograder report`` and ``autograder export``: show the stored results, and write them in other formats."""

import sys
from itertools import groupby
from pathlib import Path

import click

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport
from autograder.cli.endings import GRADER_ERROR, OutputConsole
from autograder.cli.shared import LabOption, notice, pass_lab
from autograder.course.lab import Lab
from autograder.feedback.class_terminal import print_class_report
from autograder.feedback.junit import junit
from autograder.feedback.markdown import report_markdown
from autograder.feedback.pages import statistics_of, write_class_page
from autograder.pipeline.stored_reports import stored_reports

_NOTHING_GRADED = "no submission has been graded yet: run `autograder grade PATH…` first"


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
        console.print(_NOTHING_GRADED)
        return
    statistics = statistics_of(lab, reports)
    print_class_report(console, statistics)
    if folder is not None:
        console.print(f"class page: {write_class_page(folder, statistics, {})}", soft_wrap=True)


@click.group()
def export() -> None:
    """Write scores in another program's format."""


@export.command("nbgrader")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_lab
def export_nbgrader(option: LabOption, file: Path) -> None:
    """Write the gradebook as nbgrader's CSV.

    Each student and stage is a row. The scores include manual grades, bonus points and late penalties.
    Automatic scores that differ from the stored results are listed, and the exit code is then 3.
    """
    from autograder.integrations.nbgrader import changed_scores, export_csv  # a second; no other command here needs it

    rows = export_csv(option.lab, file)
    differences = changed_scores(option.lab) if stored_reports(option.lab) else []
    for line in differences:
        notice(f"the gradebook differs from the results: {line}")
    OutputConsole(highlight=False, soft_wrap=True).print(f"{file}: {rows} rows")
    if differences:
        sys.exit(GRADER_ERROR)


@export.command("junit")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_lab
def export_junit(option: LabOption, file: Path) -> None:
    """Write the stored results as JUnit XML.

    Each student and stage is a test suite, each check a test case. Manual grades are not included.
    """
    reports = _stored_reports(option.lab)
    write_atomically(file, junit(reports))
    OutputConsole(highlight=False, soft_wrap=True).print(f"{file}: {len(reports)} test suites", markup=False)


@export.command("markdown")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@pass_lab
def export_markdown(option: LabOption, folder: Path) -> None:
    """Write the stored results as Markdown, one file per student.

    FOLDER/STUDENT.md holds what the student may read. Manual grades are not included.
    """
    by_student = groupby(_stored_reports(option.lab), key=lambda report: report.student)
    students = {student: report_markdown(list(reports)) for student, reports in by_student}
    for student, text in students.items():
        write_atomically(folder / f"{student}.md", text.encode())
    OutputConsole(highlight=False, soft_wrap=True).print(f"{folder}: {len(students)} files", markup=False)


def _stored_reports(lab: Lab) -> list[StageReport]:
    """The stored reports by student, each student's in the order of ``grading.yml``.

    Raises:
        click.UsageError: there are none.
    """
    reports = stored_reports(lab, notice)
    if not reports:
        raise click.UsageError(_NOTHING_GRADED)
    order = {stage: index for index, stage in enumerate(lab.config.stages)}
    return sorted(reports, key=lambda report: (report.student, order.get(report.stage, len(order))))
