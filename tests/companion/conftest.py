"""Fixtures for the students' companion: a copy of the repository that a student receives."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_lab import MODULE, STAGE, build_tiny_lab

from autograder.release import release
from lab.course import Course

STUDENT_REPOSITORY = Path(__file__).parents[2] / "solutions" / "student_repository"
Write = Callable[..., None]


@pytest.fixture(scope="session")
def assignments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released tiny lab, with the companion."""
    lab = build_tiny_lab(tmp_path_factory.mktemp("companion") / "lab")
    skeleton = lab.root / "solutions" / "student_repository"
    for path in sorted(STUDENT_REPOSITORY.rglob("*")):
        target = skeleton / path.relative_to(STUDENT_REPOSITORY)
        if path.is_file() and "__pycache__" not in path.parts and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    release(lab)
    return lab.root / "assignments"


@pytest.fixture
def course(assignments: Path, tmp_path: Path) -> Course:
    """The course in a student's copy of the release."""
    home = tmp_path / "a student's folder"  # real paths have spaces and quotes
    shutil.copytree(assignments, home)
    return Course.load(home)


@pytest.fixture
def write(course: Course) -> Write:
    """Write exercises into the student's module: ``write(double="return 2 * x")``; the other exercises stay stubs."""

    def write_bodies(top: str = "", **bodies: str) -> None:
        file = course.root / STAGE / f"{MODULE}.py"
        text = file.read_text(encoding="utf-8")
        for name, body in bodies.items():
            stub = f'raise NotImplementedError("{name}")'
            assert text.count(stub) == 1
            text = text.replace(stub, body.replace("\n", "\n    "))
        file.write_text(text + top, encoding="utf-8")

    return write_bodies
