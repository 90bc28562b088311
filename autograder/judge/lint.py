"""What hidden tests may not do: compare by hand, assert nothing, or go without title and hint."""

import ast
from collections.abc import Iterator

from autograder.judge.hidden_tests import collect_checks
from autograder.lab import StageFolders

# Each of these lets wrong results through: empty tensors, broadcasting, NaN, an object of the
# student's own whose `==` is always true. `autograder.judge.compare` is the one comparison.
_FORBIDDEN_CALLS = frozenset({"allclose", "isclose", "all", "any", "equal", "array_equal", "assert_allclose", "assert_close"})


def lint_hidden_tests(stage: StageFolders) -> Iterator[str]:
    """Every breach of the rules in the stage's hidden tests, as one line each."""
    for path in sorted(stage.hidden_tests.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.name.startswith("test_"):
            yield from (f"{path.name}:{line}: {problem}" for line, problem in _comparisons(tree))
    records = collect_checks(stage)
    for check in sorted(stage.stage.checks.keys() - records.keys()):
        yield f"grading.yml lists {check}, but no hidden test has that name"
    for check in sorted(records.keys() - stage.stage.checks.keys()):
        yield f"hidden test {check} has no points in grading.yml"
    for check, record in records.items():
        if not record.title or not record.hint:
            yield f"{check}: the docstring needs a title line and a paragraph that begins `Hint:`"


def _comparisons(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FORBIDDEN_CALLS:
            yield node.lineno, f"`.{node.func.attr}(…)` compares by hand: use the check_… helpers"
        elif isinstance(node, ast.Assert):
            yield node.lineno, "a bare assert compares by hand: use the check_… helpers"
        elif isinstance(node, ast.keyword) and node.arg == "says" and isinstance(node.value, ast.JoinedStr):
            yield node.value.lineno, "`says` must be a literal: an f-string could show hidden values"
