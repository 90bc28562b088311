"""The public tests of an exercise: those whose names contain its name, or that ``exercises.yml`` selects."""

import ast
from collections.abc import Mapping

from autograder.course.lab import StageFolders
from autograder.course.python_source import parse_expression, parse_python
from autograder.release.errors import ReleaseError


def public_tests(stage: StageFolders) -> dict[str, tuple[str, ...]]:
    """Map each exercise to the names of its public tests, in the order of the file.

    A test may belong to two exercises, such as a test that one function inverts another.

    Raises:
        ReleaseError: an exercise selects no tests, or no exercise selects a test, so a student who works through the
            exercises would never run it.
    """
    return selected_tests(stage, {name: text.tests or name for name, text in stage.exercise_texts().items()})


def selected_tests(stage: StageFolders, selections: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Map each exercise to the names of the public tests that its selection selects; see ``public_tests``."""
    file = stage.folder / f"test_{stage.spec.module}.py"
    names = _test_functions(file.read_text(encoding="utf-8"))
    tests: dict[str, tuple[str, ...]] = {}
    for exercise, selection in selections.items():
        if stage.spec.exercises[exercise].attachments:
            tests[exercise] = ()  # students submit a file, so there is no function to call
            continue
        place = f"{stage.exercises_file}: `tests` of exercise `{exercise}`"
        tests[exercise] = tuple(name for name in names if _selects(selection, name, file.name, place))
        if not tests[exercise]:
            raise ReleaseError(f"{place} selects `{selection}`, which matches no test in {file.name}")
    for name in names:
        if not any(name in selected for selected in tests.values()):
            raise ReleaseError(f"{file}: no exercise in {stage.exercises_file.name} selects `{name}`; rename it")
    return tests


def _test_functions(source: str) -> list[str]:
    tree = parse_python(source)
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]


def _selects(selection: str, name: str, file: str, place: str) -> bool:
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
        raise ReleaseError(f"{place}: `{selection}` may contain only names, and, or, not and parentheses")

    try:
        return matches(parse_expression(selection))
    except SyntaxError:
        raise ReleaseError(f"{place}: `{selection}` is not a valid expression; write names, and, or, not") from None
