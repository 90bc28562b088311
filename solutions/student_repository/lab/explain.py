"""Turns a failed public test into an explanation: what the test checked, the values, and the student's line.

Both sides of a failed comparison are evaluated again in the frame of the test. If the comparison then holds, no
values are shown: they would not be the values that failed. Values that cannot be shown never hide the words of the
assertion and its line.
"""

import ast
import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeVar

from lab.code import describe_syntax
from lab.values import ValuePair, ValueTable, as_array, is_array, kind_of, make_pair, make_table

LIBRARIES = ("numpy", "torch")
_T = TypeVar("_T")
_MOST_VALUES = 4
_LONGEST_MESSAGE = 600


@dataclass(frozen=True)
class Location:
    """A line of a file; ``file`` is relative to the root of the repository."""

    file: str
    line: int
    function: str
    code: str


@dataclass(frozen=True)
class Explanation:
    """Why a test failed.

    Attributes:
        message: the reason, in words.
        missing: the exercise that is not written yet, if that is the reason.
        test_line: the line of the test.
        student_line: the student's own line.
        pair: both sides of the comparison that failed.
        values: arrays in the student's function, or names and values of the test.
    """

    message: str
    missing: str | None = None
    test_line: Location | None = None
    student_line: Location | None = None
    pair: ValuePair | None = None
    values: list[tuple[str, ValueTable]] = field(default_factory=list)


def explain(error: BaseException, trace: TracebackType | None, root: Path, modules: frozenset[str]) -> Explanation:
    """Explain the exception of a failed test.

    Args:
        error: the exception.
        trace: its traceback.
        root: the root of the repository.
        modules: paths of the students' modules, relative to the root.
    """
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(root):
        file = Path(error.filename).relative_to(root).as_posix()
        location = Location(file, error.lineno or 1, "", (error.text or "").strip())
        return Explanation(f"{type(error).__name__}: {describe_syntax(error)}", student_line=location)
    frames = list(_frames(trace, root))
    in_test = next((frame for frame in reversed(frames) if Path(frame.location.file).name.startswith("test_")), None)
    in_module = next((frame for frame in reversed(frames) if frame.location.file in modules), None)
    test_line = in_test.location if in_test else None
    student_line = in_module.location if in_module else None
    if isinstance(error, NotImplementedError) and in_module is not None:
        missing = str(error) or in_module.location.function
        return Explanation("not written yet", missing=missing, test_line=test_line, student_line=student_line)
    if isinstance(error, AssertionError) and in_module is None and in_test is not None:
        return _explain_assertion(error, in_test)
    values = _attempt(_arrays, in_module.frame) if in_module else None
    return Explanation(_describe(error), test_line=test_line, student_line=student_line, values=values or [])


@dataclass(frozen=True)
class _LocatedFrame:
    frame: FrameType
    location: Location


def _frames(trace: TracebackType | None, root: Path) -> Iterator[_LocatedFrame]:
    """Yield the frames of files in the repository, the outermost first."""
    while trace is not None:
        code = trace.tb_frame.f_code
        file = Path(code.co_filename)
        if file.is_relative_to(root) and file.suffix == ".py":
            line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            location = Location(file.relative_to(root).as_posix(), trace.tb_lineno, code.co_name, line)
            yield _LocatedFrame(trace.tb_frame, location)
        trace = trace.tb_next


def _describe(error: BaseException) -> str:
    """Return the exception in words."""
    reason = _attempt(str, error)  # an exception of the student's may raise another
    text = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name in LIBRARIES:
        text += f" ({error.name} is not installed in this Python: run `lab doctor`)"
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def _attempt(function: Callable[..., _T], *arguments: Any) -> _T | None:
    """Return the function's result; None if it raises, because a student's object may raise anything."""
    try:
        return function(*arguments)
    except Exception:
        return None


