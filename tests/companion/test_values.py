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


class Odd:
    """An object like no other: its properties and its text raise."""

    dtype = shape = property(lambda self: 1 / 0)
    __class__ = property(lambda self: 1 / 0)

    def __repr__(self) -> str:
        raise ZeroDivisionError


def looped() -> list:
    endless: list = []
    endless.append(endless)
    return endless


NAN = float("nan")
# Pairs of a found and an expected value of every kind, with the first cell that is shown of each.
PAIRS = {
    "0-d": (torch.tensor(2.0), torch.tensor(3.0), "2.0000", "3.0000"),
    "0-d with a gradient": (torch.tensor(2.0, requires_grad=True), torch.tensor(3.0), "2.0000", "3.0000"),
    "0-d and a number": (torch.tensor(2.0), 3.0, "2.0000", "3.0000"),
    "0-d in NumPy": (np.float32(2), np.float64(3), "2.0000", "3.0000"),
    "0-d bool": (torch.tensor(True), torch.tensor(False), "True", "False"),
    "0-d NaN": (torch.tensor(NAN), torch.tensor(0.0), "nan", "0.0000"),
    "0-d and 1-d": (torch.tensor(2.0), torch.tensor([2.0]), "2.0000", "2.0000"),
    "empty": (torch.zeros(0), torch.zeros(0), None, None),
    "empty with three axes": (torch.zeros(0, 2, 3), torch.zeros(2, 0, 3), None, None),
    "empty and full": (torch.zeros(0), torch.ones(1), None, "1.0000"),
    "bool": (torch.tensor([True]), torch.tensor([False]), "True", "False"),
    "bool and float": (torch.tensor([True]), torch.tensor([0.0]), "True", "0.0000"),
    "complex": (torch.tensor([1 + 2j]), torch.tensor([1 - 2j]), "1.0000+2.0000j", "1.0000-2.0000j"),
    "complex, conjugated": (torch.tensor([1 + 2j]).conj(), torch.tensor([1.0]), "1.0000-2.0000j", "1.0000"),
    "complex numbers": (1j, 2j, "1j", "2j"),
    "NaN and infinity": (torch.tensor([NAN]), torch.tensor([float("-inf")]), "nan", "-inf"),
    "another device": (torch.ones(2, device="meta"), torch.ones(2), "tensor(..., device='meta', size=(2,))", "1.0000"),
    "sparse": (torch.ones(2).to_sparse(), torch.ones(2), "tensor(indices=tensor([[0, 1]])", "1.0000"),
    "half precision": (torch.tensor([1.5]).half(), torch.tensor([2.5]).bfloat16(), "1.5000", "2.5000"),
    "large integers": (torch.tensor([2**53 + 1]), torch.tensor([2**53]), str(2**53 + 1), str(2**53)),
    "an integer of 5000 digits": (10**5000, 0, "a int that cannot be shown", "0"),
    "numbers near the largest": (np.array([1e308]), np.array([-1e308]), "1.00e+308", "-1.00e+308"),
    "a million numbers": (torch.zeros(1 << 20), torch.ones(1 << 20), "0.0000", "1.0000"),
    "a list of a million": ([0.0] * 10**6, None, "0.0000", "None"),
    "a long text": ("a" * 10**6, "b", "'aaaaaa", "'b'"),
    "lists of different lengths": ([[1], [1, 2]], [[1, 2]], "[[1], [1, 2]]", "1"),
    "a tuple of tensors": ((torch.ones(1, requires_grad=True), 2), (1, 2), "(tensor([1.], requires_grad=True), 2)",
                           "(1, 2)"),
    "an endless list": (looped(), [1], "[[[[[[[...]]]]]]]", "1"),
    "strings": (["a"], np.array(["b"]), "['a']", "array(['b'], dtype='<U1')"),
    "None": (None, torch.ones(1), "None", "1.0000"),
    "a set and a dict": ({1}, {"a": 1}, "{1}", "{'a': 1}"),
    "an object whose text raises": (Odd(), torch.ones(1), "a Odd whose repr raises ZeroDivisionError", "1.0000"),
    "a list of such objects": ([Odd()], 1.0, "[a Odd whose repr raises ZeroDivisionError]", "1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS)
def test_every_kind_of_value_can_be_shown(kind):
    *values, first, second = PAIRS[kind]
    pair = make_pair(*values)
    for table, text in ((pair.found, first), (pair.expected, second)):
        shown = table.rows[0][0] if table.rows and table.rows[0] else None
        assert (shown or "").startswith(text or "")
        assert (shown is None) == (text is None)
        assert all(len(cell) <= 160 and "\n" not in cell for row in table.rows for cell in row)


def test_a_difference_far_into_a_large_array_is_found():
    found, expected = np.zeros((1 << 10, 1 << 11)), np.zeros((1 << 10, 1 << 11))
    found[-1, 3] = 1
    both = make_pair(found.reshape(512, 2, 1, 1 << 11), expected.reshape(512, 2, 1, 1 << 11))
    assert (both.part, both.found.marked) == ("[511, 1]", ((0, 3),))
