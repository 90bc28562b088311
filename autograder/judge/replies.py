"""Compare replies of two modules to the same request: equality, evidence, and replies mixed from both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from autograder.isolation.wire import Handle

# Narrow dtypes round differently in another order of operations; float64 hardly does.
_TOLERANCES = {torch.float64: 1e-7, torch.complex128: 1e-7, torch.float32: 1e-4, torch.complex64: 1e-4}
_ROUGHLY = 3e-2


@dataclass(frozen=True)
class Raised:
    """A reply that is an error. Two errors of one class are the same reply, whatever their texts."""

    type_name: str


def same_reply(first: Any, second: Any) -> bool:
    """Whether two replies are the same up to rounding; NaN equals NaN."""
    if isinstance(first, Handle) and isinstance(second, Handle):
        return True  # later requests to the object show which object it is
    if type(first) is not type(second):
        return False
    if (close := _close(first, second)) is not None:
        return bool(close.all())
    if isinstance(first, (torch.Tensor, np.ndarray)):
        return False
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same_reply, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same_reply(value, second[key]) for key, value in first.items())
    return bool(first == second)


def shares_fault(reply: Any, faulty: Any, right: Any) -> bool:
    """Whether a reply agrees with a faulty reply in some element in which that differs from the right reply."""
    if same_reply(faulty, right):
        return False
    if children := _children(reply, faulty, right):
        return any(shares_fault(*replies) for replies in children.values())
    if (agrees := _close(reply, faulty)) is not None and (harmless := _close(faulty, right)) is not None:
        return bool((agrees & ~harmless).any())
    return same_reply(reply, faulty) or _same_kind(reply, faulty, right)


def is_missing_in(reply: Any, other: Any, right: Any) -> bool:
    """Whether a reply, or a part of it, is None where both other replies have a result."""
    if children := _children(reply, other, right):
        return any(is_missing_in(*replies) for replies in children.values())
    return reply is None and other is not None and right is not None


def mixed(reply: Any, other: Any, right: Any) -> Any:
    """Return the right reply, except in the elements in which the first two differ: there, the first reply."""
    if same_reply(reply, other) or _same_kind(reply, other, right):
        return right
    if children := _children(reply, other, right):
        parts = {key: mixed(*replies) for key, replies in children.items()}
        return parts if isinstance(reply, dict) else type(reply)(parts.values())
    if (close := _close(reply, other)) is None or _close(reply, right) is None:
        return reply
    if isinstance(reply, torch.Tensor):
        return torch.where(close, right.detach(), reply.detach())
    return np.where(close.numpy(), right, reply) if isinstance(reply, np.ndarray) else reply


def _children(first: Any, second: Any, third: Any) -> dict[Any, tuple[Any, Any, Any]]:
    """The parts of three containers with the same keys or the same length; a list and a tuple have the same parts."""
    if all(isinstance(reply, dict) for reply in (first, second, third)):
        same_keys = first.keys() == second.keys() == third.keys()
        return {key: (first[key], second[key], third[key]) for key in first} if same_keys else {}
    if all(isinstance(reply, (list, tuple)) for reply in (first, second, third)):
        same_length = len(first) == len(second) == len(third)
        return dict(enumerate(zip(first, second, third, strict=True))) if same_length else {}
    return {}


def _same_kind(first: Any, second: Any, right: Any) -> bool:
    """Whether two replies have the same wrong shape or dtype. Then their values have to agree roughly only."""
    close = _close(first, second, _ROUGHLY)
    return close is not None and bool(close.all()) and _close(first, right) is None


def _close(first: Any, second: Any, rtol: float | None = None) -> torch.Tensor | None:
    """Which elements of two tensors, arrays or numbers agree; None if they cannot be compared element by element."""
    first, second = _as_tensor(first), _as_tensor(second)
    if first is None or second is None or first.shape != second.shape or first.dtype != second.dtype:
        return None
    if not (first.dtype.is_floating_point or first.dtype.is_complex):
        return torch.eq(first, second)
    rtol = rtol or _TOLERANCES.get(first.dtype, _ROUGHLY)
    return torch.isclose(first, second, rtol=rtol, atol=rtol * 1e-2, equal_nan=True)


def _as_tensor(value: Any) -> torch.Tensor | None:
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, (float, complex)):
        return torch.tensor(value, dtype=torch.complex128)
    return None
