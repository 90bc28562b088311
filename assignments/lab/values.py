"""Values as small tables of text, so that two of them can be shown side by side."""

import math
from dataclasses import dataclass
from typing import Any

# Of a larger array, its first corner is easier to read.
MOST_ROWS = 8
MOST_COLUMNS = 8
_LONGEST_TEXT = 160


@dataclass(frozen=True)
class ValueTable:
    """A value as a table of text.

    Attributes:
        kind: the type of the value, such as ``float32 (2, 3)``.
        rows: its numbers, at most ``MOST_ROWS`` by ``MOST_COLUMNS``; one row with one text if it is not an array.
        cut: whether the value has more numbers than ``rows`` shows.
        marked: row and column of each number that differs from the other value.
    """

    kind: str
    rows: list[list[str]]
    cut: bool = False
    marked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class ValuePair:
    """The value that a test found and the value it expected; ``part`` is the slice of a larger array, as ``[0, 1]``."""

    found: ValueTable
    expected: ValueTable
    part: str = ""


def as_array(value: Any) -> Any | None:
    """Return the value's numbers as a NumPy array; None if it does not hold numbers."""
    import numpy as np

    if type(value).__module__.split(".")[0] == "torch" and hasattr(value, "detach"):
        import torch

        value = value.detach().cpu()
        if value.is_floating_point() and value.dtype not in (torch.float32, torch.float64):
            value = value.float()  # NumPy has no bfloat16
        return value.numpy()
    if isinstance(value, (bool, int, float, np.ndarray, np.generic, list, tuple)):
        try:
            array = np.asarray(value)
        except ValueError:  # rows of different lengths
            return None
        return array if array.dtype.kind in "biuf" else None
    return None


def kind_of(value: Any) -> str:
    """Return the value's type in a word or two, with its shape if it has one."""
    if not is_array(value):
        return type(value).__name__
    device = getattr(value, "device", None)
    suffix = f" on {device}" if device is not None and str(device) != "cpu" else ""
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}{suffix}"


def is_array(value: Any) -> bool:
    """Whether the value is a tensor or an array: both have a dtype, and a shape that is a tuple."""
    return hasattr(value, "dtype") and isinstance(getattr(value, "shape", None), tuple)


def make_table(value: Any) -> ValueTable:
    """Make the table of one value; of an array with more than two axes, its first matrix."""
    array = as_array(value)
    if array is None or isinstance(value, (bool, int, float)):
        return ValueTable(kind_of(value), [[_short(value)]])
    part = array[(0,) * max(array.ndim - 2, 0)]
    return ValueTable(kind_of(value), _rows(part), _is_cut(part) or array.ndim > 2)


def make_pair(found: Any, expected: Any) -> ValuePair:
    """Make the tables of two values; of larger arrays, the first slice in which they differ."""
    first, second = as_array(found), as_array(expected)
    plain = (bool, int, float, tuple)
    if first is None or second is None or (isinstance(found, plain) and isinstance(expected, plain)):
        return ValuePair(
            ValueTable(kind_of(found), [[_short(found)]]), ValueTable(kind_of(expected), [[_short(expected)]])
        )
    if first.shape != second.shape:
        return ValuePair(make_table(found), make_table(expected))
    differs = _differs(first, second)
    index = _first_slice(differs)
    return ValuePair(
        _marked(found, first[index], differs[index]),
        _marked(expected, second[index], differs[index]),
        f"[{', '.join(map(str, index))}]" if index else "",
    )


def _marked(value: Any, part: Any, differs: Any) -> ValueTable:
    indices = _matrix(differs)[:MOST_ROWS, :MOST_COLUMNS].nonzero()
    marked = tuple((int(row), int(column)) for row, column in zip(*indices, strict=True))
    return ValueTable(kind_of(value), _rows(part), _is_cut(part), marked)


def _differs(first: Any, second: Any) -> Any:
    import numpy as np

    if first.dtype.kind == "b" or second.dtype.kind == "b":
        return np.asarray(first != second)
    return ~np.isclose(first.astype(float), second.astype(float), rtol=1e-5, atol=1e-6, equal_nan=True)


def _first_slice(differs: Any) -> tuple[int, ...]:
    """Return the leading indices of the first matrix with a difference; of the first matrix if there is none."""
    leading = max(differs.ndim - 2, 0)
    indices = differs.nonzero()
    return tuple(int(axis[0]) if len(axis) else 0 for axis in indices[:leading])


def _matrix(array: Any) -> Any:
    """Return the same numbers with two axes."""
    return array.reshape((1, -1) if array.ndim < 2 else array.shape)


def _is_cut(array: Any) -> bool:
    rows, columns = _matrix(array).shape
    return bool(rows > MOST_ROWS or columns > MOST_COLUMNS)


def _rows(array: Any) -> list[list[str]]:
    return [[_number(cell) for cell in row[:MOST_COLUMNS]] for row in _matrix(array)[:MOST_ROWS].tolist()]


def _number(number: bool | int | float) -> str:
    """Format a number in at most ten characters."""
    if not isinstance(number, float):
        return str(number)
    if math.isfinite(number) and number != 0 and not 1e-3 <= abs(number) < 1e5:
        return f"{number:.2e}"
    return f"{number:.4f}" if math.isfinite(number) else str(number)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(tuple(value)) if type(value).__name__ == "Size" else repr(value)
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