def _arrays(frame: FrameType) -> list[tuple[str, ValueTable]]:
    """Return names and shapes of the arrays in a function at the moment of the exception."""
    arrays = [(name, value) for name, value in frame.f_locals.items() if is_array(value)]
    return [(name, ValueTable(kind_of(value), [])) for name, value in arrays[: 2 * _MOST_VALUES]]


def _explain_assertion(error: AssertionError, in_test: _LocatedFrame) -> Explanation:
    statement = _statement(in_test)
    if isinstance(statement, ast.Assert):
        test = statement.test
        message = _evaluate(statement.msg, in_test.frame) if statement.msg is not None else None
    elif isinstance(statement, ast.Expr):
        test = statement.value
        message = _message_argument(test, in_test.frame)
    else:
        return Explanation(_describe(error), test_line=in_test.location)
    sides = _attempt(_sides, test, in_test.frame)
    values = None if sides else _attempt(_named_values, test, in_test.frame)
    location = replace(in_test.location, code=ast.unparse(test))  # without the text, which becomes the message
    words = _attempt(str, message) if message is not None else ""
    return Explanation(words or "this should hold", test_line=location, pair=sides, values=values or [])


def _statement(in_test: _LocatedFrame) -> ast.stmt | None:
    """Return the statement of the test that failed."""
    file, line = in_test.frame.f_code.co_filename, in_test.location.line
    tree = ast.parse("".join(linecache.getlines(file)))
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assert, ast.Expr)) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return around[-1] if around else None


def _message_argument(call: ast.expr, frame: FrameType) -> Any:
    """Return the text passed to a call such as ``assert_allclose(…, err_msg="…")``."""
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return next((_evaluate(keyword.value, frame) for keyword in keywords if keyword.arg in ("err_msg", "msg")), None)


def _sides(test: ast.expr, frame: FrameType) -> ValuePair | None:
    """Return the found and the expected value if the test compares two values and still fails."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return next(filter(None, (_sides(part, frame) for part in test.values)), None)
    if isinstance(test, ast.Call) and len(test.args) >= 2:
        function, *arguments = (_evaluate(part, frame) for part in (test.func, *test.args))
        keywords = {keyword.arg: _evaluate(keyword.value, frame) for keyword in test.keywords if keyword.arg}
        comparable = all(as_array(side) is not None for side in arguments[:2])
        return make_pair(*arguments[:2]) if comparable and _fails(function, *arguments, **keywords) else None
    if isinstance(test, ast.Compare) and all(isinstance(operator, ast.Eq) for operator in test.ops):
        values = [_evaluate(part, frame) for part in (test.left, *test.comparators)]
        for found, expected in pairwise(values):
            if _fails(lambda left, right: bool(left == right), found, expected):
                return make_pair(found, expected)
    return None


def _fails(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> bool:
    """Whether the comparison fails again: ``assert_…`` raises, other functions return a false value."""
    try:
        result = function(*arguments, **keywords)
        return result is not None and not result
    except Exception:
        return True  # `assert_…` failed, or the shapes, types or devices cannot be compared: they differ


def _named_values(test: ast.expr, frame: FrameType) -> list[tuple[str, ValueTable]]:
    """Return the arrays and numbers that the assertion names, and the left side of a comparison."""
    found: dict[str, ValueTable] = {}
    wanted: list[ast.expr] = [test.left] if isinstance(test, ast.Compare) else []
    for node in (*wanted, *(node for node in ast.walk(test) if isinstance(node, ast.Name))):
        value = _evaluate(node, frame)
        if as_array(value) is not None:
            found.setdefault(ast.unparse(node), make_table(value))
    return list(found.items())[:_MOST_VALUES]


def _evaluate(node: ast.expr, frame: FrameType) -> Any:
    """Return the value of an expression of the test; None if it can no longer be evaluated."""
    code: CodeType = compile(ast.Expression(node), "<test>", "eval")
    try:
        return eval(code, frame.f_globals, frame.f_locals)
    except Exception:  # a student's function may raise anything; then there is nothing to show
        return None
