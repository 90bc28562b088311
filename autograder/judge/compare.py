"""The only module that compares a student's result with the expected result.

Every comparison has the same order: exact type, then axes and sizes, dtype, finiteness, and last the
values. The first fault is the one reported, and a result that is too large or could be broadcast never
reaches an elementwise comparison. A failure carries a symptom (``autograder.judge.symptoms``) or the
author's own literal sentence (``says``), never a value, a size or a line of the test.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autograder.isolation.errors import SubmissionError
from autograder.judge.symptoms import CheckFailure, Symptom

Array = NDArray[Any]

# Relative and absolute tolerance by dtype. Nine equivalent ways of writing attention agree to 1e-12
# in float64; the narrow dtypes only have to show that the arithmetic used that dtype.
TOLERANCES = {
    torch.float64: (1e-7, 1e-9),
    torch.complex128: (1e-7, 1e-9),
    torch.float32: (1e-4, 1e-5),
    torch.complex64: (1e-4, 1e-5),
    torch.bfloat16: (3e-2, 3e-2),
    torch.float16: (5e-3, 5e-3),
}


def check_close(
    actual: Any,
    expected: Any,
    *,
    says: str | None = None,
    axes: str | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Check that a student's result is close to the expected result.

    Args:
        actual: what the student's code returned, at any depth of tuples, lists and dicts.
        expected: a tensor, an array, a number, or a tuple, list or dict of these. A tensor or an array
            requires the same type, shape and dtype, finite values where ``expected`` has finite values,
            and the same NaN or infinity elsewhere. A number requires a number: a Python number, a NumPy
            scalar, or a tensor or array without axes. Booleans, strings and None must be equal.
        says: a literal sentence for wrong values, instead of "… wrong values".
        axes: the names of the expected axes, ``"query, key"``, for the message about a wrong shape.
        rtol: relative tolerance; by dtype when None.
        atol: absolute tolerance; by dtype when None.

    Raises:
        CheckFailure: with the first symptom found.
        TypeError: ``expected`` has any other type.
    """
    if isinstance(expected, (tuple, list, dict)):
        for actual_item, expected_item in _pairs(actual, expected):
            check_close(actual_item, expected_item, says=says, axes=axes, rtol=rtol, atol=atol)
    elif isinstance(expected, (torch.Tensor, np.ndarray)):
        _check_array(actual, expected, says, axes, rtol, atol)
    elif isinstance(expected, (bool, str, type(None))):
        check_equal(actual, expected, says=says)
    elif isinstance(expected, (int, float, complex, np.number)):
        _check_number(actual, expected, says, rtol, atol)
    else:
        raise TypeError(f"check_close compares tensors, arrays and numbers, not {type(expected).__name__}")


def check_values(
    actual: Any, expected: Any, *, says: str | None = None, axes: str | None = None, accuracy: torch.dtype | None = None
) -> None:
    """Check values like ``check_close``, but compare floats of different precisions at the coarser precision.

    For exercises with a separate check of the dtype, so that a wrong dtype loses only that check.

    Args:
        actual: what the student's code returned.
        expected: as for ``check_close``.
        says: as for ``check_close``.
        axes: as for ``check_close``.
        accuracy: the coarsest dtype in which floats may have been computed. Common libraries compute norms,
            softmax and rotary embeddings in float32, whatever the dtype of the input; one check of an
            exercise pays for the full precision, and its other checks pass ``torch.float32``.
    """
    if isinstance(expected, (tuple, list, dict)):
        for actual_item, expected_item in _pairs(actual, expected):
            check_values(actual_item, expected_item, says=says, axes=axes, accuracy=accuracy)
    elif _both_float_tensors(actual, expected):
        dtypes = [actual.dtype, expected.dtype, *([accuracy] if accuracy else [])]
        rtol, atol = max(TOLERANCES[dtype] for dtype in dtypes)
        check_close(actual.to(expected.dtype), expected, says=says, axes=axes, rtol=rtol, atol=atol)
    else:
        check_close(actual, expected, says=says, axes=axes)


