"""Fixtures for the grader's own tests."""

from pathlib import Path

import pytest
from tiny_lab import build_tiny_lab

from autograder.course.lab import Lab


@pytest.fixture
def tiny_lab(tmp_path: Path) -> Lab:
    """A whole lab with one tiny stage, in a folder of its own."""
    return build_tiny_lab(tmp_path / "lab")
