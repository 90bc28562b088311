"""Fixtures for the grader's own tests."""

from pathlib import Path

import pytest
from tiny_lab import build_tiny_lab

from autograder.course.lab import Lab


@pytest.fixture
def tiny_lab(tmp_path: Path) -> Lab:
    """A complete lab with one tiny stage, in its own folder."""
    return build_tiny_lab(tmp_path / "lab")
