"""Printed output: complete at every width, readable without colour, and safe in every encoding."""

import io

import pytest
from rich.console import Console
from tiny_lab import STAGE

from lab.checking import ExerciseResult
from lab.progress import ExerciseStatus, Progress
from lab.results import TestOutcome, TestResult
from lab.show_checks import show_checks, side_by_side
from lab.show_handin import show_stage_lines
from lab.show_status import show_status
from lab.terminal import THEME, sign
from lab.values import ValuePair, ValueTable, make_pair


def printed(show, width: int = 80, encoding: str = "utf-8", **options) -> str:
    """Return the output of ``show(console)`` through a file of that encoding."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    show(Console(file=file, width=width, theme=THEME, highlight=False, **options))
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.fixture
def failed(course) -> ExerciseResult:
    import torch

    both = make_pair(torch.eye(3), torch.ones(3, 3))
    result = TestResult(
        STAGE, "test_double", TestOutcome.FAILED, "each should be [1]", pair=both, printed="mine\n" * 30
    )
    return ExerciseResult(course.exercises[0], (result,))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_status_fits_the_width(course, width):
    text = printed(lambda console: show_status(console, course, Progress(), everything=True), width)
    assert all(len(line) <= width for line in text.splitlines())
    for name in ("double", "total", "halve", "extension", "Next:"):
        assert name in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_failure_fits_the_width_and_shows_both_sides(course, failed, width):
    text = printed(lambda console: show_checks(console, course, [failed]), width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert "each should be [1]" in text  # brackets in messages are not markup
    assert text.count("0.0000*") == 6
    assert text.count("mine") == 12  # the end of the output


def test_a_cause_that_fails_several_tests_is_shown_once(course):
    line = {"file": "tiny.py", "line": 3, "function": "", "code": "import nothing"}
    results = [
        TestResult(STAGE, f"test_{name}", TestOutcome.FAILED, message, student_line=line)
        for name, message in (("first", "no module"), ("second", "no module"), ("third", "another reason"))
    ]
    failed = ExerciseResult(course.exercises[0], tuple(results))
    text = printed(lambda console: show_checks(console, course, [failed]), 80)
    assert [text.count(part) for part in ("no module", "second: as above", "another reason", "as above")] == [1] * 4


def test_an_error_in_an_import_is_shown_once_for_all_exercises(course):
    line = {"file": "early.py", "line": 3, "function": "<module>", "code": "import nothing"}
    results = [
        ExerciseResult(
            exercise, (TestResult(STAGE, f"test_{exercise.name}", TestOutcome.FAILED, "gone", student_line=line),)
        )
        for exercise in course.exercises
    ]
    text = printed(lambda console: show_checks(console, course, results), 80)
    assert (text.count("gone"), text.count("0 of 1 tests pass: as above")) == (1, len(results) - 1)
    text = printed(lambda console: show_stage_lines(console, results), 120)
    assert text.splitlines()[0].endswith("exercises pass; no test can run: early.py, line 3: gone")
    results[0] = ExerciseResult(course.exercises[0], results[0].test_results[:0])  # this exercise passes
    mixed = [*results, ExerciseResult(course.exercises[0], (TestResult(STAGE, "test_x", TestOutcome.FAILED, "other"),))]
    text = printed(lambda console: show_stage_lines(console, mixed), 120)
    assert ("no test can run" in text, f"not yet: {course.exercises[1].name}" in text) == (False, True)


def test_the_status_advises_to_fix_a_module_that_cannot_be_read(course):
    file = course.root / course.stages[0].file
    file.write_text(f"def broken(:\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    text = printed(lambda console: show_status(console, course, Progress()), 120)
    assert f"Next: fix the error in {course.stages[0].file.as_posix()}, then lab check." in text


def test_values_that_do_not_fit_are_shown_below_each_other():
    both = ValuePair(ValueTable("list", [["1.0000"]]), ValueTable("list", [["2.0000"]]), "[0]")
    assert len(side_by_side(both, 80).plain.splitlines()) == 2
    assert side_by_side(both, 20).plain.splitlines() == [
        "yours[0]: list",
        "  1.0000  ",
        "expected[0]: list",
        "  2.0000  ",
    ]


def test_nothing_depends_on_colour(course, failed):
    def show(console):
        show_checks(console, course, [failed])

    plain, coloured = printed(show), printed(show, force_terminal=True, color_system="standard")
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain
    assert "✗ double" in plain


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_old_consoles_can_show_the_signs(course, encoding):
    """The signs have a second form for encodings that lack the first."""
    signs = printed(
        lambda console: console.print(*(sign(console, status) for status in ExerciseStatus)), encoding=encoding
    )
    assert len(set(signs.split())) == len(ExerciseStatus)


def test_a_stub_is_not_a_failure(course):
    result = TestResult(STAGE, "test_double", TestOutcome.MISSING, "not written yet", missing="double")
    stub = ExerciseResult(course.exercises[0], (result,), is_started=False)
    text = printed(lambda console: show_checks(console, course, [stub]))
    assert "not written yet: write it in 1_tiny/tiny.py" in text
    assert "✗" not in text


def test_another_missing_exercise_is_named(course):
    result = TestResult(STAGE, "test_double", TestOutcome.MISSING, "not written yet", missing="Head.forward")
    text = printed(lambda console: show_checks(console, course, [ExerciseResult(course.exercises[0], (result,))]))
    assert "needs `Head`, which is not written yet" in text