def check_results(actual: Any, count: int) -> tuple[Any, ...]:
    """Check that the result is a tuple or list of ``count`` results, and return them."""
    if type(actual) not in (tuple, list) or len(actual) != count:
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected a tuple of {count} results")
    return tuple(actual)


def check_tensor_type(actual: Any) -> None:
    """Check that the type of the result is exactly ``torch.Tensor``."""
    if type(actual) is not torch.Tensor:
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected a tensor, got {_kind(actual)}")


def check_array_type(actual: Any) -> None:
    """Check that the type of the result is exactly ``numpy.ndarray``."""
    if type(actual) is not np.ndarray:
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected a NumPy array, got {_kind(actual)}")


def check_shape(actual: Any, shape: tuple[int, ...], *, axes: str | None = None) -> None:
    """Check that the result is a tensor or an array of exactly this shape; ``axes`` names its axes."""
    if type(actual) not in (torch.Tensor, np.ndarray):
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected a tensor or an array, got {_kind(actual)}")
    names = [name.strip() for name in axes.split(",")] if axes else []
    if names and len(names) != len(shape):
        raise ValueError(f"{len(names)} names for {len(shape)} axes: {axes}")
    if actual.ndim != len(shape):
        count = "1 axis" if len(shape) == 1 else f"{len(shape)} axes"
        named = f" ({', '.join(names)})" if names else ""
        raise CheckFailure(Symptom.WRONG_AXES, f"expected {count}{named}, got {actual.ndim}")
    for index, (size, expected_size) in enumerate(zip(actual.shape, shape, strict=True)):
        if size != expected_size:
            axis = f"the axis `{names[index]}`" if names else f"axis {index} of {len(shape)}, counted from 0,"
            raise CheckFailure(Symptom.WRONG_SIZE, f"{axis} has the wrong size")


def check_dtype(actual: Any, dtype: torch.dtype) -> None:
    """Check that the result is a tensor of exactly this dtype."""
    check_tensor_type(actual)
    if actual.dtype != dtype:
        raise _wrong_dtype(actual.dtype, dtype)


def check_finite(actual: Any, *, says: str | None = None) -> None:
    """Check that every number of the result is finite."""
    check_tensor_type(actual)
    if not torch.isfinite(actual).all():
        raise CheckFailure(Symptom.NOT_FINITE, says)


def check_equal(actual: Any, expected: Any, *, says: str | None = None) -> None:
    """Check that the result is exactly this plain value: same type and same value, at every depth.

    For booleans, integers, strings, None and nestings of them; use ``check_close`` for tensors. A
    boolean or an integer may also be a NumPy scalar, or a tensor or array without axes.
    """
    if isinstance(expected, (torch.Tensor, np.ndarray)):
        raise TypeError("check_equal is for plain values; use check_close for tensors and arrays")
    if isinstance(expected, (bool, int)):
        actual = _without_axes(actual)
    if type(actual) is not type(expected):
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected {_kind(expected)}, got {_kind(actual)}")
    if isinstance(expected, (tuple, list, dict)):
        if len(actual) != len(expected):
            raise CheckFailure(Symptom.WRONG_VALUES, says)
        for actual_item, expected_item in _pairs(actual, expected):
            check_equal(actual_item, expected_item, says=says)
    elif actual != expected:
        raise CheckFailure(Symptom.WRONG_VALUES, says)


def check_that(condition: bool, says: str) -> None:
    """Check a condition that no comparison expresses.

    Args:
        condition: a plain bool.
        says: a literal sentence that tells the student what is wrong.
    """
    if type(condition) is not bool:
        raise TypeError(f"check_that takes a plain bool, not {type(condition).__name__}: wrap it in bool(…)")
    if not condition:
        raise CheckFailure(Symptom.WRONG_VALUES, says)


