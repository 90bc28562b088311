"""A released tiny lab with a gradebook, and its class."""

import shutil
from pathlib import Path

import pytest
from classroom import Classroom
from tiny_lab import build_tiny_lab

from autograder.course.lab import Lab
from autograder.integrations.nbgrader.course import open_gradebook
from autograder.release import release


@pytest.fixture(scope="session")
def released_lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Created once, because nbgrader takes two seconds to create an empty gradebook."""
    lab = build_tiny_lab(tmp_path_factory.mktemp("released") / "lab")
    release(lab)
    with open_gradebook(lab):
        pass
    return lab


@pytest.fixture
def classroom(released_lab: Lab, tmp_path: Path) -> Classroom:
    """A copy of the released lab with an empty class."""
    return Classroom(Lab(Path(shutil.copytree(released_lab.root, tmp_path / "lab"))))
