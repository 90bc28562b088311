"""Whether a module keeps its state where it can be compared: in its own objects, and nowhere in Python or torch.

Only such a module may run several checks in one process. The rule reads the text, before any of it runs, and names
what is allowed: everything else is refused. An import must lead to a function, a class or a constant of a few
libraries; attributes are set on ``self`` and what it holds; nothing leads to the insides of Python. What a module then
keeps is in its globals, and ``module_state`` compares these.
"""

import ast
import importlib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import torch

# The libraries that a module may import, and their modules that it may name.
_MODULES = frozenset(
    {
        "abc", "bisect", "collections", "collections.abc", "contextlib", "copy", "dataclasses", "enum", "functools",
        "heapq", "itertools", "math", "numbers", "random", "re", "statistics", "string", "textwrap",
        "typing", "__future__",
        "numpy", "numpy.fft", "numpy.linalg", "numpy.random", "numpy.typing",
        "torch", "torch.autograd", "torch.fft", "torch.func", "torch.linalg", "torch.nn", "torch.nn.functional",
        "torch.nn.init", "torch.nn.utils", "torch.nn.utils.rnn", "torch.optim", "torch.special",
    }
)  # fmt: skip
_BUILTINS = frozenset(
    {
        "__import__", "breakpoint", "compile", "delattr", "eval", "exec", "exit", "getattr", "globals", "help",
        "input", "locals", "memoryview", "open", "quit", "setattr", "vars",
    }
)  # fmt: skip
_SPECIAL_NAMES = frozenset({"__name__", "__file__", "__doc__", "__all__", "__debug__"})
_SPECIAL_ATTRIBUTES = frozenset(
    {"__init__", "__name__", "__call__", "__post_init__", "__version__", "__len__", "__getitem__"}
)
# Attributes that lead to frames or to memory, and methods that give memory as it is.
_ATTRIBUTES = frozenset(
    {
        "gi_frame", "cr_frame", "ag_frame", "ctypes", "data_ptr", "untyped_storage", "storage", "new_empty",
        "resize_", "resize_as_", "tofile", "func_globals",
    }
)  # fmt: skip
# What attributes are set on: the object of a method, and what it holds. Gradients are set on any tensor.
_OWN = frozenset({"self", "cls", "ctx"})
_SET_ANYWHERE = frozenset({"grad", "requires_grad", "data"})
# Functions of the libraries that change them, or give memory as it is: the content may be left from another check.
_CHANGING = ("set_", "use_", "seterr", "setbufsize", "register", "load", "save", "from_file", "compile", "lru_cache")
_UNFILLED = frozenset({"empty", "empty_like", "empty_strided", "empty_permuted"})
_CONSTANTS = (type(None), bool, int, float, complex, str, torch.dtype, torch.memory_format, torch.layout)


def are_self_contained(modules: Mapping[str, str]) -> bool:
    """Whether all modules of a submission keep state in their own objects only.

    Args:
        modules: Module name → source text.
    """
    try:
        for source in modules.values():
            tree = ast.parse(source)
            tree.body = [node for node in tree.body if not _is_script(node)]
            _Allowed(dict(_imports(tree, modules.keys()))).check(tree)
    except (_NotAllowed, SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


class _NotAllowed(Exception):
    """The module has something that may change what later checks find."""


def _is_script(node: ast.stmt) -> bool:
    """Whether this is ``if __name__ == "__main__":``, which does not run where a module is imported."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'" and not node.orelse


def _imports(tree: ast.Module, own: Collection[str]) -> Iterator[tuple[str, str]]:
    """Name → the dotted path that it was imported from; empty for what comes from the submission's modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                _require(alias.name in _MODULES or alias.name in own)
                path = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or path, "" if path in own else path
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            _require(node.level == 0 and (module in _MODULES or module in own))
            for alias in node.names:
                _require(alias.name != "*")
                path = "" if module in own else f"{module}.{alias.name}"
                _require(not path or path in _MODULES or _is_fixed(path))
                yield alias.asname or alias.name, path


class _Allowed:
    """Walks a module and looks at every name and every attribute."""

    def __init__(self, imported: Mapping[str, str]) -> None:
        self._imported = imported

    def check(self, node: ast.AST) -> None:
        """Check that the node and all that is in it is allowed.

        Raises:
            _NotAllowed: It is not.
        """
        waiting = [node]
        while waiting:
            waiting += self._parts(waiting.pop())

    def _parts(self, node: ast.AST) -> Iterator[ast.AST]:
        """Look at one node, and yield the nodes to look at next."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.Attribute):
            yield from self._attribute(node)
            return
        if isinstance(node, ast.Name):
            self._name(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            _require(node.name != "__del__")
        yield from ast.iter_child_nodes(_filled(node) if isinstance(node, ast.Call) else node)

    def _name(self, node: ast.Name) -> None:
        name = node.id
        _require(name not in _BUILTINS)
        _require(not name.startswith("__") or name in _SPECIAL_NAMES)
        # A library under another name could not be followed.
        _require(not self._imported.get(name) or self._imported[name] not in _MODULES)

    def _attribute(self, node: ast.Attribute) -> Iterator[ast.AST]:
        names, base = [node.attr], node.value
        while isinstance(base, ast.Attribute):
            names.append(base.attr)
            base = base.value
        for name in names:
            _require(name not in _ATTRIBUTES)
            _require(not name.startswith("__") or name in _SPECIAL_ATTRIBUTES)
        if not isinstance(node.ctx, ast.Load):
            _require(node.attr in _SET_ANYWHERE or (isinstance(base, ast.Name) and base.id in _OWN))
        path = self._imported.get(base.id) if isinstance(base, ast.Name) else None
        if path:
            _require(_is_fixed(".".join([path, *reversed(names)])))
        elif path is None:
            yield base


def _filled(call: ast.Call) -> ast.AST:
    """Only the sizes of ``nn.Parameter(torch.empty(…))``: a module fills its parameters, or a check does."""
    text = ast.unparse(call.func)
    inner = call.args[0] if len(call.args) == 1 else None
    if text.endswith("Parameter") and isinstance(inner, ast.Call) and ast.unparse(inner.func) == "torch.empty":
        return ast.Tuple([*inner.args, *(keyword.value for keyword in inner.keywords)])
    return call


def _require(allowed: bool) -> None:
    if not allowed:
        raise _NotAllowed


@cache
def _is_fixed(path: str) -> bool:
    """Whether a dotted path names a function, a class or a constant of a library that has no state to set."""
    module, names = _split(path)
    value: Any = importlib.import_module(module)
    for name in names:
        changes = name.startswith(("_", *_CHANGING)) and name not in _SPECIAL_ATTRIBUTES
        if changes or name in _UNFILLED:
            return False
        value = getattr(value, name, None)
    plain = module.startswith(("typing", "numpy.typing", "collections", "__future__"))
    return not isinstance(value, ModuleType) and (callable(value) or isinstance(value, _CONSTANTS) or plain)


def _split(path: str) -> tuple[str, list[str]]:
    """The longest prefix that is a module in the list, and the names after it."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        if ".".join(parts[:count]) in _MODULES:
            return ".".join(parts[:count]), parts[count:]
    raise _NotAllowed
