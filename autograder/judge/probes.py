"""Properties that only the process of the student's code can observe: in-place changes, devices.

A probe is a few trusted lines that run beside the student's code and return what they observed. The
student's process could falsify the report, and would gain only the points of that one check.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from autograder.isolation.proxy import RemoteFunction, RemoteObject, Student, define, gradients, remote_value
from autograder.judge.replies import same_reply
from autograder.judge.symptoms import CheckFailure, Symptom

# Hidden tests import `define`, `gradients` and `remote_value` from here as well.
__all__ = [
    "check_computes",
    "check_full_accuracy",
    "check_inputs_unchanged",
    "check_keeps_device",
    "define",
    "gradients",
    "remote_value",
]

Callee = RemoteFunction | RemoteObject

# A relative change of the arguments, and the bounds on the change of a result that is computed in float64. In
# float32, numbers of about 1 are 1e-7 apart.
_NUDGE = 1e-12
_SMALLEST_CHANGE, _LARGEST_CHANGE = 1e-15, 1e-10

_KEEP_INPUTS = """
def call_and_keep_inputs(function, args, kwargs):
    function(*args, **kwargs)
    return list(args), kwargs
"""

_CALL_ELSEWHERE = """
import copy
import re

import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

def moved(leaf):
    return torch.empty_like(leaf, device="meta") if isinstance(leaf, torch.Tensor) else leaf

class RefuseIndicesFromElsewhere(TorchDispatchMode):
    # Fake tensors let weights on "meta" be looked up by indices on the CPU, which no other device does.
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.embedding.default and args[0].device != args[1].device:
            raise RuntimeError("the embedding and its indices are on different devices")
        return function(*args, **(kwargs or {}))

MIXED = re.compile("same device|different devices|expected device", re.IGNORECASE)

def call_elsewhere(function, args, kwargs):
    # A replay of the call on the CPU tells an error of the code itself from an error of tensors without values.
    replay = copied([function, args, kwargs])
    # "meta" stands for any device that is not the CPU: it needs no hardware, and mixing the two raises.
    if isinstance(function, torch.nn.Module):
        function = function.to("meta")
    with FakeTensorMode(allow_non_fake_inputs=True), RefuseIndicesFromElsewhere():
        args, kwargs = tree_map(moved, (list(args), kwargs))
        if "device" in kwargs:
            kwargs["device"] = torch.device("meta")
        try:
            result = function(*args, **kwargs)
        except (DataDependentOutputException, DynamicOutputShapeException):
            return "unknown", []  # it reads values, and a tensor without storage has no values
        except Exception as error:
            if MIXED.search(str(error)):
                return "mixed", []
        else:
            return "devices", [leaf.device.type for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
    if replay is not None:
        function, args, kwargs = replay
        function(*args, **kwargs)
    return "unknown", []  # NumPy, for example, and operations that only real devices have

def copied(values):
    try:
        return copy.deepcopy(values)
    except Exception:
        return None
"""


def check_inputs_unchanged(student: Student, function: Callee, *args: Any, **kwargs: Any) -> None:
    """Check that the call leaves every tensor and array among its arguments unchanged.

    Raises:
        CheckFailure: with ``INPUT_CHANGED``.
    """
    probe = define(student, _KEEP_INPUTS)
    kept_args, kept_kwargs = probe.call_and_keep_inputs(function, list(args), kwargs)
    if not same_reply(_tensors([kept_args, kept_kwargs]), _tensors([list(args), kwargs])):
        raise CheckFailure(Symptom.INPUT_CHANGED)


def check_computes(function: Callee, args: Sequence[Any], other_args: Sequence[Any]) -> None:
    """Check that the result depends on the arguments and equals none of them.

    A check of dtype, device or in-place changes needs this check as well: a function that returns zeros or
    its own input passes all three, and must not earn points for it.

    Args:
        function: the function or module to call.
        args: the arguments of the first call.
        other_args: the arguments of the second call.

    Raises:
        CheckFailure: with ``WRONG_VALUES``; with ``WRONG_TYPE`` if the result holds no tensor or array.
    """
    first, second = (_tensors(function(*chosen))[:1] for chosen in (args, other_args))
    if not first:
        raise CheckFailure(Symptom.WRONG_TYPE)
    if same_reply(first, second):
        raise CheckFailure(Symptom.WRONG_VALUES, "the result does not depend on the input")
    if any(same_reply(first, [tensor]) for tensor in _tensors(list(args))):
        raise CheckFailure(Symptom.WRONG_VALUES, "the result is one of the inputs")


def check_full_accuracy(function: Callee, args: Sequence[Any], other_args: Sequence[Any]) -> None:
    """Check that float64 arguments are computed in float64: a tiny change of each one changes the results by as little.

    What passes through float32 does not change at all. Whether the values are right does not matter,
    so a wrong formula loses only the checks of its values.

    Args:
        function: the function or module to call; its results should be about 0.1 to 10 in size.
        args: the arguments of the first call; each further call multiplies one float64 tensor by ``1 + 1e-12``.
        other_args: different arguments; see ``check_computes``.

    Raises:
        CheckFailure: with ``WRONG_VALUES``, or as ``check_computes`` does.
    """
    check_computes(function, args, other_args)
    before = _tensors(function(*args))
    for index, argument in enumerate(args):
        if not (isinstance(argument, torch.Tensor) and argument.dtype is torch.float64):
            continue
        after = _tensors(function(*args[:index], argument * (1 + _NUDGE), *args[index + 1 :]))
        changes = [
            float((first.double() - second.double()).detach().abs().max())
            for first, second in zip(before, after, strict=True)
        ]
        if not _SMALLEST_CHANGE < max(changes) < _LARGEST_CHANGE:
            raise CheckFailure(Symptom.WRONG_VALUES, "a step computes in a narrower dtype than that of the input")


def check_keeps_device(student: Student, function: Callee, *args: Any, **kwargs: Any) -> None:
    """Check that the call works with inputs on another device and returns its results there.

    Tensors among the arguments move to a stand-in device, and so does a keyword ``device``. A
    function that reads values, or that does anything else that only real tensors can do, cannot be checked this
    way and passes.

    Raises:
        CheckFailure: with ``WRONG_DEVICE``; with ``WRONG_TYPE`` if the result holds no tensor.
    """
    probe = define(student, _CALL_ELSEWHERE)
    verdict, devices = probe.call_elsewhere(function, list(args), kwargs)
    if verdict == "unknown":
        return
    if verdict == "mixed":
        raise CheckFailure(
            Symptom.WRONG_DEVICE, "a tensor is created on the CPU although the input is on another device"
        )
    if not devices:
        raise CheckFailure(Symptom.WRONG_TYPE)
    if any(device != "meta" for device in devices):
        raise CheckFailure(Symptom.WRONG_DEVICE)


def _tensors(arguments: Any) -> list[Any]:
    """List the tensors and arrays among the arguments, in order, at any depth."""
    if isinstance(arguments, (torch.Tensor, np.ndarray)):
        return [arguments]
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    if isinstance(arguments, (list, tuple)):
        return [tensor for argument in arguments for tensor in _tensors(argument)]
    return []
