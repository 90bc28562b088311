"""The state that loaded modules keep: what their globals hold, at any depth, compared by identity.

A worker may run another check only if its modules hold what they held when they were loaded. The objects that can
change are listed once, with their content at that time: namespaces, containers, closures, defaults, tensors. As long as
each still holds the same objects, nothing else can be reached. An object of a kind that is not known here might hide
a change; then there is no state to compare, and the worker runs one check.
"""

import abc
import builtins
import enum
import functools
import operator
import re
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from autograder.isolation.wire import is_sendable

_MOST_OBJECTS = 20_000
_MOST_BYTES = 1 << 16
# Objects of these types cannot change, or do not belong to the modules: what the text may do with them is limited.
_FIXED = (
    type(None), bool, int, float, complex, str, bytes, range, slice, type(...), type(NotImplemented),
    types.ModuleType, types.CodeType, types.BuiltinFunctionType, types.WrapperDescriptorType,
    types.MethodDescriptorType, types.ClassMethodDescriptorType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.GenericAlias, types.UnionType, re.Pattern, np.ufunc, np.dtype, np.generic,
    torch.dtype, torch.device, torch.Size, torch.memory_format, torch.layout,
)  # fmt: skip
_FIXED_MODULES = ("typing", "dataclasses", "enum", "_abc")
# Attributes that Python and the tools that show warnings write into a namespace.
_UNCOUNTED = frozenset({"__builtins__", "__warningregistry__", "__loader__", "__spec__", "_abc_impl"})

Content = list[Any]


class _Unknown(Exception):
    """An object that cannot be compared."""


class ModuleState:
    """What modules held when this object was made.

    Args:
        modules: The loaded modules of the submission, by name.
    """

    def __init__(self, modules: Mapping[str, types.ModuleType]) -> None:
        self._modules = dict(modules)
        self._names = frozenset(modules)
        self._files = {getattr(module, "__file__", None) for module in modules.values()}
        self._spots: list[tuple[Callable[[], Content], Content]] = []
        self._tensors: list[tuple[torch.Tensor, tuple[torch.Size, bytes]]] = []
        self._seen: dict[int, object] = {}
        self._settings = _settings()
        try:
            self._note(vars(module) for module in modules.values())
        except (_Unknown, RecursionError):
            self._known = False
        else:
            self._known = True

    def unchanged(self, modules: Mapping[str, types.ModuleType]) -> bool:
        """Whether these are the same modules, and every object in them still holds what it held.

        False if some object could not be compared.
        """
        return (
            self._known
            and modules == self._modules
            and all(_same(content(), before) for content, before in self._spots)
            and all(_held(tensor) == before for tensor, before in self._tensors)
            and _settings() == self._settings
        )

    def _note(self, values: Iterable[Any]) -> None:
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            if isinstance(value, _FIXED) or id(value) in self._seen:
                continue
            self._seen[id(value)] = value
            if len(self._seen) > _MOST_OBJECTS:
                raise _Unknown
            for content in self._contents(value):
                before = content()
                self._spots.append((content, before))
                waiting += before

    def _contents(self, value: Any) -> Iterator[Callable[[], Content]]:
        """Yield functions that list what the value holds now."""
        kind = type(value)
        builtin = kind.__module__ in ("builtins", "collections")
        if builtin and isinstance(value, (dict, types.MappingProxyType)):
            yield lambda: _of_namespace(value)
        elif builtin and isinstance(value, (list, tuple, set, frozenset, deque)):
            yield lambda: list(value)
        elif isinstance(value, types.FunctionType):
            if value.__code__.co_filename in self._files:
                yield lambda: _of_function(value)
        elif isinstance(value, types.CellType):
            yield lambda: _of_cell(value)
        elif isinstance(value, (classmethod, staticmethod)):
            yield lambda: [value.__func__]
        elif isinstance(value, property):
            yield lambda: [value.fget, value.fset, value.fdel]
        elif isinstance(value, types.MethodType):
            yield lambda: [value.__self__, value.__func__]
        elif isinstance(value, functools.partial):
            yield lambda: [value.func, value.args, value.keywords]
        elif isinstance(value, functools.cached_property):
            yield lambda: [value.func]
        elif isinstance(value, type):
            if value.__module__ in self._names:
                yield lambda: [*_of_namespace(vars(value)), *value.__bases__]
        elif isinstance(value, (torch.Tensor, np.ndarray)):
            yield self._of_tensor(value)
        elif _is_plain(kind, self._names):
            yield lambda: _of_namespace(vars(value))
        elif kind.__module__ not in _FIXED_MODULES:
            raise _Unknown

    def _of_tensor(self, value: Any) -> Callable[[], Content]:
        known = type(value) is np.ndarray or (
            type(value) in (torch.Tensor, torch.nn.Parameter) and is_sendable(value) and value.device.type == "cpu"
        )
        if not known or value.nbytes > _MOST_BYTES or (isinstance(value, np.ndarray) and value.dtype.hasobject):
            raise _Unknown
        tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        self._tensors.append((tensor, _held(tensor)))
        if isinstance(value, np.ndarray):
            return lambda: []
        return lambda: [value.grad, value.requires_grad, *_of_namespace(vars(value))]


def _of_namespace(namespace: Mapping[Any, Any]) -> Content:
    return [part for pair in namespace.items() if pair[0] not in _UNCOUNTED for part in pair]


def _of_function(function: types.FunctionType) -> Content:
    return [function.__code__, function.__defaults__, function.__kwdefaults__, function.__closure__, vars(function)]


def _of_cell(cell: types.CellType) -> Content:
    try:
        return [cell.cell_contents]
    except ValueError:  # it is empty
        return []


def _is_plain(kind: type, names: frozenset[str]) -> bool:
    """Whether instances of a class hold all their state in their attributes."""
    if issubclass(kind, torch.nn.Module):
        return True
    own = [base for base in kind.__mro__ if base.__module__ in names]
    rest = {base for base in kind.__mro__ if base.__module__ not in names and base.__module__ != "typing"}
    return bool(own) and rest <= {object, abc.ABC, enum.Enum} and not any("__slots__" in vars(base) for base in own)


def _held(tensor: torch.Tensor) -> tuple[torch.Size, bytes]:
    flat = tensor.detach().reshape(-1)
    return tensor.shape, flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def _same(first: Content, second: Content) -> bool:
    return len(first) == len(second) and all(map(operator.is_, first, second))


def _settings() -> tuple[Any, ...]:
    """Settings of torch and NumPy for this process, and its builtins."""
    return (
        torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
        torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.is_anomaly_enabled(),
        torch.get_float32_matmul_precision(), torch._C._len_torch_dispatch_stack(),
        torch._C._len_torch_function_stack(), np.geterr(), len(vars(builtins)),
    )  # fmt: skip
