"""Values side by side: what differs is marked, and larger arrays are cut where they differ."""

import numpy as np
import pytest
import torch

from lab.values import MOST_COLUMNS, MOST_ROWS, Table, pair, table


def test_what_differs_is_marked():
    both = pair(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.5], [3.0, 4.0]]))
    assert both.found == Table("float32 (2, 2)", [["1.0000", "2.0000"], ["3.0000", "4.0000"]], marked=((0, 1),))
    assert both.expected.marked == ((0, 1),)


def test_a_difference_within_tolerance_is_none():
    assert pair(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9])).found.marked == ()


def test_nan_differs_from_a_number_and_not_from_nan():
    both = pair(torch.tensor([float("nan"), float("nan")]), torch.tensor([float("nan"), 0.0]))
    assert both.found.rows == [["nan", "nan"]]
    assert both.found.marked == ((0, 1),)


def test_the_first_matrix_that_differs_is_shown():
    found, expected = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    found[1, 2, 0, 1] = 7
    both = pair(found, expected)
    assert both.part == "[1, 2]"
    assert both.found.rows[0] == ["0.0000", "7.0000"]
    assert both.found.marked == ((0, 1),)


def test_shapes_that_differ_are_shown_and_nothing_is_marked():
    both = pair(torch.ones(2), torch.ones(1, 2))
    assert (both.found.kind, both.expected.kind) == ("float32 (2,)", "float32 (1, 2)")
    assert both.found.marked == both.expected.marked == ()


def test_shapes_themselves_are_compared_as_they_are_written():
    both = pair(torch.ones(2, 3).shape, (3, 2))
    assert (both.found.rows, both.expected.rows) == ([["(2, 3)"]], [["(3, 2)"]])


def test_a_large_matrix_is_cut():
    one = table(torch.ones(MOST_ROWS + 1, MOST_COLUMNS + 1))
    assert one.cut
    assert (len(one.rows), len(one.rows[0])) == (MOST_ROWS, MOST_COLUMNS)
    assert not table(torch.ones(MOST_ROWS, MOST_COLUMNS)).cut


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
def test_every_value_has_its_words(value, kind, text):
    assert table(value) == Table(kind, [[text]])


@pytest.mark.parametrize("value", [torch.zeros(0), torch.zeros(2, 0), np.zeros((0, 3)), []])
def test_an_empty_value_can_be_shown(value):
    assert not any(table(value).rows)
    assert not any(pair(value, value).found.rows)
