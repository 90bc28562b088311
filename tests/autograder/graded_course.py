"""Fixtures: a course of the tiny lab that has been graded once."""

import shutil
from pathlib import Path

import pytest
from tiny_course import POINTS, STUDENTS, Course
from tiny_lab import MODULE, STAGE, build_tiny_lab

from autograder.course.lab import Lab


@pytest.fixture(scope="session")
def _graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graded course, to be copied."""
    folder = tmp_path_factory.mktemp("graded")
    lab = build_tiny_lab(folder / "lab")
    for student, source in STUDENTS.items():
        (folder / "class" / student / STAGE).mkdir(parents=True)
        (folder / "class" / student / STAGE / f"{MODULE}.py").write_text(source, encoding="utf-8")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("AUTOGRADER_SECRET", raising=False)
        course = Course(lab, folder / "class", monkeypatch)
        for done in (course.run("release"), course.grade()):
            assert done.exit_code == 0, done.output
        assert course.points() == POINTS
    return folder


@pytest.fixture
def course(_graded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A course that has been graded once."""
    monkeypatch.delenv("AUTOGRADER_SECRET", raising=False)
    shutil.copytree(_graded, tmp_path / "course")
    return Course(Lab(tmp_path / "course" / "lab"), tmp_path / "course" / "class", monkeypatch)


@pytest.fixture
def graded_folder(_graded: Path, tmp_path: Path) -> Path:
    """A copy of the graded course, ``lab`` and ``class``, for real commands."""
    return Path(shutil.copytree(_graded, tmp_path / "copied"))
