"""``autograder export``: the scores of a class in other programs' formats."""

import sys
from pathlib import Path

import click

from autograder.base.atomic_files import write_atomically
from autograder.base.results import StageReport
from autograder.cli.endings import GRADER_ERROR, OutputConsole
from autograder.cli.export_platforms import canvas, classroom50, gradescope, moodle
from autograder.cli.exporting import class_reports, write
from autograder.cli.shared import LabOption, notice, pass_lab, stage_option
from autograder.course.check_locations import check_locations
from autograder.feedback.checks_csv import checks_csv
from autograder.feedback.junit import junit
from autograder.feedback.markdown import report_markdown
from autograder.intake import read_roster
from autograder.pipeline.stored_reports import stored_reports


@click.group()
def export() -> None:
    """Write scores in another program's format.

    Without --stage, all stages are written that any student has begun.
    """


for _command in (canvas, classroom50, gradescope, moodle):
    export.add_command(_command)


@export.command("nbgrader")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@stage_option
@click.option(
    "--names",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CSV",
    help="Read names and e-mail addresses from this file (login,name,email) where the gradebook has none.",
)
@pass_lab
def export_nbgrader(option: LabOption, file: Path, stage_ids: tuple[str, ...], names: Path | None) -> None:
    """Write the gradebook as nbgrader's CSV.

    Each student and stage is a row. The scores include manual grades, bonus points and late penalties.
    Automatic scores that differ from the stored results are listed, and the exit code is then 3.
    """
    from autograder.integrations.nbgrader import changed_scores, export_csv  # a second; no other command here needs it

    for stage_id in stage_ids:
        option.lab.stage(stage_id)
    rows = export_csv(option.lab, file, stage_ids, read_roster(names).people if names is not None else {})
    differences = changed_scores(option.lab) if stored_reports(option.lab) else []
    for line in differences:
        notice(f"the gradebook differs from the results: {line}")
    OutputConsole(highlight=False, soft_wrap=True).print(f"{file}: {rows} rows")
    if differences:
        sys.exit(GRADER_ERROR)


@export.command("checks")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@stage_option
@pass_lab
def export_checks(option: LabOption, file: Path, stage_ids: tuple[str, ...]) -> None:
    """Write every check of every report as CSV, for your own analysis.

    Each student and check is a row. The file names the hidden tests: do not give it to students. Manual grades and late
    penalties are not included.
    """
    reports = class_reports(option.lab, stage_ids)
    content = checks_csv(reports, check_locations(option.lab))
    write(file, content, f"{sum(len(report.checks) for report in reports)} rows")


@export.command("junit")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@stage_option
@pass_lab
def export_junit(option: LabOption, file: Path, stage_ids: tuple[str, ...]) -> None:
    """Write the stored results as JUnit XML.

    Each student and stage is a test suite, each check a test case. Manual grades are not included.
    """
    reports = class_reports(option.lab, stage_ids)
    write(file, junit(reports), f"{len(reports)} test suites")


@export.command("markdown")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@stage_option
@pass_lab
def export_markdown(option: LabOption, folder: Path, stage_ids: tuple[str, ...]) -> None:
    """Write the stored results as Markdown, one file per student.

    FOLDER/STUDENT.md holds what the student may read. Manual grades are not included.
    """
    students: dict[str, list[StageReport]] = {}
    for report in class_reports(option.lab, stage_ids):
        students.setdefault(report.student, []).append(report)
    for student, reports in students.items():
        write_atomically(folder / f"{student}.md", report_markdown(reports).encode())
    OutputConsole(highlight=False, soft_wrap=True).print(f"{folder}: {len(students)} files", markup=False)
