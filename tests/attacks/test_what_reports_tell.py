"""A failed check tells nothing about its inputs beyond words that are fixed before it runs.

Each submission reads a number in a hidden input and tries to write it into its report. Two courses draw different
inputs; their reports must be equal.
"""

import pytest
from tiny_lab import MODULE, STAGE, build_tiny_lab

from autograder.base.results import Outcome
from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.run import judge_stage

CHECK = "test_double_multiplies_by_two"

_NUMBER = """\
def number(x):
    return int(abs(float(x.flatten()[0])) * 1e6) % 1000 + 1
"""


_LATER = "    return tell(x) if len(calls) > 3 else 2 * x\n"


def _doubling(text: str) -> str:
    """A module that is right about the first inputs, which are the same for every course."""
    return f"{_NUMBER}{text}\n\ncalls = []\ndef double(x):\n    calls.append(x)\n{_LATER}"


_PADDING = "\n# a comment" * 1100
_STATEMENTS = "".join(f"    if n == {n}: raise ValueError\n" for n in range(1001))
_WORDS = " ".join(f"w{n}" for n in range(1001))

ATTACKS = {
    "a changed first line": f"""
def tell(x):
    def double(): raise ValueError
    double.__code__ = double.__code__.replace(co_firstlineno=number(x))
    double()
{_PADDING}""",
    "a changed first line of a lambda": f"""
def tell(x):
    f = lambda: 1 / 0
    f.__code__ = f.__code__.replace(co_firstlineno=number(x))
    f()
{_PADDING}""",
    "text compiled as this file": f"""
def tell(x):
    exec(compile("\\n" * number(x) + "raise ValueError", __file__, "exec"))
{_PADDING}""",
    "a function of this file compiled again": f"""
def tell(x):
    space = {{}}
    exec(compile("\\n" * number(x) + "def double(): raise ValueError", __file__, "exec"), space)
    space["double"]()
{_PADDING}""",
    "a tree with other lines": f"""
import ast
def tell(x):
    tree = ast.increment_lineno(ast.parse("raise ValueError"), number(x))
    exec(compile(tree, __file__, "exec"))
{_PADDING}""",
    "a made syntax error": f"""
def tell(x):
    raise SyntaxError("x", (__file__, number(x), 1, ""))
{_PADDING}""",
    "thousands of statements": f"\ndef tell(x):\n    n = number(x)\n{_STATEMENTS}",
    "a name in a long line": f"""
def tell(x):
    raise NameError(f"name 'w{{number(x)}}' is not defined")  # {_WORDS}
""",
    "an attribute in a long line": f"""
def tell(x):
    raise AttributeError(f"'Tensor' object has no attribute 'w{{number(x)}}'")  # {_WORDS}
""",
    "a module among many imports": f"""
def tell(x):
    if number(x) == 0:
        import {_WORDS.replace(" ", ", ")}
    raise ImportError(f"No module named 'w{{number(x)}}'")
""",
    "the name of a function": """
def tell(x):
    def f(): raise ValueError
    f.__code__ = f.__code__.replace(co_name=f"f{number(x)}")
    f()
""",
    "the name of an error": """
def tell(x):
    raise type(f"E{number(x)}", (Exception,), {})
""",
    "the text of an error": """
def tell(x):
    raise ValueError(number(x))
""",
    "the type of a result": """
def tell(x):
    return type(f"T{number(x)}", (), {})()
""",
    "text that is printed": """
def tell(x):
    print(number(x))
""",
    "a warning": """
import warnings
def tell(x):
    warnings.simplefilter("error")
    warnings.warn(str(number(x)))
""",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = build_tiny_lab(tmp_path_factory.mktemp("tell") / "lab")
    (lab.stage(STAGE).folder / "mistakes.py").write_text("MISTAKES = {}\n", encoding="utf-8")
    return lab


@pytest.fixture(scope="module")
def code(lab: Lab) -> CourseCode:
    return read_course_code(lab, lab.stage(STAGE))


def report(lab: Lab, code: CourseCode, source: str, seed: int) -> tuple[Outcome, str, str, str]:
    """What a report says about the check ``CHECK``."""
    only = frozenset({CHECK})
    (check,) = judge_stage(lab.stage(STAGE), {MODULE: source}, InProcessSession, code, seed, only=only)
    return check.outcome, check.what, check.where, check.hint


@pytest.mark.parametrize("name", ATTACKS)
def test_a_report_does_not_depend_on_the_inputs(lab, code, name):
    first, second = (report(lab, code, _doubling(ATTACKS[name]), seed) for seed in (1, 2))
    assert first[0] is not Outcome.PASSED
    assert first == second


def test_an_honest_error_has_its_line(lab, code):
    _, what, where, _ = report(lab, code, _doubling("\ndef tell(x):\n    y = x + 1\n    return y.nonsense\n"), seed=1)
    assert what == "your code raised AttributeError: there is no attribute `nonsense`"
    assert where == "tiny.py, line 6, tell"
