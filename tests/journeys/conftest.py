"""Fixtures for journeys: the command ``autograder`` as a separate process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.course.lab import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_autograder(*arguments: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run ``autograder ARGUMENTS…`` as a program, without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "autograder", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


@pytest.fixture(scope="session")
def autograder() -> Run:
    """Return ``run_autograder``."""
    return run_autograder


@pytest.fixture
def instructor(tmp_path: Path) -> Path:
    """A copy of the instructor's files: the real gradebook, secret and stored results stay untouched."""
    root = Lab.find(Path(__file__).parent).root
    target = tmp_path / "instructor"
    for name in ("solutions", "tests/hidden", "data"):
        shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "grading.yml", target)
    return target
