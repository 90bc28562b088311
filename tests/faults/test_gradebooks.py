"""Gradebooks that cannot be used are refused with a way out, and left as they are."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_course import LONG_FORM, POINTS, Course
from tiny_lab import replace_in
from traitlets.config import Config

from autograder.integrations.nbgrader import configure


def another_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE songs (title)")
    database.close()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("elsewhere.db")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "first half": (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 8192 * 4096]), "damaged"),
    "cut at 512 bytes": (lambda path: path.write_bytes(path.read_bytes()[:512]), "damaged"),
    "cut at 100 bytes": (lambda path: path.write_bytes(path.read_bytes()[:100]), "damaged"),
    "zeros": (lambda path: path.write_bytes(bytes(path.stat().st_size)), "damaged"),
    "zeros after the first page": (
        lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(path.stat().st_size - 4096)),
        "damaged",
    ),
    "text": (lambda path: path.write_bytes(b"student,points\n" * 1000), "not a gradebook"),
    "another database": (another_database, "without nbgrader's tables"),
    "a folder": (folder, "is a folder"),
    "a link to nothing": (link_to_nothing, "is a link"),
}


SHORT_FORM = {"empty", "first half", "another database"}


@pytest.mark.parametrize(
    "damage", [pytest.param(name, marks=() if name in SHORT_FORM else LONG_FORM) for name in DAMAGES]
)
def test_a_damaged_gradebook_is_refused_and_left_alone(course: Course, damage: str):
    path = course.lab.gradebook
    break_it, words = DAMAGES[damage]
    break_it(path)
    content = path.read_bytes() if path.is_file() else None
    done = course.grade()
    assert (done.exit_code, course.judged) == (3, 0), done.output
    assert words in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert (path.read_bytes() if path.is_file() else None) == content


@LONG_FORM
def test_every_command_refuses_a_damaged_gradebook_and_a_new_one_gets_the_stored_results(course):
    path = course.lab.gradebook
    path.write_bytes(path.read_bytes()[:4096])
    for done in (course.run("export", "nbgrader", course.lab.root / "grades.csv"), course.run("release")):
        assert done.exit_code == 3
        assert "move it away and run the command again" in " ".join(done.output.split())
    path.rename(course.lab.root / "old.db")
    assert course.grade().exit_code == 0
    assert (course.judged, course.points()) == (0, POINTS)


def test_the_gradebook_of_another_course_is_refused(course):
    replace_in(course.lab.root / "grading.yml", "course: tiny", "course: another")
    done = course.grade()
    assert (done.exit_code, course.judged) == (3, 0)
    assert "holds the course tiny, and grading.yml is of the course another" in " ".join(done.output.split())
    assert course.points() == POINTS


def test_nbgraders_own_programs_refuse_a_damaged_gradebook(course, capsys):
    course.lab.gradebook.write_bytes(b"")
    with pytest.raises(SystemExit) as ended:
        configure(Config(), course.lab)
    assert ended.value.code == 3
    assert "gradebook.db is empty. Restore it from a backup" in capsys.readouterr().err
