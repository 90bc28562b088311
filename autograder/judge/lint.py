"""Rules for hidden tests: no comparison by hand, no check without assertion, no hidden error, no leaked value.

Titles and hints have rules too, because students read them.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from autograder.course.check_locations import check_functions
from autograder.course.lab import StageFolders
from autograder.course.python_source import parse_python
from autograder.judge.hidden_tests import collect_checks
from autograder.judge.plugin import CheckRecord

# Each of these accepts some wrong results: empty tensors, broadcasting, NaN, an object of the
# student's own whose `==` is always true. `autograder.judge.compare` is the only safe comparison.
_COMPARISONS = frozenset({"all", "allclose", "any", "approx", "array_equal", "array_equiv", "equal", "isclose"})
_TESTING_MODULES = ("numpy.testing", "torch.testing", "unittest")
# The parts of pytest that hidden tests may use: nothing that skips, expects failure or catches errors.
_PYTEST = frozenset({"fixture", "mark", "mark.parametrize", "param"})
# Hypothesis goes on to the next example: a student's result could cause every hard example to be rejected.
_REJECTIONS = frozenset({"assume", "reject"})
_LONGEST_TITLE = 90

Problem = tuple[int, str]


def lint_hidden_tests(stage: StageFolders) -> Iterator[str]:
    """Yield one line for each violation of the rules in the stage's hidden tests."""
    for path in sorted(stage.hidden_tests.glob("*.py")):
        for line, problem in sorted(_file_problems(path)):
            yield f"{path.name}:{line}: {problem}"
    records = collect_checks(stage)
    listed = set(stage.spec.check_ids)
    for check in sorted(listed - records.keys()):
        yield f"grading.yml lists {check}, but no hidden test has that name"
    for check in sorted(records.keys() - listed):
        yield f"hidden test {check} has no points in grading.yml"
    for check, record in records.items():
        yield from (f"{check}: {problem}" for problem in _wording_problems(record))
    yield from _title_problems(stage, {check: record.title for check, record in records.items() if record.hint})


def _file_problems(path: Path) -> Iterator[Problem]:
    tree = parse_python(path.read_text(encoding="utf-8"))
    yield from _says_problems(tree)
    if not path.name.startswith("test_"):
        return  # a helper may compute an oracle in any way
    yield from _test_problems(tree)
    for node in ast.walk(tree):
        yield from _node_problems(node)


