"""Values as small tables of text, so that two of them can be shown side by side."""

import math
import reprlib
from dataclasses import dataclass
from typing import Any

# Of a larger array, its first corner is easier to read.
MOST_ROWS = 8
MOST_COLUMNS = 8
_LONGEST_TEXT = 160
# Numbers that are compared at a time: a comparison needs several copies of them.
_CHUNK = 2**20


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
    """Return the value's numbers as a NumPy array; None if it does not hold numbers that can be read."""
    try:
        return _numbers(value)
    except Exception:  # rows of different lengths, a tensor without storage, or an unusual object of the student's
        return None


def _numbers(value: Any) -> Any | None:
    import numpy as np

    if type(value).__module__.split(".")[0] == "torch" and hasattr(value, "detach"):
        import torch

        value = value.detach().cpu().resolve_conj().resolve_neg()
        if value.is_floating_point() and value.dtype not in (torch.float32, torch.float64):
            value = value.float()  # NumPy has no bfloat16
        return value.numpy()
    if _is_a(value, (bool, int, float, complex, np.ndarray, np.generic, list, tuple)):
        array = np.asarray(value)
        return array if array.dtype.kind in "biufc" else None
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
    try:
        return hasattr(value, "dtype") and isinstance(getattr(value, "shape", None), tuple)
    except Exception:  # a property of the student's object may raise anything
        return False


def make_table(value: Any) -> ValueTable:
    """Make the table of one value; of an array with more than two axes, its first matrix."""
    array = as_array(value)
    if array is None or _is_a(value, (bool, int, float, complex)):
        return _as_text(value)
    part = array if array.size == 0 else array[(0,) * max(array.ndim - 2, 0)]
    return ValueTable(kind_of(value), _rows(part), _is_cut(part) or array.ndim > 2)


def make_pair(found: Any, expected: Any) -> ValuePair:
    """Make the tables of two values; of larger arrays, the first slice in which they differ."""
    import numpy as np

    plain = (bool, int, float, complex, tuple)
    if _is_a(found, plain) and _is_a(expected, plain):
        return ValuePair(_as_text(found), _as_text(expected))
    first, second = as_array(found), as_array(expected)
    if first is None or second is None or first.shape != second.shape or first.size == 0:
        return ValuePair(make_table(found), make_table(expected))
    index = _first_slice(first, second)
    left, right = np.asarray(first[index]), np.asarray(second[index])
    differs = _differs(left, right)
    part = f"[{', '.join(map(str, index))}]" if index else ""
    return ValuePair(_marked(found, left, differs), _marked(expected, right, differs), part)


def _is_a(value: Any, types: tuple[type, ...]) -> bool:
    return issubclass(type(value), types)  # `isinstance` would call a `__class__` of the student's object


def _as_text(value: Any) -> ValueTable:
    return ValueTable(kind_of(value), [[_short(value)]])


def _marked(value: Any, part: Any, differs: Any) -> ValueTable:
    indices = _matrix(differs)[:MOST_ROWS, :MOST_COLUMNS].nonzero()
    marked = tuple((int(row), int(column)) for row, column in zip(*indices, strict=True))
    return ValueTable(kind_of(value), _rows(part), _is_cut(part), marked)


def _differs(first: Any, second: Any) -> Any:
    import numpy as np

    kinds = {first.dtype.kind, second.dtype.kind}
    if kinds <= set("biu"):
        return np.asarray(first != second)
    kind = complex if "c" in kinds else float
    with np.errstate(all="ignore"):  # differences of infinities and of numbers near the largest are not finite
        close = np.isclose(first.astype(kind), second.astype(kind), rtol=1e-5, atol=1e-6, equal_nan=True)
    return np.asarray(~close)


def _first_slice(first: Any, second: Any) -> tuple[int, ...]:
    """Return the leading indices of the first matrix with a difference; of the first matrix if there is none."""
    import numpy as np

    leading: int = max(first.ndim - 2, 0)
    left, right = first.reshape(-1), second.reshape(-1)
    for start in range(0, left.size, _CHUNK):
        differs = _differs(left[start : start + _CHUNK], right[start : start + _CHUNK])
        if differs.any():
            indices = np.unravel_index(start + int(differs.argmax()), first.shape)
            return tuple(int(index) for index in indices[:leading])
    return (0,) * leading


def _matrix(array: Any) -> Any:
    """Return the same numbers with two axes."""
    if array.size == 0:
        return array.reshape(0, 0)
    return array.reshape((1, -1) if array.ndim < 2 else array.shape)


def _is_cut(array: Any) -> bool:
    rows, columns = _matrix(array).shape
    return bool(rows > MOST_ROWS or columns > MOST_COLUMNS)


def _rows(array: Any) -> list[list[str]]:
    corner = _matrix(array)[:MOST_ROWS, :MOST_COLUMNS]
    return [[_number(cell) for cell in row] for row in corner.tolist()]


def _number(number: bool | int | float | complex) -> str:
    """Format a number; a real number in at most ten characters."""
    if isinstance(number, complex):
        sign = "-" if math.copysign(1, number.imag) < 0 else "+"
        return f"{_number(number.real)}{sign}{_number(abs(number.imag))}j"
    if not isinstance(number, float):
        return str(number)
    if math.isfinite(number) and number != 0 and not 1e-3 <= abs(number) < 1e5:
        return f"{number:.2e}"
    return f"{number:.4f}" if math.isfinite(number) else str(number)


def _short(value: Any) -> str:
    """Return the value as one short line, whatever it is."""
    if type(value) is float:
        return f"{value:.6g}"
    if type(value).__name__ == "Size":
        value = tuple(value)
    try:
        text = " ".join(_REPR.repr(value).split())
    except Exception:  # an integer with thousands of digits, or an unusual object of the student's
        return f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


class _Repr(reprlib.Repr):
    """Shows the beginning of a large value without a text of all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 2 * MOST_COLUMNS
        self.maxstring = self.maxother = self.maxlong = _LONGEST_TEXT

    def repr_instance(self, x: Any, level: int) -> str:
        """Return the object's own text; name the error if that raises."""
        try:
            return repr(x)
        except Exception as error:
            return f"a {type(x).__name__} whose repr raises {type(error).__name__}"


_REPR = _Repr()
