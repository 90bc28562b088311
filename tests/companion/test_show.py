"""What is printed: complete at every width, readable without colour, and safe in any encoding."""

import io

import pytest
from rich.console import Console
from tiny_lab import STAGE

from lab.checking import Checked
from lab.progress import Progress, Standing
from lab.results import Outcome, TestResult
from lab.show_checks import show_checks, side_by_side
from lab.show_status import show_status
from lab.terminal import THEME, sign
from lab.values import Pair, Table, pair


def printed(show, width: int = 80, encoding: str = "utf-8", **options) -> str:
    """What ``show(console)`` prints, through a file of that encoding."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    show(Console(file=file, width=width, theme=THEME, highlight=False, **options))
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.fixture
def failed(course) -> Checked:
    import torch

    both = pair(torch.eye(3), torch.ones(3, 3))
    result = TestResult(STAGE, "test_double", Outcome.FAILED, "each should be [1]", pair=both, printed="mine\n" * 30)
    return Checked(course.exercises[0], (result,))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_map_fits(course, width):
    text = printed(lambda console: show_status(console, course, Progress(), everything=True), width)
    assert all(len(line) <= width for line in text.splitlines())
    for name in ("double", "total", "halve", "extension", "Next:"):
        assert name in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_failure_fits_and_shows_both_sides(course, failed, width):
    text = printed(lambda console: show_checks(console, course, [failed]), width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert "each should be [1]" in text  # brackets are the author's, not markup
    assert text.count("0.0000*") == 6
    assert text.count("mine") == 12  # the end of what was printed


def test_sides_that_do_not_fit_stand_below_each_other():
    both = Pair(Table("list", [["1.0000"]]), Table("list", [["2.0000"]]), "[0]")
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
def test_an_old_consoles_characters_do(course, encoding):
    """The signs and the bar have a second form; titles may hold anything, and are replaced where need be."""
    signs = printed(lambda console: console.print(*(sign(console, one) for one in Standing)), encoding=encoding)
    assert len(set(signs.split())) == len(Standing)


def test_a_stub_is_no_failure(course):
    result = TestResult(STAGE, "test_double", Outcome.MISSING, "not written yet", missing="double")
    one = Checked(course.exercises[0], (result,), is_begun=False)
    text = printed(lambda console: show_checks(console, course, [one]))
    assert "not written yet: fill it in, in 1_tiny/tiny.py" in text
    assert "✗" not in text


def test_another_missing_exercise_is_named(course):
    result = TestResult(STAGE, "test_double", Outcome.MISSING, "not written yet", missing="Head.forward")
    text = printed(lambda console: show_checks(console, course, [Checked(course.exercises[0], (result,))]))
    assert "needs `Head`, which is not written yet" in text
