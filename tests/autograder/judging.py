"""Judge pieces of code and hidden tests in this process, for tests of the judge."""

from pathlib import Path

from autograder.base.results import CheckResult
from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.run import judge_stage

CHECK_HEADER = '''\
"""Hidden tests made by a test."""

import pytest
import torch
from hypothesis import assume, given, settings, strategies as st

from autograder.judge.compare import check_close, check_equal, check_raises, check_that

'''


def judge(lab: Lab, source: str, seed: int = 0, code: CourseCode | None = None) -> dict[str, CheckResult]:
    """Judge a submission of the lab's first stage; check → its result."""
    stage = lab.stages()[0]
    code = code or read_course_code(lab, stage)
    modules = {**code.modules, stage.spec.module: source}
    return {result.id: result for result in judge_stage(stage, modules, InProcessSession, code, seed)}


def write_checks(lab: Lab, tests: str, *names: str) -> None:
    """Make ``tests`` the lab's only hidden tests, and ``names`` the checks of the exercise ``double``.

    The catalogue of mistakes becomes empty, because its checks no longer exist.
    """
    stage = lab.stages()[0]
    for path in stage.hidden_tests.glob("test_*.py"):
        path.unlink()
    (stage.hidden_tests / "test_made.py").write_text(CHECK_HEADER + tests, encoding="utf-8")
    (stage.folder / "mistakes.py").write_text("MISTAKES = {}\n", encoding="utf-8")
    _list_checks(lab.root / "grading.yml", names)
    vars(lab).pop("config", None)  # read again


def _list_checks(path: Path, names: tuple[str, ...]) -> None:
    text = path.read_text(encoding="utf-8")
    marker = "        checks:\n"
    start = text.index(marker, text.index("      double:")) + len(marker)
    checks = "".join(f"          {name}: 1\n" for name in names)
    path.write_text(text[:start] + checks, encoding="utf-8")
