"""The example on which a check failed: for the instructor, and for students once the due date has passed."""

import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch

from autograder.base.text import printable
from autograder.isolation.proxy import Namespace, RemoteFunction, Student
from autograder.judge import compare

_MOST_CHARACTERS = 400  # of one value
_MOST_VALUES = 12
_MOST_ITEMS = 6
_MOST_NUMBERS = 40
_NO_INPUT = (Student, RemoteFunction, Namespace, ModuleType, FunctionType, type)

Example = tuple[tuple[str, str], ...]


def failing_example(error: BaseException | None, tests: Path) -> Example:
    """Describe the example in which an error ended a check, from the variables of the hidden test.

    Args:
        error: the error, with its traceback.
        tests: the folder of the hidden tests.

    Returns:
        Pairs of a label and a text: ``input``, and ``expected`` and ``yours`` where values were compared.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)] if error is not None else []
    try:
        variables = _variables(frames, tests)
        inputs = "; ".join(f"{name} = {text_of(value)}" for name, value in list(variables.items())[:_MOST_VALUES])
        pairs = [("input", inputs), *_compared(frames)]
        return tuple((label, text) for label, text in pairs if text)
    except Exception:  # whatever a submission returns, the description decides no points
        return ()


def _variables(frames: list[FrameType], tests: Path) -> dict[str, Any]:
    """The variables of the hidden test and its helpers, without the submission and the course's code."""
    found: dict[str, Any] = {}
    for frame in frames:
        if Path(frame.f_code.co_filename).is_relative_to(tests):
            found |= frame.f_locals
    return {
        name: value for name, value in found.items() if not name.startswith("_") and not isinstance(value, _NO_INPUT)
    }


def _compared(frames: list[FrameType]) -> Iterator[tuple[str, str]]:
    """The expected and the actual value of the comparison that failed."""
    comparisons = [frame.f_locals for frame in frames if frame.f_code.co_filename == compare.__file__]
    for name in ("expected", "shape", "dtype"):
        for values in reversed(comparisons):
            if name in values and "actual" in values:
                yield "expected", text_of(values[name])
                yield "yours", text_of(values["actual"])
                return


def text_of(value: Any) -> str:
    """A value as one line of limited length."""
    return printable(" ".join(_text(value).split()), _MOST_CHARACTERS)


def _text(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        plain = value.detach().to("cpu")
        array = (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
        return f"{_numbers(array)} ({dtype} tensor, shape {tuple(value.shape)})"
    if isinstance(value, np.ndarray):
        return f"{_numbers(value)} ({value.dtype} array, shape {value.shape})"
    if isinstance(value, Mapping):
        items = [f"{_text(key)}: {_text(item)}" for key, item in list(value.items())[:_MOST_ITEMS]]
        return f"{{{', '.join(items)}{', …' if len(value) > _MOST_ITEMS else ''}}}"
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        items = [_text(item) for item in value[:_MOST_ITEMS]]
        return f"({', '.join(items)}{', …' if len(value) > _MOST_ITEMS else ''})"
    return repr(value)


def _numbers(array: Any) -> str:
    return np.array2string(array, precision=4, threshold=_MOST_NUMBERS, edgeitems=2, separator=", ")
