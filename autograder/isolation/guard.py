"""Refuses functions of torch to one file of a submission, and keeps a record of what was refused.

A call is the file's when that file, and no other of the submission's, is the nearest on the stack: what it calls by
itself or through torch, and not what another module does for it. It is noticed in two places. Functions and classes
are replaced by ones that look at the stack first. Kernels get a wrapper in torch's dispatcher, where every alias,
method and compiled way to them ends. What is not refused goes on as if nothing were there,
gradients included.

All of this lives in the process of the submission, whose code could undo it or empty the record: a refusal is
evidence, the lack of one is none.
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
# Held here: the submission may put something else in its place.
_frame_at = sys._getframe
# Below autograd and above every device's kernels, and in use for every call.
_BELOW_AUTOGRAD = DispatchKey.BackendSelect
_REST = torch._C._dispatch_keyset_full_after(_BELOW_AUTOGRAD)
# A composite kernel is taken apart above that level.
_COMPOSITE = DispatchKey.CompositeImplicitAutograd
_ABOVE_COMPOSITE = ("AutogradCPU", "AutogradMeta", "CPU")


class ForbiddenCallError(Exception):
    """The submission called what the exercise forbids."""


class Guard:
    """Watches calls of forbidden functions. Nothing is touched before ``install``, and all is undone by ``remove``.

    Args:
        file: the file that may not call them.
        others: the submission's other files.
    """

    def __init__(self, file: str, others: Iterable[str]) -> None:
        self._file = file
        self._others = frozenset(others)
        self._watching = False
        self._undo: list[Callable[[], None]] = []
        self._refusals: dict[tuple[str, CallSite], None] = {}

    @property
    def refusals(self) -> list[tuple[str, str, int, str]]:
        """Name, file, line and function of the first refused calls; no file where none of it was on the stack."""
        return [(name, *place) for name, place in self._refusals]

    def install(self, names: Mapping[str, Iterable[str]]) -> None:
        """Begin to refuse.

        Args:
            names: dotted name of a function or class → names of aten's kernels that do its work. What this version of
                torch does not have is passed over.
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
        """Leave torch as it was."""
        while self._undo:
            self._undo.pop()()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Refuse inside, and let everything pass outside: others may use torch in the same process."""
        before, self._watching = self._watching, True
        try:
            yield
        finally:
            self._watching = before

    def _check(self, name: str) -> None:
        if self._watching and (place := self._place(_frame_at(2))) is not None:
            self._refuse(name, place)

    def _place(self, frame: FrameType | None) -> CallSite | None:
        """Where the guarded file made this call; None when another of the submission's files did.

        A call that comes from neither is one of a function that the submission calls its own, as in
        ``softmax = torch.softmax``.
        """
        while frame is not None:
            code = frame.f_code
            if code.co_filename == self._file:
                return self._file, frame.f_lineno, code.co_name
            if code.co_filename in self._others:
                return None
            frame = frame.f_back
        return "", 0, ""

    def _refuse(self, name: str, place: CallSite) -> NoReturn:
        if len(self._refusals) < _MOST_KEPT:
            self._refusals[name, place] = None
        raise ForbiddenCallError(f"{name} may not be used in this exercise")

    def _replace(self, name: str) -> None:
        """Put a function that looks first in the place of a function, or of a class's ``__init__``."""
        path, _, last = name.rpartition(".")
        found = getattr(sys.modules.get(path), last, None)
        if isinstance(found, type):
            self._replace_in(found, "__init__", name)
        elif isinstance(found, FunctionType | BuiltinFunctionType):
            for module, attribute in {(path, last), (found.__module__, found.__name__)}:
                if getattr(sys.modules.get(module), attribute, None) is found:
                    self._replace_in(sys.modules[module], attribute, name)

    def _replace_in(self, owner: object, attribute: str, name: str) -> None:
        original = getattr(owner, attribute)
        self._undo.append(functools.partial(setattr, owner, attribute, original))
        setattr(owner, attribute, self._looking_first(name, original))

    def _looking_first(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def looking_first(*args: Any, **kwargs: Any) -> Any:
            self._check(name)
            return function(*args, **kwargs)

        return looking_first

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
