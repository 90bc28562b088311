"""A submission's own helpers of earlier modules, where the course's exercises stand in."""

import pytest

from autograder.isolation.borrowing import with_helpers
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.wire import Reference

COURSE = "def softmax(x):\n    return 'course'\n\nclass Attention:\n    name = 'course'\n"
OWN = '''\
"""Mine."""
SCALE = 2

@staticmethod
def softmax(x):
    return 'mine'

class Attention(
    object
):
    name = 'mine'

def helper(x):
    return softmax(x), Attention.name, SCALE
'''
EXERCISES = {"attention": ("softmax", "Attention")}


def chosen(main: str, own: str = OWN) -> dict[str, str]:
    return with_helpers({"blocks": main, "attention": COURSE}, {"attention": own}, EXERCISES)


def called(modules: dict[str, str], function: str, *args: object) -> object:
    """The result of a function of the main module."""
    session = InProcessSession()
    session.request("load", modules=modules, main="blocks")
    value, _, _ = session.request("call", target=Reference(function), args=args, kwargs={}, grad=False)
    return value


IMPORTS = {
    "from": "from attention import helper",
    "under another name": "from attention import softmax, helper as mine\nhelper = mine",
    "in a function": "def helper(x):\n    from attention import helper\n    return helper(x)",
    "as an attribute": "import attention\ndef helper(x):\n    return attention.helper(x)",
    "as an attribute of an alias": "import attention as a\ndef helper(x):\n    return a.helper(x)",
    "with a star": "from attention import *\ntwice = [helper, helper]",
}


@pytest.mark.parametrize("imports", IMPORTS.values(), ids=IMPORTS)
def test_a_helper_is_the_submissions_and_calls_the_courses_exercises(imports):
    assert called(chosen(imports), "helper", "x") == ("course", "course", 2)


@pytest.mark.parametrize(
    "main",
    [
        "from attention import softmax, Attention",
        "import attention\nf = attention.softmax",
        "from attention import *\ndef f(x):\n    return softmax(x)",
        "def helper(x):\n    return x",
        "from other import helper",
        "import attention\nimport math\nf = math.helper",
        "from . import helper",
        "def f(x:",
        "x = " + "(" * 400,
    ],
)
def test_without_a_helper_nothing_changes(main):
    assert chosen(main) == {"blocks": main, "attention": COURSE}


def test_a_helper_that_is_not_there_changes_nothing():
    assert chosen("from attention import missing")["attention"] == COURSE
    assert chosen("from attention import helper", own="def helper(x:")["attention"] == COURSE


def test_the_lines_stay_where_they_are():
    lines = chosen("from attention import helper")["attention"].split("\n")
    assert [lines.index(line) for line in ("SCALE = 2", "def helper(x):")] == [1, 12]
    assert "mine" not in "".join(lines)


def test_a_helper_may_come_from_a_module_in_between():
    between = "from kernels import width\n\ndef spread():\n    return width()\n"
    modules = {"blocks": "from attention import spread", "attention": COURSE, "kernels": "def gaussian(): ..."}
    own = {"attention": between, "kernels": "def gaussian(): ...\n\nwidth = lambda: 7\n"}
    assert called(with_helpers(modules, own, {**EXERCISES, "kernels": ("gaussian",)}), "spread") == 7


def test_the_courses_module_gets_a_name_that_is_free():
    modules = {"blocks": "from attention import helper", "attention": COURSE, "attention_of_the_course": "x = 1"}
    assert with_helpers(modules, {"attention": OWN}, EXERCISES)["attention_of_the_course"] == "x = 1"
