"""A failed public test → what a student can use: what was asked, what came, and where.

The two sides of a failed comparison are computed once more in the frame of the test. Where that
does not give the failure again, no values are shown: they would not be the ones that failed.
"""

import ast
import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

from lab.values import Pair, Table, as_array, is_array, kind_of, pair, table

_MOST_VALUES = 4
_LONGEST_MESSAGE = 600


@dataclass(frozen=True)
class Place:
    """A line of a file, seen from the top of the repository."""

    file: str
    line: int
    function: str
    code: str


@dataclass(frozen=True)
class Explanation:
    """Why a test failed.

    ``missing`` names the exercise that is not written yet, where that is the reason. ``asks`` is the
    line of the test, ``where`` the student's own line, ``values`` what the names in it hold.
    """

    message: str
    missing: str | None = None
    asks: Place | None = None
    where: Place | None = None
    pair: Pair | None = None
    values: list[tuple[str, Table]] = field(default_factory=list)


def explain(error: BaseException, trace: TracebackType | None, root: Path, modules: frozenset[str]) -> Explanation:
    """Explain what a test raised.

    Args:
        error: the exception.
        trace: its traceback.
        root: the top of the repository.
        modules: the students' modules, as paths seen from there.
    """
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(root):
        file = Path(error.filename).relative_to(root).as_posix()
        return Explanation(_said(error), where=Place(file, error.lineno or 1, "", (error.text or "").strip()))
    frames = list(_frames(trace, root))
    asks = next((frame for frame in reversed(frames) if Path(frame.place.file).name.startswith("test_")), None)
    own = next((frame for frame in reversed(frames) if frame.place.file in modules), None)
    ask = asks.place if asks else None
    where = own.place if own else None
    if isinstance(error, NotImplementedError) and own is not None:
        return Explanation("not written yet", missing=str(error) or own.place.function, asks=ask, where=where)
    if isinstance(error, AssertionError) and own is None and asks is not None:
        return _assertion(error, asks)
    values = _tensors(own.frame) if own else []
    return Explanation(_said(error), asks=ask, where=where, values=values)


@dataclass(frozen=True)
class _Frame:
    frame: FrameType
    place: Place


def _frames(trace: TracebackType | None, root: Path) -> Iterator[_Frame]:
    """The frames of files in the repository, the outermost first."""
    while trace is not None:
        code = trace.tb_frame.f_code
        file = Path(code.co_filename)
        if file.is_relative_to(root) and file.suffix == ".py":
            line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            place = Place(file.relative_to(root).as_posix(), trace.tb_lineno, code.co_name, line)
            yield _Frame(trace.tb_frame, place)
        trace = trace.tb_next


def _said(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def _tensors(frame: FrameType) -> list[tuple[str, Table]]:
    """Names and shapes of the arrays that a function held when it broke off."""
    arrays = [(name, value) for name, value in frame.f_locals.items() if is_array(value)]
    return [(name, Table(kind_of(value), [])) for name, value in arrays[: 2 * _MOST_VALUES]]


def _assertion(error: AssertionError, asks: _Frame) -> Explanation:
    statement = _statement(asks)
    if isinstance(statement, ast.Assert):
        test = statement.test
        message = _evaluate(statement.msg, asks.frame) if statement.msg is not None else None
    elif isinstance(statement, ast.Expr):
        test = statement.value
        message = _keyword(test, asks.frame)
    else:
        return Explanation(_said(error), asks=asks.place)
    sides = _sides(test, asks.frame)
    values = [] if sides else _named(test, asks.frame)
    place = replace(asks.place, code=ast.unparse(test))  # without the words, which are the message
    return Explanation(str(message or "this should hold"), asks=place, pair=sides, values=values)


def _statement(asks: _Frame) -> ast.stmt | None:
    """The statement of the test that failed."""
    file, line = asks.frame.f_code.co_filename, asks.place.line
    tree = ast.parse("".join(linecache.getlines(file)))
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assert, ast.Expr)) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return around[-1] if around else None


def _keyword(call: ast.expr, frame: FrameType) -> Any:
    """The text that a call like ``assert_allclose(…, err_msg="…")`` was given."""
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return next((_evaluate(one.value, frame) for one in keywords if one.arg in ("err_msg", "msg")), None)


def _sides(test: ast.expr, frame: FrameType) -> Pair | None:
    """What was found and what was expected, where the test compares two values and still fails."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return next(filter(None, (_sides(part, frame) for part in test.values)), None)
    if isinstance(test, ast.Call) and len(test.args) >= 2:
        function, *arguments = (_evaluate(part, frame) for part in (test.func, *test.args))
        keywords = {one.arg: _evaluate(one.value, frame) for one in test.keywords if one.arg}
        comparable = all(as_array(side) is not None for side in arguments[:2])
        return pair(*arguments[:2]) if comparable and _fails(function, *arguments, **keywords) else None
    if isinstance(test, ast.Compare) and all(isinstance(one, ast.Eq) for one in test.ops):
        values = [_evaluate(part, frame) for part in (test.left, *test.comparators)]
        for found, expected in pairwise(values):
            if _fails(lambda one, other: bool(one == other), found, expected):
                return pair(found, expected)
    return None


def _fails(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> bool:
    """Whether the comparison fails again: ``assert_…`` by raising, others by what they return."""
    try:
        result = function(*arguments, **keywords)
    except AssertionError:
        return True
    except (TypeError, ValueError, RuntimeError):
        return True  # shapes or kinds that cannot be compared: that is the difference
    return result is not None and not result


def _named(test: ast.expr, frame: FrameType) -> list[tuple[str, Table]]:
    """The arrays and numbers that the assertion names, and its left side where it compares."""
    found: dict[str, Table] = {}
    wanted: list[ast.expr] = [test.left] if isinstance(test, ast.Compare) else []
    for node in (*wanted, *(node for node in ast.walk(test) if isinstance(node, ast.Name))):
        value = _evaluate(node, frame)
        if as_array(value) is not None:
            found.setdefault(ast.unparse(node), table(value))
    return list(found.items())[:_MOST_VALUES]


def _evaluate(node: ast.expr, frame: FrameType) -> Any:
    """The value of an expression of the test; None where it has none any more."""
    code: CodeType = compile(ast.Expression(node), "<test>", "eval")
    try:
        return eval(code, frame.f_globals, frame.f_locals)
    except Exception:  # whatever a student's function raises: there is then nothing to show
        return None
