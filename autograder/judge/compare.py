"""The one place where a student's result is compared with what it should be.

Every check goes in the same order: exact type, then axes and sizes, dtype, finiteness, and only
then values, so that the first thing wrong is the thing reported, and an oversized or broadcastable
reply never meets an elementwise comparison. A failure carries a symptom from a closed list, or the
author's own literal sentence (``says``); never a value, a size or a line of the test.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]

# Relative and absolute tolerance by dtype. Nine equivalent ways of writing attention agree to 1e-12
# in float64; the narrow dtypes only have to show that the arithmetic was of that dtype.
TOLERANCES = {
    torch.float64: (1e-7, 1e-9),
    torch.float32: (1e-4, 1e-5),
    torch.bfloat16: (3e-2, 3e-2),
    torch.float16: (5e-3, 5e-3),
}


class Symptom(StrEnum):
    """What can be wrong with a result, in the words a student reads."""

    WRONG_TYPE = "the result is not of the kind the exercise asks for"
    WRONG_AXES = "the result has the wrong number of axes"
    WRONG_SIZE = "one of the result's axes has the wrong size"
    WRONG_DTYPE = "the result's dtype is not the one of the input"
    WRONG_DEVICE = "the result is not on the input's device"
    NOT_FINITE = "the result holds NaN or infinity"
    WRONG_VALUES = "the result has the right shape but wrong values"
    WRONG_GRADIENT = "the gradient is wrong"
    INPUT_CHANGED = "an input was changed in place"
    NO_ERROR = "no error was raised where one is asked for"
    WRONG_ERROR = "an error of the wrong kind was raised"


class CheckFailure(AssertionError):
    """A check that did not hold; ``what`` is fit for a student's eyes."""

    def __init__(self, symptom: Symptom, says: str | None = None) -> None:
        self.symptom = symptom
        self.what = says or symptom.value
        super().__init__(self.what)


