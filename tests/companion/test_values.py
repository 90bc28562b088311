"""Values side by side: differences are marked, and larger arrays are cut to a slice with a difference."""

import numpy as np
import pytest
import torch

from lab.values import MOST_COLUMNS, MOST_ROWS, ValueTable, make_pair, make_table


def test_differences_are_marked():
    both = make_pair(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.5], [3.0, 4.0]]))
    assert both.found == ValueTable("float32 (2, 2)", [["1.0000", "2.0000"], ["3.0000", "4.0000"]], marked=((0, 1),))
    assert both.expected.marked == ((0, 1),)


def test_a_difference_within_the_tolerance_is_not_marked():
    assert make_pair(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9])).found.marked == ()


def test_nan_differs_from_a_number_and_not_from_nan():
    both = make_pair(torch.tensor([float("nan"), float("nan")]), torch.tensor([float("nan"), 0.0]))
    assert both.found.rows == [["nan", "nan"]]
    assert both.found.marked == ((0, 1),)


def test_the_first_matrix_with_a_difference_is_shown():
    found, expected = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    found[1, 2, 0, 1] = 7
    both = make_pair(found, expected)
    assert both.part == "[1, 2]"
    assert both.found.rows[0] == ["0.0000", "7.0000"]
    assert both.found.marked == ((0, 1),)


def test_different_shapes_are_shown_without_marks():
    both = make_pair(torch.ones(2), torch.ones(1, 2))
    assert (both.found.kind, both.expected.kind) == ("float32 (2,)", "float32 (1, 2)")
    assert both.found.marked == both.expected.marked == ()


def test_shapes_are_compared_as_tuples():
    both = make_pair(torch.ones(2, 3).shape, (3, 2))
    assert (both.found.rows, both.expected.rows) == ([["(2, 3)"]], [["(3, 2)"]])


def test_a_large_matrix_is_cut():
    large = make_table(torch.ones(MOST_ROWS + 1, MOST_COLUMNS + 1))
    assert large.cut
    assert (len(large.rows), len(large.rows[0])) == (MOST_ROWS, MOST_COLUMNS)
    assert not make_table(torch.ones(MOST_ROWS, MOST_COLUMNS)).cut


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (torch.tensor(2.0, requires_grad=True), "float32 ()", "2.0000"),
        (torch.tensor([1.5], dtype=torch.bfloat16), "bfloat16 (1,)", "1.5000"),
        (torch.tensor([True]), "bool (1,)", "True"),
        (np.array([3], dtype=np.int32), "int32 (1,)", "3"),
        (np.array([1e-9]), "float64 (1,)", "1.00e-09"),
        (np.array([123456.0]), "float64 (1,)", "1.23e+05"),
        (np.array([np.inf]), "float64 (1,)", "inf"),
        (0.1, "float", "0.1"),
        ("text", "str", "'text'"),
        (None, "NoneType", "None"),
    ],
)
def test_every_value_has_a_kind_and_a_text(value, kind, text):
    assert make_table(value) == ValueTable(kind, [[text]])


@pytest.mark.parametrize("value", [torch.zeros(0), torch.zeros(2, 0), np.zeros((0, 3)), []])
def test_an_empty_value_can_be_shown(value):
    assert not any(make_table(value).rows)
    assert not any(make_pair(value, value).found.rows)
