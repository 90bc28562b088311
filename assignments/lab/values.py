"""Values as small tables of text, so that two of them can stand side by side."""

import math
from dataclasses import dataclass
from typing import Any

# A table larger than this says less than its first corner.
MOST_ROWS = 8
MOST_COLUMNS = 8
_LONGEST_TEXT = 160


@dataclass(frozen=True)
class Table:
    """A value to look at.

    ``kind`` is what it is (``float32 (2, 3)``), ``rows`` its numbers, at most ``MOST_ROWS`` by
    ``MOST_COLUMNS`` of them; ``cut`` says whether there are more. A value that is no array has one row
    with one text. ``marked`` are the places, row and column, where it differs from the other one.
    """

    kind: str
    rows: list[list[str]]
    cut: bool = False
    marked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Pair:
    """What a test found and what it expected; ``part`` names the slice of larger arrays, as ``[0, 1]``."""

    found: Table
    expected: Table
    part: str = ""


def as_array(value: Any) -> Any | None:
    """A NumPy array of the value's numbers; None for what holds no numbers."""
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
        except ValueError:  # rows of different length
            return None
        return array if array.dtype.kind in "biuf" else None
    return None


def kind_of(value: Any) -> str:
    """What a value is, in a word or two, and the shape where it has one."""
    if not is_array(value):
        return type(value).__name__
    device = getattr(value, "device", None)
    place = f" on {device}" if device is not None and str(device) != "cpu" else ""
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}{place}"


def is_array(value: Any) -> bool:
    """Whether it is a tensor or an array: both have a dtype, and a shape that is a tuple."""
    return hasattr(value, "dtype") and isinstance(getattr(value, "shape", None), tuple)


def table(value: Any) -> Table:
    """One value by itself."""
    array = as_array(value)
    if array is None or isinstance(value, (bool, int, float)):
        return Table(kind_of(value), [[_short(value)]])
    part = array[(0,) * max(array.ndim - 2, 0)]
    return Table(kind_of(value), _rows(part), _is_cut(part) or array.ndim > 2)


def pair(found: Any, expected: Any) -> Pair:
    """Two values side by side; of larger arrays, the first slice in which they differ."""
    one, other = as_array(found), as_array(expected)
    plain = (bool, int, float, tuple)
    if one is None or other is None or (isinstance(found, plain) and isinstance(expected, plain)):
        return Pair(Table(kind_of(found), [[_short(found)]]), Table(kind_of(expected), [[_short(expected)]]))
    if one.shape != other.shape:
        return Pair(table(found), table(expected))
    differs = _differs(one, other)
    place = _first_slice(differs)
    return Pair(
        _marked(found, one[place], differs[place]),
        _marked(expected, other[place], differs[place]),
        f"[{', '.join(map(str, place))}]" if place else "",
    )


def _marked(value: Any, part: Any, differs: Any) -> Table:
    places = _matrix(differs)[:MOST_ROWS, :MOST_COLUMNS].nonzero()
    marked = tuple((int(row), int(column)) for row, column in zip(*places, strict=True))
    return Table(kind_of(value), _rows(part), _is_cut(part), marked)


def _differs(one: Any, other: Any) -> Any:
    import numpy as np

    if one.dtype.kind == "b" or other.dtype.kind == "b":
        return np.asarray(one != other)
    return ~np.isclose(one.astype(float), other.astype(float), rtol=1e-5, atol=1e-6, equal_nan=True)


def _first_slice(differs: Any) -> tuple[int, ...]:
    """Leading indices of the first matrix with a difference; of the first matrix where there is none."""
    leading = max(differs.ndim - 2, 0)
    places = differs.nonzero()
    return tuple(int(axis[0]) if len(axis) else 0 for axis in places[:leading])


def _matrix(array: Any) -> Any:
    """The same numbers with two axes."""
    return array.reshape((1, -1) if array.ndim < 2 else array.shape)


def _is_cut(array: Any) -> bool:
    rows, columns = _matrix(array).shape
    return bool(rows > MOST_ROWS or columns > MOST_COLUMNS)


def _rows(array: Any) -> list[list[str]]:
    return [[_number(cell) for cell in row[:MOST_COLUMNS]] for row in _matrix(array)[:MOST_ROWS].tolist()]


def _number(number: bool | int | float) -> str:
    """A number in at most ten characters."""
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
