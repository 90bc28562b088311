"""``autograder export`` to learning platforms: Canvas, Moodle, Gradescope, Classroom 50."""

from pathlib import Path

import click

from autograder.base.atomic_files import write_atomically
from autograder.cli.endings import OutputConsole
from autograder.cli.exporting import class_grades, tell, write
from autograder.cli.shared import LabOption, pass_lab, stage_option
from autograder.feedback.platforms.canvas import fill_canvas
from autograder.feedback.platforms.classroom50 import rescore
from autograder.feedback.platforms.gradescope import gradescope_results
from autograder.feedback.platforms.moodle import fill_moodle, moodle_import
from autograder.feedback.words import counted

_READ = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("canvas")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--template", type=_READ, required=True, metavar="CSV", help="Fill this gradebook, which Canvas exported."
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="STAGE=HEADING",
    help="Write a stage, or `total`, to the column with this heading; repeatable.",
    show_default="columns headed by the id or title of a stage, or by the title of the course",
)
@stage_option
@pass_lab
def canvas(option: LabOption, file: Path, template: Path, columns: tuple[str, ...], stage_ids: tuple[str, ...]) -> None:
    """Fill final points into the gradebook that Canvas exported, and write it to FILE for the import.

    Students are found by login, SIS id or Canvas's number. Cells of excused students, of students without points and
    all other columns stay as they are.
    """
    chosen = dict(_pair(column) for column in columns)
    for name in set(chosen) - {"total"}:
        option.lab.stage(name)
    content, filled = fill_canvas(template, class_grades(option.lab, stage_ids).grades, option.lab.config, chosen)
    tell(filled.notes, filled.unknown, str(template))
    write(file, content, f"{counted(filled.cells, 'grade')} filled in")


def _pair(column: str) -> tuple[str, str]:
    stage, sign, heading = column.partition("=")
    if not sign or not heading.strip():
        raise click.UsageError(f"--column {column}: write STAGE=HEADING, such as total='Lab (123)'")
    return stage.strip(), heading.strip()


@click.command("moodle")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--template", type=_READ, metavar="CSV", help="Fill this grading worksheet, which Moodle exported.")
@stage_option
@pass_lab
def moodle(option: LabOption, file: Path, template: Path | None, stage_ids: tuple[str, ...]) -> None:
    """Write final points for Moodle.

    With --template, the total of the stages is filled into an assignment's grading worksheet. Without it, FILE holds a
    column per stage and `total`, for Grades > Import, by username.
    """
    grades = class_grades(option.lab, stage_ids).grades
    if template is None:
        write(
            file, moodle_import(grades, option.lab.config), counted(len({grade.student for grade in grades}), "student")
        )
        return
    content, filled = fill_moodle(template, grades, option.lab.config.policies.total)
    tell(filled.notes, filled.unknown, str(template))
    write(file, content, f"{counted(filled.cells, 'grade')} filled in")


@click.command("gradescope")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@stage_option
@pass_lab
def gradescope(option: LabOption, folder: Path, stage_ids: tuple[str, ...]) -> None:
    """Write one results.json of Gradescope's autograders per student: FOLDER/STUDENT/results.json."""
    students, policy = class_grades(option.lab, stage_ids).by_student(), option.lab.config.policies.total
    written = 0
    for student, (reports, grades) in students.items():
        if any(grade.points is not None for grade in grades):
            write_atomically(folder / student / "results.json", gradescope_results(reports, grades, policy))
            written += 1
    OutputConsole(highlight=False, soft_wrap=True).print(f"{folder}: {counted(written, 'student')}", markup=False)


@click.command("classroom50")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--scores", type=_READ, required=True, metavar="JSON", help="The classroom's scores.json.")
@click.option("--assignment", metavar="NAME", help="The assignment in scores.json.", show_default="the only assignment")
@stage_option
@pass_lab
def classroom50(
    option: LabOption, folder: Path, scores: Path, assignment: str | None, stage_ids: tuple[str, ...]
) -> None:
    """Write FOLDER/scores.json and FOLDER/LOGIN/result.json with final points.

    The latest submission of each student gets our points, and its entry `"override": true`, so that Classroom 50 keeps
    them when it collects scores again. Commit scores.json to the classroom's repository.
    """
    students = class_grades(option.lab, stage_ids).by_student()
    reports = {student: own for student, (own, _) in students.items()}
    grades = {student: own for student, (_, own) in students.items()}
    rescored = rescore(scores, reports, grades, option.lab.config.policies.total, assignment)
    tell(rescored.notes, rescored.unknown, str(scores))
    for login, result in rescored.results.items():
        write_atomically(folder / login / "result.json", result)
    write(folder / "scores.json", rescored.scores, f"{counted(len(rescored.results), 'student')} with our points")
