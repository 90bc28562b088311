"""Refuses functions of torch to one file of a submission, and records the refused calls.

A call belongs to the file if that file is the submission's innermost file on the stack. This includes calls through
torch and through helpers in other modules, and excludes calls that an exercise of another module makes for the file.
Calls are detected at two levels. Functions and classes of these names are replaced by wrappers that inspect the stack,
in every module of torch. Kernels get a wrapper in torch's dispatcher, where every alias, method and compiled call ends.
All other calls behave as without the guard, gradients included.

A refusal is reported before the submission learns of it, and cannot be taken back. The guard runs in the submission's
process, whose code could disable it before it calls. So a refusal is evidence, and the absence of one is not.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NoReturn

import torch
from torch._C import DispatchKey

CallSite = tuple[str, int, str]  # file, line, function
Report = Callable[[str, str, int, str], None]  # name of the forbidden function, call site

_NOWHERE: CallSite = ("", 0, "")
_MOST_KEPT = 20
# Saved here because the submission may replace the original.
_frame_at = sys._getframe
# A dispatch key below autograd and above the kernels of every device; every call passes it.
_BELOW_AUTOGRAD = DispatchKey.BackendSelect
_REST = torch._C._dispatch_keyset_full_after(_BELOW_AUTOGRAD)
# A composite kernel is decomposed above that key.
_COMPOSITE = DispatchKey.CompositeImplicitAutograd
_CPU = DispatchKey.CPU
_ABOVE_COMPOSITE = ("AutogradCPU", "AutogradMeta", "CPU")
_CALLABLE = (type, FunctionType, BuiltinFunctionType)
# The methods of a class that do its work: an object made without ``__init__`` is refused when it is used.
_METHODS = ("__init__", "forward", "step")


class ForbiddenCallError(Exception):
    """The submission called a function that the exercise forbids."""


class Guard:
    """Detects calls of forbidden functions. ``install`` patches torch, and ``remove`` undoes every patch.

    Args:
        file: The file that may not call them.
        others: The submission's other files → the functions and classes in each that may call them; None if all may.
        holds: Whether a code object was compiled from one of these files, and not made by the submission.
        report: Receives the first refused calls; the file is empty if the stack has none of the submission's files.
    """

    def __init__(
        self,
        file: str = "",
        others: Mapping[str, Iterable[str] | None] = {},
        holds: Callable[[CodeType], bool] = lambda code: True,
        report: Report = lambda *call: None,
    ) -> None:
        self._file = file
        self._others = dict(others)
        self._holds = holds
        self._report = report
        self._watching = False
        self._undo: list[Callable[[], None]] = []
        self._reported: set[tuple[str, CallSite]] = set()
        self._wrapped: set[tuple[int, str]] = set()

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
            for last in (name.rpartition(".")[2], *kernels):
                self._replace_all(name, last)
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
        """Where the guarded file made this call; None if another file of the submission made it and may do so.

        If no file of the submission is on the stack, the submission has bound the function to a name of its own, as
        in ``softmax = torch.softmax``. Code that the submission compiled or renamed itself is the guarded file's, too.
        """
        while frame is not None:
            code = frame.f_code
            if code.co_filename == self._file or code.co_filename in self._others:
                if not self._holds(code):
                    return _NOWHERE
                if code.co_filename == self._file:
                    return self._file, frame.f_lineno, code.co_name
                if self._may_call(code):
                    return None
            frame = frame.f_back
        return _NOWHERE

    def _may_call(self, code: CodeType) -> bool:
        """Whether code of another file may make the call: its own exercises may, and so may its import."""
        callers = self._others[code.co_filename]
        return callers is None or code.co_qualname.partition(".")[0] in (*callers, "<module>")

    def _refuse(self, name: str, site: CallSite) -> NoReturn:
        if len(self._reported) < _MOST_KEPT and (name, site) not in self._reported:
            self._reported.add((name, site))
            self._report(name, *site)
        raise ForbiddenCallError(f"{name} may not be used in this exercise")

    def _replace_all(self, name: str, last: str) -> None:
        """Replace each function of torch with this last name, and the methods of each such class, by wrappers."""
        for module in _modules_by_content().get(last, ()):
            target = getattr(module, last, None)
            if isinstance(target, type):
                for method in _METHODS:
                    if method in vars(target):
                        self._replace_in(target, method, name)
            elif isinstance(target, FunctionType | BuiltinFunctionType):
                self._replace_in(module, last, name)

    def _replace_in(self, owner: object, attribute: str, name: str) -> None:
        if (id(owner), attribute) in self._wrapped:
            return
        self._wrapped.add((id(owner), attribute))
        original = getattr(owner, attribute)
        self._undo.append(functools.partial(setattr, owner, attribute, original))
        setattr(owner, attribute, self._checking(name, original))

    def _checking(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def checking(*args: Any, **kwargs: Any) -> Any:
            self._check(name)
            return function(*args, **kwargs)

        vars(checking).pop("__wrapped__", None)  # the function itself
        return checking

    def _wrap_kernel(self, library: torch.library.Library, name: str, kernel: str) -> None:
        packet = getattr(torch.ops.aten, kernel)
        for overload in packet.overloads():
            operator = getattr(packet, overload)
            self._wrap_decomposition(name, operator)
            own_name = operator.name().removeprefix("aten::")
            if operator.has_kernel_for_dispatch_key(_COMPOSITE) and not operator.has_kernel_for_dispatch_key(_CPU):
                for key in _ABOVE_COMPOSITE:
                    library.impl(own_name, self._decomposing(name, operator), key)
            elif not operator.has_kernel_for_dispatch_key(_BELOW_AUTOGRAD):
                library.impl(own_name, self._redispatching(name, operator), _BELOW_AUTOGRAD.name, with_keyset=True)

    def _wrap_decomposition(self, name: str, operator: Any) -> None:
        """Wrap the kernel's version in Python, if torch has loaded it."""
        table = getattr(sys.modules.get("torch._decomp"), "decomposition_table", {})
        if operator in table:
            original = table[operator]
            self._undo.append(functools.partial(table.__setitem__, operator, original))
            table[operator] = self._checking(name, original)

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


@functools.cache
def _modules_by_content() -> Mapping[str, Sequence[ModuleType]]:
    """The modules of torch by the names of the functions and classes in them; the template computes it once."""
    found: dict[str, list[ModuleType]] = {}
    for path, module in list(sys.modules.items()):
        if path.partition(".")[0] == "torch":
            for name, value in list(getattr(module, "__dict__", {}).items()):
                if issubclass(type(value), _CALLABLE):  # not `isinstance`, which some values answer with a warning
                    found.setdefault(name, []).append(module)
    return found
