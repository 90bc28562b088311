"""The student's modules with known weights, sent in few and small messages: one vector instead of many tensors."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import torch

from autograder.isolation.proxy import Namespace, RemoteFunction, RemoteObject, Student
from autograder.judge.probes import define

_HELPERS = """
def make(kind, sizes, options, numbers, shapes):
    return load(kind(*sizes, **options).double(), numbers, shapes)

def load(module, numbers, shapes):
    # Another check covers other names in the module's state.
    pieces = numbers.split([count for _, _, count in shapes])
    state = {name: piece.reshape(shape) for piece, (name, shape, _) in zip(pieces, shapes)}
    module.load_state_dict(state, strict=False)
    return module
"""


def made(
    student: Student, kind: RemoteFunction, *sizes: Any, state: Mapping[str, torch.Tensor], **options: Any
) -> RemoteObject:
    """Create a module of the student's in float64 with these sizes and options, and load this state."""
    module: RemoteObject = helpers(student, _HELPERS).make(kind, list(sizes), options, *_flat(state))
    return module


def load(student: Student, module: RemoteObject, state: Mapping[str, torch.Tensor]) -> None:
    """Load this state into the module."""
    helpers(student, _HELPERS).load(module, *_flat(state))


@functools.lru_cache(maxsize=4)
def helpers(student: Student, source: str) -> Namespace:
    """Define helpers in the process of the submission, once per check."""
    return define(student, source)


def _flat(state: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, list[Any]]:
    """Return all numbers in one vector, and name, shape and count of each tensor."""
    shapes = [[name, list(tensor.shape), math.prod(tensor.shape)] for name, tensor in state.items()]
    return torch.cat([tensor.flatten() for tensor in state.values()]), shapes
