"""Which public tests belong to an exercise: those that the exercise's cell in the lab sheet runs."""

import ast
import shlex

from autograder.course.lab import StageFolders
from autograder.release.errors import ReleaseError
from autograder.release.sheets import exercise_cells


def public_tests(stage: StageFolders) -> dict[str, tuple[str, ...]]:
    """Exercise → names of its public tests, in the order of the file.

    A test may belong to two exercises, as one does that undoes the one with the other.

    Raises:
        ReleaseError: a cell that selects no tests, or a test that no cell selects: a student who works
            through the exercises would never meet it.
    """
    file = stage.folder / f"test_{stage.spec.module}.py"
    names = _test_functions(file.read_text(encoding="utf-8"))
    found: dict[str, tuple[str, ...]] = {}
    for exercise, source in exercise_cells(stage).items():
        place = f"{stage.sheet}: the cell of exercise `{exercise}`"
        selection = _selection(source)
        if selection is None:
            if stage.spec.exercises[exercise].attachments:
                found[exercise] = ()  # what is handed in is a file: there is nothing to call
                continue
            fix = f"let it run `!python -m pytest -q {file.name} -k NAME`"
            raise ReleaseError(f"{place} selects no public tests; {fix}")
        found[exercise] = tuple(name for name in names if _selects(selection, name, file.name, place))
        if not found[exercise]:
            raise ReleaseError(f"{place} selects `{selection}`, and no test in {file.name} has such a name")
    for name in names:
        if not any(name in tests for tests in found.values()):
            raise ReleaseError(f"{file}: `{name}` is run by no exercise's cell in {stage.sheet.name}; rename it")
    return found


def _test_functions(source: str) -> list[str]:
    tree = ast.parse(source)
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]


def _selection(source: str) -> str | None:
    """What stands after ``-k`` in a cell that calls pytest."""
    for line in source.splitlines():
        words = shlex.split(line, comments=True) if "pytest" in line else []
        if "-k" in words[:-1]:
            return words[words.index("-k") + 1]
    return None


def _selects(selection: str, name: str, file: str, place: str) -> bool:
    """Whether pytest would run a test under ``-k``: each word is part of the name of test or file."""

    def holds(node: ast.expr) -> bool:
        match node:
            case ast.Name(id=word):
                return word.lower() in name.lower() or word.lower() in file.lower()
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not holds(operand)
            case ast.BoolOp(op=ast.And(), values=values):
                return all(map(holds, values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return any(map(holds, values))
        raise ReleaseError(f"{place}: `-k {selection}` may consist of names, and, or, not and brackets")

    try:
        return holds(ast.parse(selection, mode="eval").body)
    except SyntaxError:
        raise ReleaseError(f"{place}: `-k {selection}` cannot be read; write names, and, or, not") from None