@contextmanager
def check_raises(*kinds: type[Exception], says: str | None = None, naming: Iterable[int] = ()) -> Iterator[None]:
    """Check that the submission raises one of these errors inside the block.

    Args:
        kinds: the accepted error classes.
        says: a literal sentence for the case that no error is raised.
        naming: numbers that the error message must contain.
    """
    try:
        yield
    except SubmissionError as error:
        if isinstance(error, NotImplementedError):
            raise  # a stub raises too, which is not an attempt at this check
        if not isinstance(error, kinds):
            expected = " or ".join(kind.__name__ for kind in kinds)
            raise CheckFailure(
                Symptom.WRONG_ERROR, f"expected {expected}, but an error of another type was raised"
            ) from error
        if not {str(number) for number in naming} <= set(re.findall(r"\d+", error.message)):
            raise CheckFailure(
                Symptom.WRONG_ERROR, "the error message does not contain the required numbers"
            ) from error
        return
    raise CheckFailure(Symptom.NO_ERROR, says)


def _pairs(actual: Any, expected: tuple[Any, ...] | list[Any] | dict[Any, Any]) -> list[tuple[Any, Any]]:
    """Pair the items of a container with the expected items; a tuple and a list are equivalent."""
    if isinstance(expected, dict):
        if type(actual) is not dict or actual.keys() != expected.keys():
            raise CheckFailure(Symptom.WRONG_TYPE, "the result is not a dict with the expected keys")
        return [(actual[key], value) for key, value in expected.items()]
    return list(zip(check_results(actual, len(expected)), expected, strict=True))


def _check_array(
    actual: Any,
    expected: torch.Tensor | Array,
    says: str | None,
    axes: str | None,
    rtol: float | None,
    atol: float | None,
) -> None:
    if isinstance(expected, torch.Tensor):
        check_tensor_type(actual)
    else:
        check_array_type(actual)
    check_shape(actual, tuple(expected.shape), axes=axes)
    if actual.dtype != expected.dtype:
        raise _wrong_dtype(actual.dtype, expected.dtype)
    _check_numbers(_as_tensor(actual), _as_tensor(expected), says, rtol, atol)


def _check_number(actual: Any, expected: Any, says: str | None, rtol: float | None, atol: float | None) -> None:
    actual, expected = _without_axes(actual), _without_axes(expected)
    if type(actual) not in ((int, float, complex) if isinstance(expected, complex) else (int, float)):
        raise CheckFailure(Symptom.WRONG_TYPE, f"expected a number, got {_kind(actual)}")
    try:
        number = torch.tensor(complex(actual), dtype=torch.complex128)
    except OverflowError:  # an integer larger than every float
        raise CheckFailure(Symptom.WRONG_VALUES, says) from None
    _check_numbers(number, torch.tensor(complex(expected), dtype=torch.complex128), says, rtol, atol)


def _check_numbers(
    actual: torch.Tensor, expected: torch.Tensor, says: str | None, rtol: float | None, atol: float | None
) -> None:
    """Check the values of two tensors of the same shape and dtype."""
    if expected.dtype not in TOLERANCES:
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


def _both_float_tensors(actual: Any, expected: Any) -> bool:
    return all(type(value) is torch.Tensor and value.dtype in TOLERANCES for value in (actual, expected))


def _without_axes(value: Any) -> Any:
    """Convert a NumPy scalar, or a tensor or array without axes, to the number that it holds."""
    if isinstance(value, np.generic) or (type(value) in (torch.Tensor, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


def _as_tensor(array: torch.Tensor | Array) -> torch.Tensor:
    if isinstance(array, torch.Tensor):
        return array.detach()
    return torch.from_numpy(np.array(array, order="C"))  # a copy: torch cannot represent reversed views


def _wrong_dtype(actual: Any, expected: Any) -> CheckFailure:
    return CheckFailure(Symptom.WRONG_DTYPE, f"the result's dtype is {_name(actual)}, expected {_name(expected)}")


def _kind(value: Any) -> str:
    """Describe the type of a value; any type that is not plain is "an object"."""
    words = {
        torch.Tensor: "a tensor",
        np.ndarray: "a NumPy array",
        type(None): "None",
        bool: "a bool",
        int: "an int",
        float: "a float",
        complex: "a complex number",
        str: "a str",
        list: "a list",
        tuple: "a tuple",
        dict: "a dict",
    }
    return words.get(type(value), "an object")


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")
