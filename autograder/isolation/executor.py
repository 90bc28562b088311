"""Runs requests on source texts: load a module, call its functions, differentiate through them.

An ``Executor`` is independent of processes. A worker runs an executor for the submission; an
``InProcessSession`` runs an executor in the judge's own process for the course's own code.
"""

import importlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import torch

from autograder.isolation.borrowing import with_helpers
from autograder.isolation.error_report import describe
from autograder.isolation.guard import Guard, Report
from autograder.isolation.module_state import ModuleState
from autograder.isolation.outline import outline
from autograder.isolation.replacement import REPLACEMENT_FILE, Replacement
from autograder.isolation.self_contained import are_self_contained
from autograder.isolation.sources import RESERVED, Sources, compiled
from autograder.isolation.wire import Handle, Reference, is_sendable, tensors_in

# The number of autograd graphs kept for a later backward pass; beyond it, the oldest graph is dropped.
_MOST_GRAPHS = 1024
_PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device)


class Executor:
    """Loaded sources, with the objects and autograd graphs that calls on them create."""

    def __init__(self, report: Report = lambda *call: None) -> None:
        """Make an executor.

        Args:
            report: receives each forbidden call, see ``Guard``; the file is its name in replies.
        """
        self._report = report
        self._modules = Sources({})
        self._folders: Mapping[str, str] = {}
        self._placeholders: Sequence[str] = ()
        self._main: ModuleType | None = None
        self._state: ModuleState | None = None
        self._guard = Guard()
        self._objects: dict[int, object] = {}
        self._graphs: dict[int, tuple[list[torch.Tensor], list[torch.Tensor]]] = {}
        self._handles = 0
        self._calls = 0
        self._operations: dict[str, Callable[..., object]] = {
            "surround": self._surround,
            "load": self._load,
            "outline": self._outline,
            "with_helpers": with_helpers,
            "are_self_contained": are_self_contained,
            "compile": self._compile,
            "renew": self._renew,
            "define": self._define,
            "call": self._call,
            "vjp": self._vjp,
            "value": self._value,
            "gradients": self._gradients,
            "seed": seed_all,
        }

    def answer(self, op: str, arguments: Mapping[str, Any]) -> list[Any]:
        """Run one operation and return ``["value", value]`` or ``["error", name, message, frames]``."""
        try:
            return ["value", self.handle(op, arguments)]
        except BaseException as error:  # SystemExit and KeyboardInterrupt count as the submission's errors
            return ["error", *describe(error, self._modules)]

    def handle(self, op: str, arguments: Mapping[str, Any]) -> Any:
        """Run one operation and return its value; parts that cannot be sent become handles.

        Operations:
            surround(folders, placeholders): what modules that are loaded later find around them, see ``Sources``.
            load(modules, main, forbidden, exercises, replace, replacement, renewable, code): compile and import
                ``main``; it can import the other modules. Seeds all generators with 0. ``forbidden`` lists what
                ``main`` may not call, see ``Guard.install``; of another module, its ``exercises`` may call it, or
                everything if none are given. ``replace`` lists definitions of ``main`` that those of the source
                ``replacement`` replace. ``renewable`` notes what the modules hold, for ``renew``. ``code`` is what
                ``compile`` returned for these modules.
            compile(modules): the code of each module; nothing of it runs.
            renew(): forget the objects and graphs of earlier calls, seed as ``load`` does, and return whether the
                modules hold what they held when they were loaded.
            are_self_contained(modules): whether the modules keep state in their own objects only, see there.
            with_helpers(modules, own, exercises): the modules to load, see there; nothing of them runs.
            outline(source): what the text of a module says, see ``outline``; nothing of it runs.
            define(source): run helper code in a new namespace; returns its functions and
                classes as handles.
            call(target, args, kwargs, grad): returns (value, graph, flags): ``flags`` says for each tensor
                of the value whether it requires grad; ``graph`` is 0 if no tensor does.
            vjp(graph, cotangents): the gradient of each leaf of the call, or None; also accumulates into the
                ``grad`` of parameters.
            value(target): an attribute or a kept object; parts that cannot be sent become handles.
            gradients(target): a dict from parameter names to gradients or None.
            seed(number): seed Python's, NumPy's and PyTorch's global generators.
        """
        with self._modules.importable(), self._guard.watching(), _keeping_default_dtype():
            return self._portable(self._operations[op](**arguments))

    def close(self) -> None:
        """Restore the functions of torch that were forbidden."""
        self._guard.remove()

    def _surround(self, folders: Mapping[str, str], placeholders: Sequence[str]) -> None:
        self._folders, self._placeholders = folders, placeholders

    def _load(
        self,
        modules: Mapping[str, str],
        main: str,
        forbidden: Mapping[str, Sequence[str]] | None = None,
        exercises: Mapping[str, Sequence[str]] = {},
        replace: Sequence[str] = (),
        replacement: str = "",
        renewable: bool = False,
        code: Mapping[str, bytes] = {},
    ) -> None:
        for name in modules:
            if not name.isidentifier():
                raise ValueError(f"a module cannot have the name {name!r}; use a Python identifier")
        if main in RESERVED or main not in modules:
            raise ValueError(f"{main!r} is not the name of a module in the request")
        replacements = {main: Replacement(tuple(replace), replacement)} if replace else {}
        self._modules = Sources(modules, replacements, self._folders, self._placeholders, code)
        self._guard.remove()
        others = {self._modules.path(name): exercises.get(name) for name in modules if name not in RESERVED | {main}}
        others[REPLACEMENT_FILE] = None
        self._guard = Guard(self._modules.path(main), others, self._modules.holds, self._refused)
        if forbidden:
            self._guard.install(forbidden)
        with self._modules.importable(), self._guard.watching():
            self._main = importlib.import_module(main)
            self._state = ModuleState(self._modules.loaded()) if renewable else None
        seed_all(0)

    def _compile(self, modules: Mapping[str, str]) -> dict[str, bytes]:
        return Sources(modules, folders=self._folders).marshalled()

    def _renew(self) -> bool:
        self._objects.clear()
        self._graphs.clear()
        seed_all(0)
        sys.stdout.flush()  # what was printed reaches the judge
        return self._state is not None and self._state.unchanged(self._modules.loaded())

    def _outline(self, source: str) -> Any:
        return msgspec.to_builtins(outline(source))

    def _define(self, source: str) -> dict[str, Handle]:
        namespace: dict[str, Any] = {"__name__": "helper"}
        exec(compiled(source, "<helper>"), namespace)
        return {
            name: self._keep(value)
            for name, value in namespace.items()
            if callable(value) and getattr(value, "__module__", None) == "helper"
        }

    def _call(
        self, target: Handle | Reference, args: Sequence[Any], kwargs: Mapping[str, Any], grad: bool
    ) -> tuple[Any, int, list[bool]]:
        leaves = [tensor for tensor in tensors_in([list(args), dict(kwargs)]) if tensor.requires_grad]
        function = self._resolve(target)
        with torch.set_grad_enabled(grad):
            result = function(*self._resolve(list(args)), **self._resolve(dict(kwargs)))
        value = self._portable(result)
        outputs = list(tensors_in(value))
        flags = [grad and output.requires_grad for output in outputs]
        if not any(flags):
            return value, 0, flags
        self._calls += 1
        self._graphs[self._calls] = (leaves, outputs)
        if len(self._graphs) > _MOST_GRAPHS:
            del self._graphs[next(iter(self._graphs))]
        return value, self._calls, flags

    def _vjp(self, graph: int, cotangents: Sequence[torch.Tensor | None]) -> list[torch.Tensor | None]:
        if graph not in self._graphs:
            raise RuntimeError(f"the graph of this call is no longer kept; the limit is {_MOST_GRAPHS} graphs")
        leaves, outputs = self._graphs[graph]
        for leaf in leaves:
            leaf.grad = None
        pairs = [
            (output, cotangent)
            for output, cotangent in zip(outputs, cotangents, strict=True)
            if output.requires_grad and cotangent is not None
        ]
        if pairs:
            roots, gradients = zip(*pairs, strict=True)
            torch.autograd.backward(roots, gradients, retain_graph=True)
        return [leaf.grad for leaf in leaves]

    def _value(self, target: Handle | Reference) -> object:
        return self._resolve(target)

    def _gradients(self, target: Handle | Reference) -> dict[str, torch.Tensor | None]:
        return {name: parameter.grad for name, parameter in self._resolve(target).named_parameters()}

    def _refused(self, name: str, file: str, line: int, function: str) -> None:
        self._report(name, self._modules.files.get(file, ""), line, function[:100])

    def _resolve(self, value: Any) -> Any:
        """Replace handles and references by their targets, at any depth."""
        if isinstance(value, Handle):
            return self._objects[value.id]
        if isinstance(value, Reference):
            target: Any = self._objects[value.owner] if value.owner else self._main
            for name in value.path.split("."):
                target = getattr(target, name)
            return target
        if isinstance(value, (list, tuple)):
            return type(value)(map(self._resolve, value))
        if isinstance(value, dict):
            return {key: self._resolve(item) for key, item in value.items()}
        return value

    def _portable(self, value: Any) -> Any:
        """The value with a handle for each part that cannot be sent; those parts are kept here."""
        if type(value) in _PLAIN or isinstance(value, Handle) or is_sendable(value):
            return value
        if isinstance(value, (set, frozenset)):
            value = _in_order(value)
        if isinstance(value, tuple):
            return tuple(map(self._portable, value))
        if isinstance(value, list):
            return list(map(self._portable, value))
        if isinstance(value, dict) and all(type(key) in (type(None), bool, int, float, str) for key in value):
            return {key: self._portable(item) for key, item in value.items()}
        return self._keep(value)

    def _keep(self, value: object) -> Handle:
        self._handles += 1
        self._objects[self._handles] = value
        return Handle(self._handles, type(value).__name__[:100])


def seed_all(number: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global generators."""
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.default_generator.manual_seed(number)  # torch.manual_seed queries every kind of device first: 1 ms in a fork


@contextmanager
def _keeping_default_dtype() -> Iterator[None]:
    """Restore the default dtype afterwards: results must not depend on the default that a submission sets."""
    before = torch.get_default_dtype()
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _in_order(items: Iterable[Any]) -> tuple[Any, ...]:
    """A set as a tuple, sorted if its items can be compared, so that the order is reproducible."""
    try:
        return tuple(sorted(items))
    except TypeError:
        return tuple(items)
