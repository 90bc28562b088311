"""The public tests of an exercise: the tests that its cell in the lab sheet runs."""

import ast
import shlex

from autograder.course.lab import StageFolders
from autograder.course.python_source import parse_expression, parse_python
from autograder.release.errors import ReleaseError
from autograder.release.sheets import exercise_cells


def public_tests(stage: StageFolders) -> dict[str, tuple[str, ...]]:
    """Map each exercise to the names of its public tests, in the order of the file.

    A test may belong to two exercises, such as a test that one function inverts another.

    Raises:
        ReleaseError: a cell selects no tests, or no cell selects a test, so a student who works through the
            exercises would never run it.
    """
    file = stage.folder / f"test_{stage.spec.module}.py"
    names = _test_functions(file.read_text(encoding="utf-8"))
    tests: dict[str, tuple[str, ...]] = {}
    for exercise, source in exercise_cells(stage).items():
        cell = f"{stage.sheet}: the cell of exercise `{exercise}`"
        selection = _selection(source)
        if selection is None:
            if stage.spec.exercises[exercise].attachments:
                tests[exercise] = ()  # students submit a file, so there is no function to call
                continue
            fix = f"make it run `!python -m pytest -q {file.name} -k NAME`"
            raise ReleaseError(f"{cell} selects no public tests; {fix}")
        tests[exercise] = tuple(name for name in names if _selects(selection, name, file.name, cell))
        if not tests[exercise]:
            raise ReleaseError(f"{cell} selects `{selection}`, which matches no test in {file.name}")
    for name in names:
        if not any(name in selected for selected in tests.values()):
            raise ReleaseError(f"{file}: no exercise's cell in {stage.sheet.name} runs `{name}`; rename it")
    return tests


def _test_functions(source: str) -> list[str]:
    tree = parse_python(source)
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]


def _selection(source: str) -> str | None:
    """Read the argument of ``-k`` in a cell that runs pytest; None if there is none."""
    for line in source.splitlines():
        words = shlex.split(line, comments=True) if "pytest" in line else []
        if "-k" in words[:-1]:
            return words[words.index("-k") + 1]
    return None


def _selects(selection: str, name: str, file: str, cell: str) -> bool:
    """Whether ``-k`` selects a test, as pytest decides: each word is part of the test's or the file's name."""

    def matches(node: ast.expr) -> bool:
        match node:
            case ast.Name(id=word):
                return word.lower() in name.lower() or word.lower() in file.lower()
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not matches(operand)
            case ast.BoolOp(op=ast.And(), values=values):
                return all(map(matches, values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return any(map(matches, values))
        raise ReleaseError(f"{cell}: `-k {selection}` may contain only names, and, or, not and parentheses")

    try:
        return matches(parse_expression(selection))
    except SyntaxError:
        raise ReleaseError(f"{cell}: `-k {selection}` is not a valid expression; write names, and, or, not") from None
