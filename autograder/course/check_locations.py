"""Locations of the hidden tests of checks: for instructors only, never in a text that students read."""

import ast
from collections.abc import Iterator
from pathlib import Path

from autograder.course.lab import Lab
from autograder.course.python_source import parse_python


def check_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield the functions of a hidden test module that are checks, in the order of the file."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def check_locations(lab: Lab) -> dict[tuple[str, str], str]:
    """Return the file and line of each hidden test of the lab, by stage and check id.

    A location reads ``tests/hidden/1_kernels/test_kernel_profiles.py:24``, relative to the lab's root.
    A file that cannot be parsed is left out: judging reports it.
    """
    return {
        (stage.id, function.name): f"{path.relative_to(lab.root).as_posix()}:{function.lineno}"
        for stage in lab.stages()
        for path in sorted(stage.hidden_tests.glob("test_*.py"))
        for function in check_functions(parsed(path))
    }


def parsed(path: Path) -> ast.Module:
    """Parse a hidden test module; one that cannot be parsed is empty, because judging reports it."""
    try:
        return parse_python(path.read_bytes())
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])
