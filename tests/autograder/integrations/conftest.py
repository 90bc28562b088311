"""A released tiny lab with a gradebook, and its class."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_visit import BROWSER
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
