"""``autograder report``: show the stored results."""

from pathlib import Path

import click

from autograder.cli.endings import OutputConsole
from autograder.cli.shared import NOTHING_GRADED, LabOption, notice, pass_lab
from autograder.feedback.claims import differing_claims, read_claims
from autograder.feedback.class_report_terminal import print_class_report
from autograder.feedback.pages import statistics_of, student_pages_in, write_class_page
from autograder.integrations.grades import differences, final_grades
from autograder.pipeline.stored_reports import stored_reports


@click.command()
@click.option(
    "--html", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write class.html to this folder."
)
@click.option(
    "--claims",
    "claims_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Compare with the points that students' own runs reported: scores.json of Classroom 50, or a CSV file "
    "(username,score,max_score).",
)
@click.option("--all", "everything", is_flag=True, help="Print every check, mistake and student.")
@pass_lab
def report(option: LabOption, folder: Path | None, claims_file: Path | None, everything: bool) -> None:
    """Show scores, checks, common mistakes and students who may need help. For instructors only.

    Scores are final, with points by hand and late penalties. Each check is listed with its id and with the file and
    line of its hidden test. The page links to the students' pages that `grade --html` wrote to the same folder.
    """
    lab, console = option.lab, OutputConsole(highlight=False)
    reports = stored_reports(lab, notice)
    if not reports:
        console.print(NOTHING_GRADED)
        return
    grades = final_grades(lab, reports)
    for line in differences(lab, reports, grades):
        notice(f"the gradebook differs from the results: {line}")
    claims = differing_claims(read_claims(claims_file), reports) if claims_file is not None else []
    statistics = statistics_of(lab, reports, grades)
    print_class_report(console, statistics, claims, everything=everything)
    if folder is not None:
        page = write_class_page(folder, statistics, student_pages_in(folder, statistics.students), claims)
        console.print(f"class page: {page}", soft_wrap=True)
