"""Spoils the results of functions and methods: shapes, dtypes and devices stay right, every value becomes wrong.

Solutions with wrong values import this module beside the student's module, so it imports nothing of the grader.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import torch

Exercise = TypeVar("Exercise", bound=Callable[..., Any])


def _blank(x: torch.Tensor) -> torch.Tensor:
    """Return zeros that still depend on ``x`` for autograd."""
    return x.nan_to_num(0, 0, 0) * 0


def _reversed(x: torch.Tensor, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    return x.flip(list(range(x.ndim))) if x.numel() > 1 else x + 1


def _noise(x: torch.Tensor, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    return _blank(x) + torch.rand(x.shape, generator=torch.Generator().manual_seed(1)).to(x)


def _echoed(x: torch.Tensor, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    alike = (y.to(x) for y in inputs if y.shape == x.shape and y.is_floating_point())
    return _blank(x) + next(alike, x + 1)


FORMULAS: dict[str, Callable[[torch.Tensor, Sequence[torch.Tensor]], torch.Tensor]] = {
    "doubled": lambda x, inputs: 2 * x,
    "shifted": lambda x, inputs: x + 1,
    "negated": lambda x, inputs: -x,
    "zeros": lambda x, inputs: _blank(x),
    "constant": lambda x, inputs: _blank(x) + 0.5,
    "reversed": _reversed,
    "noise": _noise,
    "echoed": _echoed,
}
NOTHING = "nothing"


class Spoiler:
    """A decorator of exercises.

    Only the outermost call is spoiled: an exercise that calls another one gets right values, so no two errors cancel.
    Tensors that the call changed in place are spoiled as well.

    Args:
        kind: a key of ``FORMULAS``; ``nothing`` replaces every result by None.
    """

    def __init__(self, kind: str) -> None:
        self._formula = FORMULAS.get(kind)
        self._running = False

    def __call__(self, exercise: Exercise) -> Exercise:
        """Return a function with spoiled results, or a class whose public methods have them."""
        if not isinstance(exercise, type):
            return cast(Exercise, self._function(exercise))
        for name, member in list(vars(exercise).items()):
            if inspect.isfunction(member) and not name.startswith("_"):
                setattr(exercise, name, self._function(member))
            elif isinstance(member, property) and member.fget:
                setattr(exercise, name, property(self._function(member.fget), member.fset))
        return exercise

    def _function(self, function: Any) -> Any:
        @functools.wraps(function)
        def spoiled(*arguments: Any, **named: Any) -> Any:
            if self._running:
                return function(*arguments, **named)
            inputs = list(_tensors([arguments, named]))
            versions = [tensor._version for tensor in inputs]
            self._running = True
            try:
                result = function(*arguments, **named)
            finally:
                self._running = False
            if self._formula is None:
                return None
            self._spoil_changed(inputs, versions)
            return self._spoiled(result, inputs)

        return spoiled

    def _spoil_changed(self, tensors: Iterable[torch.Tensor], versions: Iterable[int]) -> None:
        with torch.no_grad():
            for tensor, version in zip(tensors, versions, strict=True):
                if tensor._version != version:
                    tensor.copy_(self._tensor(tensor.clone(), ()))

    def _spoiled(self, result: Any, inputs: Sequence[torch.Tensor]) -> Any:
        match result:
            case torch.nn.Module() | torch.nn.Parameter():
                return result
            case torch.Tensor():
                return self._tensor(result, inputs)
            case np.ndarray():
                return self._tensor(torch.as_tensor(result), inputs).numpy()
            case np.generic():
                return self._tensor(torch.as_tensor(result), inputs).numpy()[()]
            case bool():
                return not result
            case int():
                return result + 1
            case float():
                return self._tensor(torch.tensor(result, dtype=torch.float64), ()).item()
            case str():
                return f"{result}{result[:1]}"
            case bytes():
                return result + result[:1]
            case dict():
                return {key: self._spoiled(value, inputs) for key, value in result.items()}
            case list() | tuple():
                return type(result)(self._spoiled(value, inputs) for value in result)
        return result

    def _tensor(self, x: torch.Tensor, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        if x.dtype == torch.bool:
            return ~x
        if self._formula is None or not x.is_floating_point():
            return x + 1
        return self._formula(x, inputs)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in arguments: their gradients, and those of modules and optimizers, included."""
    match value:
        case torch.Tensor():
            yield value
            if value.is_leaf and value.grad is not None:
                yield value.grad
        case np.ndarray() if value.dtype.kind in "fiub":
            yield torch.as_tensor(value)
        case torch.nn.Module():
            for parameter in value.parameters():
                yield from _tensors(parameter)
        case torch.optim.Optimizer():
            yield from _tensors(value.param_groups)
        case dict():
            yield from _tensors(list(value.values()))
        case list() | tuple():
            for each in value:
                yield from _tensors(each)
