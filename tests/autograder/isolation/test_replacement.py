"""A submission runs with the course's definition in place of its own, wherever the module uses the name."""

import pytest

from autograder.isolation.errors import SubmissionError
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.wire import Reference

COURSE = """\
def double(x):
    return 2 * x


class Layer:
    factor = 10

    def grow(self, x):
        return self.factor * x
"""
OWN = "def double(x):\n    return x + 1\n\n\n"
OWN_LAYER = "class Layer:\n    factor = 1\n\n\n"
USE = "def use(x):\n    return double(x)\n"


def call(source: str, function: str, *args, replace: tuple[str, ...] = ("double", "Layer"), **load):
    session = InProcessSession()
    try:
        session.request("load", modules={"tiny": source}, main="tiny", replace=replace, replacement=COURSE, **load)
        return session.request("call", target=Reference(function), args=args, kwargs={}, grad=False)[0]
    finally:
        session.kill()


@pytest.mark.parametrize(
    "use",
    [
        f"{USE}\n\n{OWN}",
        f"{OWN}def use(x, by=double):\n    return by(x)\n",
        f"{OWN}TABLE = {{'double': double}}\n\n\ndef use(x):\n    return TABLE['double'](x)\n",
        f"{OWN}twice = double\n\n\ndef use(x):\n    return twice(x)\n",
        f"{OWN_LAYER}class Own(Layer):\n    factor = 2\n\n\ndef use(x):\n    return Own().grow(x)\n",
        f"double = abs\n\n\n{USE}",
        USE,
        f"if True:\n    def double(x):\n        return x + 1\n\n\n{USE}",
    ],
    ids=["later", "default", "table", "alias", "base class", "assigned", "missing", "in a block"],
)
def test_every_use_sees_the_replacement(use):
    assert call(use, "use", 7) == 14


def test_without_names_nothing_is_replaced():
    assert call(OWN, "double", 7, replace=()) == 8


def test_statements_keep_their_line_numbers_and_future_imports():
    source = (
        "from __future__ import annotations\n\n\ndef double(x):\n    return x + 1\n\n\n"
        "def use(x: NotDefined) -> Neither:\n    raise ValueError\n"
    )
    with pytest.raises(SubmissionError) as raised:
        call(source, "use", 7)
    assert [(frame.file, frame.line) for frame in raised.value.frames] == [("tiny.py", 9)]


def test_a_syntax_error_is_the_submissions():
    with pytest.raises(SubmissionError) as raised:
        call("def double(x):\n    return 2 *\n", "double", 7)
    assert raised.value.type_name == "SyntaxError"


def test_the_submission_reaches_nothing_that_the_replacement_does_not_need():
    source = "def use():\n    return sorted(name for name in double.__globals__ if not name.startswith('__'))\n"
    assert call(source, "use") == ["Layer", "double"]


def test_the_replacement_may_call_what_the_submission_may_not():
    course = "import torch\n\n\ndef weights(x):\n    return torch.softmax(torch.tensor(x), -1).tolist()\n"
    forbidden = {"torch.softmax": ["softmax", "_softmax"]}
    own = "import torch\n\n\ndef weights(x):\n    return torch.softmax(torch.tensor(x), -1).tolist()\n"
    session = InProcessSession()
    try:
        for replace, allowed in ((("weights",), True), ((), False)):
            load = {"modules": {"tiny": own}, "main": "tiny", "forbidden": forbidden}
            session.request("load", **load, replace=replace, replacement=course)
            request = {"target": Reference("weights"), "args": [[0.0, 0.0]], "kwargs": {}, "grad": False}
            if allowed:
                assert session.request("call", **request)[0] == [0.5, 0.5]
            else:
                with pytest.raises(SubmissionError):
                    session.request("call", **request)
    finally:
        session.kill()
