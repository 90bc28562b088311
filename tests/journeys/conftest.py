"""Fixtures for journeys: the command ``autograder`` as a separate process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def autograder() -> Run:
    """Run ``autograder ARGUMENTS…`` as a program, without a terminal."""

    def run(*arguments: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
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

    return run
