"""Explanations of failed assertions: the comparison and both of its sides, in the style of public tests."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from lab.explain import Explanation, explain

HERE = Path(__file__).parent


def close(found, expected, tolerance=1e-6):
    return found.shape == expected.shape and torch.allclose(found, expected, atol=tolerance)


def explained(check) -> Explanation:
    """Return the explanation of a failed function in this file, as if it were a public test."""
    try:
        check()
    except AssertionError:
        _, error, trace = sys.exc_info()
        return explain(error, trace, HERE, frozenset())
    raise RuntimeError("the check did not fail")


UNITS = torch.ones(2)


def call():
    assert close(2 * UNITS, UNITS), f"all are one, and there are {len(UNITS)}"


def call_with_a_tolerance():
    assert close(2 * UNITS, UNITS, 0.1)


def call_with_a_keyword():
    assert torch.allclose(2 * UNITS, UNITS, atol=0.1)


def call_that_raises():
    assert_allclose(np.array([2.0, 2.0]), [1.0, 1.0], rtol=1e-5, err_msg="all are one")


def call_over_several_lines():
    assert close(
        2 * UNITS,
        UNITS,
    ), "all are one"


def second_of_two():
    assert close(UNITS, UNITS) and close(2 * UNITS, UNITS)  # noqa: PT018 - authors of stages may write this


def chain():
    first, second = [1.0, 1.0], [2.0, 2.0]
    assert first == first == second


@pytest.mark.parametrize(
    "check",
    [call, call_with_a_tolerance, call_with_a_keyword, call_that_raises, call_over_several_lines, second_of_two],
)
def test_both_sides_of_a_comparison_are_found(check):
    found = explained(check)
    assert found.pair.found.rows == [["2.0000", "2.0000"]]
    assert found.pair.expected.rows == [["1.0000", "1.0000"]]
    assert found.test_line.file == "test_explain.py"
    assert found.student_line is None


def test_the_failing_comparison_of_a_chain_is_shown():
    assert explained(chain).pair.expected.rows == [["2.0000", "2.0000"]]


def test_the_message_is_the_text_of_the_assertion():
    assert explained(call).message == "all are one, and there are 2"
    assert explained(call_that_raises).message == "all are one"
    assert explained(call_with_a_tolerance).message == "this should hold"


def test_the_comparison_is_shown_without_the_message():
    assert explained(call).test_line.code == "close(2 * UNITS, UNITS)"


def test_without_two_sides_the_named_values_are_shown():
    def nan():
        weights = torch.tensor([1.0, float("nan")])
        assert not weights.isnan().any()

    def small():
        error = 3.5
        assert error < 1

    assert [(name, value.rows) for name, value in explained(nan).values] == [("weights", [["1.0000", "nan"]])]
    assert [(name, value.rows) for name, value in explained(small).values] == [("error", [["3.5"]])]


def test_no_values_are_shown_if_the_failure_does_not_repeat():
    answers = iter([torch.zeros(2), UNITS])

    def unsteady():
        assert close(next(answers), UNITS)

    assert explained(unsteady).pair is None


class Unshowable:
    """An object that compares and prints by raising."""

    dtype = shape = property(lambda self: 1 / 0)

    def __repr__(self) -> str:
        raise ZeroDivisionError

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    __hash__ = None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (torch.tensor(2.0), torch.tensor(3.0)),
        (torch.tensor(2.0, device="meta"), torch.tensor(3.0)),
        (torch.zeros(0, 2, 3), torch.zeros(1, 2, 3)),
        (torch.tensor(1j), torch.tensor(2j)),
        (10**5000, 1),
        (Unshowable(), torch.ones(2)),
    ],
    ids=["0-d", "mixed devices", "empty", "complex", "huge", "an object that raises"],
)
def test_the_words_and_the_line_stay_whatever_the_values_are(value, expected):
    def same(found, expected):
        return found is expected

    def check():
        assert same(value, expected), "the loss of three tokens"

    def compare():
        assert value is expected, "the loss of three tokens"

    for function in (check, compare):
        found = explained(function)
        assert found.message == "the loss of three tokens"
        assert found.test_line.code in ("same(value, expected)", "value is expected")


def test_an_exception_whose_text_raises_keeps_its_name():
    class Silent(ValueError):
        def __str__(self) -> str:
            raise ZeroDivisionError

    assert explain(Silent(), None, HERE, frozenset()).message == "Silent"
