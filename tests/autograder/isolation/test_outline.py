"""The outline of a module: definitions, lines with code and imports, read from its text alone."""

import pytest

from autograder.isolation.outline import MOST_CODE_LINES, MOST_IMPORTED_NAMES, Outline, Parameters, outline

SOURCE = """\
import a.b
from c import d as e

def f(x):
    '''Text that never runs.'''
    # a comment
    if x:
        return [
            1,
        ]
    elif g(x):
        raise ValueError
    try:
        h()
    except (KeyError, k()):
        pass

@decorated(
    1)
class A:
    y = 1
    async def g(self): return 1
"""


def test_the_outline_of_a_module():
    read = outline(SOURCE)
    assert read.definitions == {"f": 4, "A": 20, "A.g": 22}
    assert read.parameters == {"f": Parameters(("x",), ("x",), False), "A.g": Parameters(("self",), ("self",), False)}
    assert set(read.imports) == {("a", "a.b", "b"), ("c", "d")}
    assert sorted(read.statements) == [
        (1, 1, "<module>"),
        (2, 2, "<module>"),
        (4, 4, "<module>"),
        (4, 4, "f"),
        (7, 7, "f"),
        (8, 10, "f"),
        (11, 11, "f"),
        (12, 12, "f"),
        (13, 13, "f"),
        (14, 14, "f"),
        (15, 15, "f"),
        (16, 16, "f"),
        (18, 20, "<module>"),
        (20, 20, "A"),
        (21, 21, "A"),
        (22, 22, "A"),
        (22, 22, "g"),
        (22, 22, "g"),
    ]


def test_the_parameters_of_a_function():
    read = outline("def f(a, /, b, c=1, *, d, e=None): ...\ndef g(*args, x): ...\ndef h(**kwargs): ...\n")
    assert read.parameters == {
        "f": Parameters(("a", "b", "c", "d", "e"), ("a", "b", "d"), False),
        "g": Parameters(("x",), ("x",), True),
        "h": Parameters((), (), True),
    }


@pytest.mark.parametrize("source", ["x = 1\ny = (\n", "x = 1\nreturn\n", "x = 1\ndef f(a, a): pass\n"])
def test_a_syntax_error_has_its_line(source):
    assert outline(source) == Outline(syntax_error=2)


@pytest.mark.parametrize("source", ["x = " + "(" * 5000, "x = " + "-" * 100_000 + "1", "x\0", " " * 600_000])
def test_a_text_that_cannot_be_read_has_an_empty_outline(source):
    assert outline(source).statements == ()


def test_a_file_too_large_to_keep_a_line_secret_has_no_lines():
    lines = "def f(x):\n" + "    x += 1\n" * (MOST_CODE_LINES - 2)
    assert len(outline(lines).statements) == MOST_CODE_LINES
    assert outline(lines + "    x += 1\n").statements == ()
    assert outline(lines + "    x += 1\n").definitions == {"f": 1}
    names = ", ".join(f"a{number}" for number in range(MOST_IMPORTED_NAMES))
    assert outline(f"import {names}").imports
    assert outline(f"import {names}, b").imports == ()
