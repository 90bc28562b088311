"""Refuses functions of torch to one file of a submission, and records the refused calls.

A call belongs to the file if that file is the submission's innermost file on the stack. This includes calls through
torch, and excludes calls that another module makes for the file. Calls are detected at two levels. Functions and
classes are replaced by wrappers that inspect the stack. Kernels get a wrapper in torch's dispatcher, where every
alias, method and compiled call ends. All other calls behave as without the guard, gradients included.

The guard runs in the submission's process, whose code could disable it or empty the record. So a recorded refusal is
evidence, and the absence of one is not.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import BuiltinFunctionType, FrameType, FunctionType
from typing import Any, NoReturn

import torch
from torch._C import DispatchKey

CallSite = tuple[str, int, str]  # file, line, function

_MOST_KEPT = 20
# Saved here because the submission may replace the original.
_frame_at = sys._getframe
# A dispatch key below autograd and above the kernels of every device; every call passes it.
_BELOW_AUTOGRAD = DispatchKey.BackendSelect
_REST = torch._C._dispatch_keyset_full_after(_BELOW_AUTOGRAD)
# A composite kernel is decomposed above that key.
_COMPOSITE = DispatchKey.CompositeImplicitAutograd
_ABOVE_COMPOSITE = ("AutogradCPU", "AutogradMeta", "CPU")


class ForbiddenCallError(Exception):
    """The submission called a function that the exercise forbids."""


class Guard:
    """Detects calls of forbidden functions. ``install`` patches torch, and ``remove`` undoes every patch.

    Args:
        file: The file that may not call them.
        others: The submission's other files.
    """

    def __init__(self, file: str, others: Iterable[str]) -> None:
        self._file = file
        self._others = frozenset(others)
        self._watching = False
        self._undo: list[Callable[[], None]] = []
        self._refusals: dict[tuple[str, CallSite], None] = {}

    @property
    def refusals(self) -> list[tuple[str, str, int, str]]:
        """Name, file, line and function of the first refused calls; an empty file if the stack held none of them."""
        return [(name, *site) for name, site in self._refusals]

    def install(self, names: Mapping[str, Iterable[str]]) -> None:
        """Start refusing calls.

        Args:
            names: Dotted name of a function or class → names of the aten kernels that implement it. Names that this
                version of torch lacks are skipped.
        """
        library = torch.library.Library("aten", "IMPL")
        self._undo.append(library._destroy)
        guarded: set[str] = set()
        for name, kernels in names.items():
            self._replace(name)
            for kernel in kernels:
                if kernel not in guarded and hasattr(torch.ops.aten, kernel):
                    guarded.add(kernel)
                    self._wrap_kernel(library, name, kernel)

    def remove(self) -> None:
        """Undo every patch of torch."""
        while self._undo:
            self._undo.pop()()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Refuse calls only inside this context: other code may use torch in the same process."""
        before, self._watching = self._watching, True
        try:
            yield
        finally:
            self._watching = before

    def _check(self, name: str) -> None:
        if self._watching and (site := self._call_site(_frame_at(2))) is not None:
            self._refuse(name, site)

    def _call_site(self, frame: FrameType | None) -> CallSite | None:
        """Where the guarded file made this call; None if another file of the submission made it.

        If no file of the submission is on the stack, the submission has bound the function to a name of its own, as
        in ``softmax = torch.softmax``.
        """
        while frame is not None:
            code = frame.f_code
            if code.co_filename == self._file:
                return self._file, frame.f_lineno, code.co_name
            if code.co_filename in self._others:
                return None
            frame = frame.f_back
        return "", 0, ""

    def _refuse(self, name: str, site: CallSite) -> NoReturn:
        if len(self._refusals) < _MOST_KEPT:
            self._refusals[name, site] = None
        raise ForbiddenCallError(f"{name} may not be used in this exercise")

    def _replace(self, name: str) -> None:
        """Replace a function, or a class's ``__init__``, by a wrapper that checks the stack."""
        path, _, last = name.rpartition(".")
        target = getattr(sys.modules.get(path), last, None)
        if isinstance(target, type):
            self._replace_in(target, "__init__", name)
        elif isinstance(target, FunctionType | BuiltinFunctionType):
            for module, attribute in {(path, last), (target.__module__, target.__name__)}:
                if getattr(sys.modules.get(module), attribute, None) is target:
                    self._replace_in(sys.modules[module], attribute, name)

    def _replace_in(self, owner: object, attribute: str, name: str) -> None:
        original = getattr(owner, attribute)
        self._undo.append(functools.partial(setattr, owner, attribute, original))
        setattr(owner, attribute, self._checking(name, original))

    def _checking(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def checking(*args: Any, **kwargs: Any) -> Any:
            self._check(name)
            return function(*args, **kwargs)

        return checking

    def _wrap_kernel(self, library: torch.library.Library, name: str, kernel: str) -> None:
        packet = getattr(torch.ops.aten, kernel)
        for overload in packet.overloads():
            operator = getattr(packet, overload)
            own_name = operator.name().removeprefix("aten::")
            if operator.has_kernel_for_dispatch_key(_COMPOSITE):
                for key in _ABOVE_COMPOSITE:
                    library.impl(own_name, self._decomposing(name, operator), key)
            elif not operator.has_kernel_for_dispatch_key(_BELOW_AUTOGRAD):
                library.impl(own_name, self._redispatching(name, operator), _BELOW_AUTOGRAD.name, with_keyset=True)

    def _decomposing(self, name: str, operator: Any) -> Callable[..., Any]:
        def kernel(*args: Any, **kwargs: Any) -> Any:
            self._check(name)
            return operator.decompose(*args, **kwargs)

        return kernel

    def _redispatching(self, name: str, operator: Any) -> Callable[..., Any]:
        def kernel(keys: Any, *args: Any, **kwargs: Any) -> Any:
            self._check(name)
            return operator.redispatch(keys & _REST, *args, **kwargs)

        return kernel
