"""``autograder grade --roster``: every student of the roster is in all outputs, and nbgrader knows the names."""

import csv
from pathlib import Path

from nbgrader.api import Gradebook
from tiny_course import Course
from tiny_lab import STAGE

ROSTER = 'login,name,email\nada,Ada Doe,ada@x.org\nbob,,\ncem,"Roe, Cem",\neve,Eve Lee,\n'


def grade(course: Course, *options: str) -> str:
    """Grade the class, of which eve handed in nothing; the printed table."""
    roster = course.lab.root / "roster.csv"
    roster.write_text(ROSTER, encoding="utf-8")
    done = course.grade("--roster", str(roster), *options)
    assert done.exit_code == 0, done.output
    return done.output


def rows(file: Path, student: str) -> list[dict[str, str]]:
    """The rows of a student in a CSV file."""
    with file.open(encoding="utf-8") as lines:
        return [row for row in csv.DictReader(lines) if student in row.values()]


def exported(course: Course, *format_: str) -> Path:
    file = course.lab.root / "out.csv"
    assert course.run("export", *format_, file).exit_code == 0
    return file


def row_of(output: str, student: str) -> list[str]:
    return next(line.split() for line in output.splitlines() if line.split()[:1] == [student])


def test_a_student_without_a_hand_in_has_a_row_in_all_outputs(course):
    pages = course.lab.root / "pages"
    assert row_of(grade(course, "--html", str(pages)), "eve") == ["eve", "not", "begun", "–"]
    assert course.judged == 0, "a roster changes no result"
    assert row_of(course.run("report").output, "eve") == ["eve", "not", "begun", "–"]
    assert "eve" in (pages / "class.html").read_text(encoding="utf-8")
    assert {row["outcome"] for row in rows(exported(course, "checks"), "eve")} == {"NOT_ATTEMPTED"}
    assert [row["score"] for row in rows(exported(course, "nbgrader"), "eve")] == [""]
    assert [row["total"] for row in rows(exported(course, "moodle"), "eve")] == [""]


def test_where_the_stage_is_owed_the_student_has_0_until_the_work_arrives(course):
    assert row_of(grade(course, "--stage", STAGE), "eve")[:4] == ["eve", "not", "begun,", "0"]
    assert [row["score"] for row in rows(exported(course, "nbgrader"), "eve")] == ["0.0"]
    assert [row["total"] for row in rows(exported(course, "moodle"), "eve")] == ["0"]
    ada = course.class_folder / "ada"
    ada.rename(ada.with_name("eve"))
    grade(course, "--stage", STAGE)
    assert course.points() == {"ada": 8, "bob": 0, "cem": 8, "eve": 8}, "ada's earlier result stands"


def test_nbgrader_shows_the_names_of_the_roster(course):
    grade(course)
    with Gradebook(f"sqlite:///{course.lab.gradebook}") as gradebook:
        shown = gradebook.student_dicts()  # what formgrader's page of students lists
    assert {each["id"]: (each["first_name"], each["last_name"], each["email"]) for each in shown} == {
        "ada": ("Ada", "Doe", "ada@x.org"),
        "bob": (None, None, None),
        "cem": ("Cem", "Roe", None),
        "eve": ("Eve", "Lee", None),
    }
    course.grade()
    assert [row["last_name"] for row in rows(exported(course, "nbgrader"), "ada")] == ["Doe"], "names stay filed"