def check_close(
    actual: Any,
    expected: Any,
    *,
    says: str | None = None,
    axes: str | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Hold a student's result against what it should be.

    Args:
        actual: what the student's code returned, at any depth of tuples and lists.
        expected: a tensor, an array, a number, or a tuple or list of those. Tensors and arrays ask
            for the same type, shape and dtype, and for finite values where ``expected`` has them.
        says: a literal sentence for wrong values, in place of "… wrong values".
        axes: the names of the expected axes, ``"query, key"``, for the message about a wrong shape.
        rtol: relative tolerance; by dtype when None.
        atol: absolute tolerance; by dtype when None.

    Raises:
        CheckFailure: with the first symptom found.
    """
    if isinstance(expected, (tuple, list)):
        if type(actual) not in (tuple, list) or len(actual) != len(expected):
            raise CheckFailure(Symptom.WRONG_TYPE, f"expected {len(expected)} results together")
        for one, other in zip(actual, expected, strict=True):
            check_close(one, other, says=says, axes=axes, rtol=rtol, atol=atol)
    elif isinstance(expected, torch.Tensor):
        _check_tensor(actual, expected, says, axes, rtol, atol)
    elif isinstance(expected, np.ndarray):
        check_array_type(actual)
        _check_tensor(torch.from_numpy(actual), torch.from_numpy(np.ascontiguousarray(expected)), says, axes, rtol, atol)
    elif isinstance(expected, (bool, int, float)):
        _check_number(actual, expected, says, rtol, atol)
    else:
        raise TypeError(f"check_close compares tensors, arrays and numbers, not {type(expected).__name__}")


def check_values(actual: Any, expected: Any, *, says: str | None = None, axes: str | None = None) -> None:
    """Like ``check_close``, but floats of another precision are compared at the coarser of the two.

    For checks of values where the dtype has a check of its own: one slip, one loss.
    """
    if isinstance(expected, (tuple, list)):
        if type(actual) not in (tuple, list) or len(actual) != len(expected):
            raise CheckFailure(Symptom.WRONG_TYPE, f"expected {len(expected)} results together")
        for one, other in zip(actual, expected, strict=True):
            check_values(one, other, says=says, axes=axes)
    elif type(actual) is torch.Tensor and {actual.dtype, expected.dtype} <= TOLERANCES.keys():
        rtol, atol = max(TOLERANCES[actual.dtype], TOLERANCES[expected.dtype])
        check_close(actual.to(expected.dtype), expected, says=says, axes=axes, rtol=rtol, atol=atol)
    else:
        check_close(actual, expected, says=says, axes=axes)


def check_tensor_type(actual: Any) -> None:
    """The result must be exactly a tensor."""
    if type(actual) is not torch.Tensor:
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected a tensor, got {_kind(actual)}")


def check_array_type(actual: Any) -> None:
    """The result must be exactly a NumPy array."""
    if type(actual) is not np.ndarray:
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected a NumPy array, got {_kind(actual)}")


def check_shape(actual: Any, shape: tuple[int, ...], *, axes: str | None = None) -> None:
    """The result must be a tensor or an array of exactly this shape."""
    if type(actual) not in (torch.Tensor, np.ndarray):
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected a tensor or an array, got {_kind(actual)}")
    named = f" ({axes})" if axes else ""
    if actual.ndim != len(shape):
        raise CheckFailure(
            Symptom.WRONG_AXES, f"expected {_count(len(shape), 'axis', 'axes')}{named}, got {actual.ndim}"
        )
    for index, (one, other) in enumerate(zip(actual.shape, shape, strict=True)):
        if one != other:
            name = axes.split(",")[index].strip() if axes else f"number {index} of {len(shape)}, counted from 0"
            raise CheckFailure(Symptom.WRONG_SIZE, f"the axis `{name}` has the wrong size" if axes else f"axis {name}, has the wrong size")


def check_dtype(actual: Any, dtype: torch.dtype) -> None:
    """The result must be a tensor of exactly this dtype."""
    check_tensor_type(actual)
    if actual.dtype != dtype:
        raise CheckFailure(Symptom.WRONG_DTYPE, f"the result's dtype is {_name(actual.dtype)}, expected {_name(dtype)}")


def check_finite(actual: Any, *, says: str | None = None) -> None:
    """Every number of the result must be finite."""
    check_tensor_type(actual)
    if not torch.isfinite(actual).all():
        raise CheckFailure(Symptom.NOT_FINITE, says)


def check_equal(actual: Any, expected: Any, *, says: str | None = None) -> None:
    """The result must be exactly this plain value: same type, same value, at every depth.

    For booleans, integers, strings, None and nestings of them; tensors go to ``check_close``.
    """
    if isinstance(expected, (torch.Tensor, np.ndarray)):
        raise TypeError("check_equal is for plain values; tensors and arrays go to check_close")
    if type(actual) is not type(expected):
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected {_kind(expected)}, got {_kind(actual)}")
    if isinstance(expected, (tuple, list)):
        if len(actual) != len(expected):
            raise CheckFailure(Symptom.WRONG_VALUES, says)
        for one, other in zip(actual, expected, strict=True):
            check_equal(one, other, says=says)
    elif actual != expected:
        raise CheckFailure(Symptom.WRONG_VALUES, says)


def check_that(condition: bool, says: str) -> None:
    """A law that must hold, for what no comparison expresses. ``condition`` is a plain bool.

    ``says`` is a literal sentence that tells the student what is wrong.
    """
    if type(condition) is not bool:
        raise TypeError(f"check_that takes a plain bool, not {type(condition).__name__}: wrap it in bool(…)")
    if not condition:
        raise CheckFailure(Symptom.WRONG_VALUES, says)


@contextmanager
def check_raises(*kinds: type[Exception], says: str | None = None) -> Iterator[None]:
    """The block must raise one of these errors, from the submission."""
    from autograder.isolation.errors import SubmissionError

    try:
        yield
    except SubmissionError as error:
        # A stub raises too: that is not an attempt at this check.
        if isinstance(error, kinds) and not isinstance(error, NotImplementedError):
            return
        if isinstance(error, NotImplementedError):
            raise
        asked = " or ".join(kind.__name__ for kind in kinds)
        raise CheckFailure(Symptom.WRONG_ERROR, f"expected {asked}, but another kind of error was raised") from None
    raise CheckFailure(Symptom.NO_ERROR, says)


def _check_tensor(
    actual: Any,
    expected: torch.Tensor,
    says: str | None,
    axes: str | None,
    rtol: float | None,
    atol: float | None,
) -> None:
    check_tensor_type(actual)
    check_shape(actual, tuple(expected.shape), axes=axes)
    check_dtype(actual, expected.dtype)
    actual, expected = actual.detach(), expected.detach()
    if not expected.dtype.is_floating_point:
        if not torch.equal(actual, expected):
            raise CheckFailure(Symptom.WRONG_VALUES, says)
        return
    if bool((torch.isfinite(expected) & ~torch.isfinite(actual)).any()):
        raise CheckFailure(Symptom.NOT_FINITE)
    default_rtol, default_atol = TOLERANCES[expected.dtype]
    close = torch.isclose(
        actual,
        expected,
        rtol=default_rtol if rtol is None else rtol,
        atol=default_atol if atol is None else atol,
        equal_nan=True,
    )
    if not bool(close.all()):
        raise CheckFailure(Symptom.WRONG_VALUES, says)


def _check_number(actual: Any, expected: float, says: str | None, rtol: float | None, atol: float | None) -> None:
    if type(actual) in (torch.Tensor, np.ndarray) and actual.ndim == 0:
        actual = actual.item()  # a 0-d result is a number written differently
    if type(actual) not in (int, float):
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected a number, got {_kind(actual)}")
    if math.isfinite(expected) and not math.isfinite(actual):
        raise CheckFailure(Symptom.NOT_FINITE)
    default_rtol, default_atol = TOLERANCES[torch.float64]
    if not math.isclose(
        actual,
        expected,
        rel_tol=default_rtol if rtol is None else rtol,
        abs_tol=default_atol if atol is None else atol,
    ):
        raise CheckFailure(Symptom.WRONG_VALUES, says)


def _kind(value: Any) -> str:
    """A word for the type of a value; types beyond the plain ones are "an object"."""
    words = {
        torch.Tensor: "a tensor",
        np.ndarray: "a NumPy array",
        type(None): "None",
        bool: "a bool",
        int: "an int",
        float: "a float",
        str: "a str",
        list: "a list",
        tuple: "a tuple",
        dict: "a dict",
    }
    return words.get(type(value), "an object")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