def _test_problems(tree: ast.Module) -> Iterator[Problem]:
    """Yield the problems of the test functions as a whole."""
    names = Counter(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.AsyncFunctionDef)) and node.name.lower().startswith("test"):
            yield node.lineno, f"`{node.name}`: a hidden test must be a plain function"
    for node in check_functions(tree):
        if names[node.name] > 1:
            yield node.lineno, f"`{node.name}` is defined {names[node.name]} times; only the last would run"
        called = {_last_name(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
        if not any(name.startswith("check_") for name in called):
            yield node.lineno, f"`{node.name}` calls no check_… helper, so it asserts nothing"


def _node_problems(node: ast.AST) -> Iterator[Problem]:
    match node:
        case ast.Assert():
            yield node.lineno, "a bare assert compares by hand: use the check_… helpers"
        case ast.Try():
            yield node.lineno, "`try` can hide the submission's errors: use check_raises"
        case ast.Import(names=names):
            yield from ((node.lineno, _import_problem(alias.name)) for alias in names if _import_problem(alias.name))
        case ast.ImportFrom(module=str(module), names=names):
            for name in (module, *(f"{module}.{alias.name}" for alias in names)):
                if problem := _import_problem(name):
                    yield node.lineno, problem
                    break
        case ast.Attribute() if (path := _dotted(node)).startswith("pytest."):
            if path.removeprefix("pytest.") not in _PYTEST:
                yield (
                    node.lineno,
                    f"`{path}` is not allowed in a hidden test: every check must run, and only check_… may fail it",
                )
        case ast.FunctionDef():
            yield from _rejection_problems(node)
        case ast.Call(func=function):
            yield from _call_problems(node, _last_name(function))


def _call_problems(call: ast.Call, name: str) -> Iterator[Problem]:
    if name in _COMPARISONS or (name.startswith("assert") and len(name) > 6):
        yield call.lineno, f"`{name}(…)` compares by hand: use the check_… helpers"
    elif name == "check_that":
        for node in ast.walk(call.args[0] if call.args else call):
            if isinstance(node, ast.Compare) and _compares_by_hand(node):
                yield node.lineno, "`==` in check_that compares by hand: use check_equal or check_close"
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                yield node.lineno, "`not` in check_that is true for NaN: state the condition that must hold"


def _rejection_problems(function: ast.FunctionDef) -> Iterator[Problem]:
    students = [node.lineno for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == "student"]
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and (name := _last_name(node.func)) in _REJECTIONS:
            if students and node.lineno >= min(students):
                yield (
                    node.lineno,
                    f"`{name}(…)` after a call of the student's code: a result could cause the example to be skipped",
                )


def _compares_by_hand(node: ast.Compare) -> bool:
    """Whether ``==`` may compare a tensor; lengths, types and shapes are not tensors."""
    sides = [node.left, *node.comparators]
    harmless = any(
        (isinstance(side, ast.Call) and _last_name(side.func) in ("len", "type"))
        or (isinstance(side, ast.Attribute) and side.attr in ("shape", "ndim", "dtype", "device"))
        for side in sides
    )
    return not harmless and any(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops)


def _import_problem(name: str) -> str:
    if any(name == module or name.startswith(f"{module}.") for module in _TESTING_MODULES):
        return f"`{name}` has its own comparisons: use the check_… helpers"
    if name.startswith("pytest."):
        return "import pytest itself, so that each use names it"
    return ""


def _says_problems(tree: ast.Module) -> Iterator[Problem]:
    """Yield sentences for students that are not literal: any other expression could carry a hidden value."""
    literals = _literal_names(tree)
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        said = [keyword.value for keyword in call.keywords if keyword.arg == "says"]
        if _last_name(call.func) in ("check_that", "CheckFailure"):
            said += call.args[1:2]
        for value in said:
            if not _is_literal(value, literals):
                yield value.lineno, "`says` must be a literal sentence: anything else could show a hidden value"


def _literal_names(tree: ast.Module) -> set[str]:
    """Names that are bound only to literal sentences, including ``says`` as a helper's parameter."""
    bound: dict[str, list[ast.expr | None]] = {"says": []}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    for name in ast.walk(target):
                        if isinstance(name, ast.Name):
                            bound.setdefault(name.id, []).append(value if name is target else None)
            case ast.Name(id=name, ctx=ast.Store()):
                bound.setdefault(name, [])
            case ast.arg(arg=name) if name != "says":
                bound.setdefault(name, []).append(None)
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    stores = Counter(name.id for name in names if isinstance(name.ctx, ast.Store))
    return {
        name
        for name, values in bound.items()
        if len(values) == stores[name] and all(value is not None and _is_literal(value, set()) for value in values)
    }


def _is_literal(value: ast.expr, names: set[str]) -> bool:
    match value:
        case ast.Constant(value=str() | None):
            return True
        case ast.Name(id=name):
            return name in names
        case ast.IfExp(body=body, orelse=orelse):
            return _is_literal(body, names) and _is_literal(orelse, names)
    return False


def _wording_problems(record: CheckRecord) -> Iterator[str]:
    if not record.title or not record.hint:
        yield "the docstring needs a title line and a paragraph that begins `Hint:`"
    if len(record.title) > _LONGEST_TITLE:
        yield f"the title has {len(record.title)} characters; at most {_LONGEST_TITLE} fit a line of the report"


def _title_problems(stage: StageFolders, titles: Mapping[str, str]) -> Iterator[str]:
    """Yield titles that do not begin with the name of their exercise, and titles that two checks share.

    Args:
        stage: the stage.
        titles: check → title, for the checks that have a title and a hint.
    """
    for check in stage.spec.checks:
        if check.id in titles and not titles[check.id].startswith(f"{check.exercise}: "):
            yield f"{check.id}: the title must begin with the name of its exercise and a colon: `{check.exercise}: …`"
    first: dict[str, str] = {}
    for check_id, title in titles.items():
        if first.setdefault(title, check_id) != check_id:
            yield f"{check_id}: {first[title]} has the same title; a title must be unique in its stage"


def _last_name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{_dotted(value)}.{name}"
    return "?"
