"""Threads that parse at the same time do not disturb each other."""

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import autograder
from autograder.course.python_source import parse_expression, parse_python

SOURCE = "def f(x):\n    return [(x + 1) * (y - 2) for y in range(3)]\n" * 200


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Threads that change in the middle of a syntax tree, because Python code runs at each collection of garbage."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()

    def call_back(*_: object) -> None:
        sum(range(200))

    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    gc.callbacks.append(call_back)
    yield
    gc.callbacks.remove(call_back)
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


def test_several_threads_parse(busy_threads):
    with ThreadPoolExecutor(4) as pool:
        modules = [pool.submit(parse_python, SOURCE) for _ in range(20)]
        expressions = [pool.submit(parse_expression, "[" + "a + b, " * 200 + "]") for _ in range(20)]
        assert all(len(module.result().body) == 200 for module in modules)
        assert all(len(expression.result().elts) == 200 for expression in expressions)


def test_nothing_else_parses_beside_threads():
    """Workers and the process that reads hand-ins have one thread."""
    package = Path(autograder.__file__).parent
    parsing = [path for path in package.rglob("*.py") if "ast.parse(" in path.read_text(encoding="utf-8")]
    rooms = {path.relative_to(package).parts[0] for path in parsing if path.name != "python_source.py"}
    assert rooms <= {"isolation", "intake"}
