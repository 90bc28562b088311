"""Finds code that works on this machine and not where it is graded: libraries, files, newer Python, forbidden calls."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from lab.code import Module
from lab.course import CompanionError, Course, Stage
from lab.forbidden import forbidden_calls
from lab.progress import read_module

_SECONDS = 20
# Calls that use a file, the network or a program, by the name before the dot; the last line is for any name.
_OUTSIDE = {
    "": {"open"},
    "io": {"open"},
    "np": {"load", "loadtxt", "genfromtxt", "fromfile", "save", "savetxt"},
    "numpy": {"load", "loadtxt", "genfromtxt", "fromfile", "save", "savetxt"},
    "os": {"listdir", "makedirs", "mkdir", "open", "remove", "scandir", "system", "walk"},
    "subprocess": {"Popen", "call", "check_call", "check_output", "run"},
    "torch": {"load", "save"},
    "*": {"iterdir", "read_bytes", "read_text", "rglob", "urlopen", "urlretrieve", "write_bytes", "write_text"},
}


@dataclass(frozen=True)
class Remark:
    """Code that does not work where it is graded: its stage, its line, and what to do."""

    stage: str
    file: str
    line: int
    text: str


def remarks(course: Course, stage: Stage) -> list[Remark]:
    """Return the remarks on a stage's module, by line; none if it cannot be read, because a check says so."""
    try:
        module = read_module(course.root, stage)
    except CompanionError:
        return []
    found = {
        *_newer_syntax(course, module),
        *_Imports(course, stage, module.tree).remarks(),
        *_outside(module.tree),
        *forbidden_calls(stage, module),
    }
    return [Remark(stage.id, stage.file.as_posix(), line, text) for line, text in sorted(found)]


def _newer_syntax(course: Course, module: Module) -> Iterator[tuple[int, str]]:
    """Yield the syntax that the oldest Python that may grade does not have. ruff knows the syntax of each version."""
    version = f"--target-version=py{course.grading.python.replace('.', '')}"
    options = ["check", "--isolated", "--no-cache", "--select=E902", version, "--output-format=json", "-"]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "ruff", *options],
            input=module.text.encode(),
            capture_output=True,
            timeout=_SECONDS,
        )
        problems = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return  # without ruff, which `lab doctor` reports
    for problem in problems:
        yield problem["location"]["row"], f"grading may run on Python {course.grading.python}: {problem['message']}"


class _Imports:
    """Examines the imports of a module."""

    def __init__(self, course: Course, stage: Stage, tree: ast.Module) -> None:
        """Set the course, the stage and the module's tree."""
        self._course = course
        self._stage = stage
        self._nodes = list(_unguarded(tree))
        unused = {id(part) for node in self._nodes for hint in _annotations(node) for part in ast.walk(hint)}
        loaded = [node for node in self._nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
        self._used = {node.id for node in loaded if id(node) not in unused}

    def remarks(self) -> Iterator[tuple[int, str]]:
        for node in self._nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    yield from self._module(node.lineno, alias.name, bound)
            elif isinstance(node, ast.ImportFrom) and node.level:
                yield node.lineno, "a relative import does not work; write `from module import name` without the dot"
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    yield from self._module(node.lineno, node.module, alias.asname or alias.name)
                    yield from self._name(node.lineno, node.module, alias.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                yield from self._newer(node.lineno, f"{node.value.id}.{node.attr}")

    def _module(self, line: int, module: str, bound: str) -> Iterator[tuple[int, str]]:
        library, grading = module.partition(".")[0], self._course.grading
        modules = {stage.module for stage in self._course.stages}
        yield from self._newer(line, module)
        if library in modules or library in sys.stdlib_module_names or library in grading.usable:
            return
        if library in grading.importable:
            if bound in self._used:
                yield line, f"`{library}` is not available: code that uses it fails. Use it in the lab sheet instead"
        elif (self._course.root / self._stage.id / f"{library}.py").is_file():
            yield line, f"only {self._stage.module}.py is graded: move the code that it needs from {library}.py into it"
        else:
            yield line, f"`{library}` is not installed: with this import the module cannot be loaded"

    def _name(self, line: int, module: str, name: str) -> Iterator[tuple[int, str]]:
        yield from self._newer(line, f"{module}.{name}")
        stage = next((stage for stage in self._course.stages if stage.module == module), None)
        if stage is not None and name != "*" and name not in _defined(ast.parse(stage.stub)):
            yield line, f"a working {module}.py may stand in for yours, and it has no `{name}`: define it here instead"

    def _newer(self, line: int, name: str) -> Iterator[tuple[int, str]]:
        if version := self._course.grading.added.get(name):
            yield line, f"`{name}` needs Python {version}; grading may run on {self._course.grading.python}"


def _outside(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the calls outside functions that use a file, the network or a program."""
    for node in _unguarded(tree, into_functions=False):
        if isinstance(node, ast.Call) and _leaves_the_process(node.func):
            yield node.lineno, "a graded module has no files, network or programs: move this line into the lab sheet"


def _leaves_the_process(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in _OUTSIDE[""]
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value.id if isinstance(function.value, ast.Name) else "*"
    return function.attr in _OUTSIDE["*"] | _OUTSIDE.get(owner, set())


def _unguarded(node: ast.AST, *, into_functions: bool = True) -> Iterator[ast.AST]:
    """Yield the nodes that run where the code is graded and whose failure counts.

    Left out are the block under ``if __name__ == "__main__":`` and an attempt that catches an ``ImportError``.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _names(child.test) & {"__name__", "TYPE_CHECKING"}:
            continue
        if not into_functions and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.Try) and any(_catches_all(handler) for handler in child.handlers):
            continue
        yield child
        yield from _unguarded(child, into_functions=into_functions)


def _catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or bool(_names(handler.type) & {"Exception", "ImportError", "ModuleNotFoundError"})


def _names(node: ast.AST) -> set[str]:
    parts = list(ast.walk(node))
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names | {part.attr for part in parts if isinstance(part, ast.Attribute)}


def _annotations(node: ast.AST) -> Iterator[ast.AST]:
    for field in ("annotation", "returns"):
        if (hint := getattr(node, field, None)) is not None:
            yield hint


def _defined(tree: ast.Module) -> set[str]:
    """Return the names that a module's top level defines or imports."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        else:
            names |= _names(node)
    return names
