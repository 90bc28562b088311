"""Exercises in a module's text: found, compared, and restored."""

import pytest

from lab.code import Module, put_back
from lab.course import CompanionError

STUB = '''\
"""A module."""

import torch


def double(x):
    """Twice."""
    raise NotImplementedError("double")


class Head:
    """A head."""

    def __init__(self):
        raise NotImplementedError("Head.__init__")


def halve(x):
    raise NotImplementedError("halve")
'''


def module(text: str) -> Module:
    return Module.parse(text, "tiny.py")


def written(**bodies: str) -> str:
    text = STUB
    for name, body in bodies.items():
        text = text.replace(f'raise NotImplementedError("{name}")', body)
    return text


def test_code_changes_the_digest_and_comments_do_not():
    stub, commented = module(STUB), module(STUB.replace("def double(x):", "# mine\n\ndef double(x):  # hm"))
    assert commented.digest("double") == stub.digest("double")
    assert module(written(double="return 2 * x")).digest("double") != stub.digest("double")
    assert module(written(double="return 2 * x")).digest("halve") == stub.digest("halve")


def test_a_name_that_is_not_defined_has_the_digest_of_the_module():
    assert module(STUB).digest("trained") != module(written(double="return 2 * x")).digest("trained")


def test_one_exercise_is_restored_and_the_rest_stays():
    mine = written(double="return 2 * x", halve="return x / 2") + "\n\ndef helper():\n    pass\n"
    expected = written(halve="return x / 2") + "\n\ndef helper():\n    pass\n"
    assert put_back(module(mine), module(STUB), "double") == expected


@pytest.mark.parametrize("separator", ["\f", "\v", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("where", ["# a page\n{}\n", "text = 'a{}b'\n", "# a{}b\n"])
def test_what_only_looks_like_a_line_end_moves_no_line(separator, where):
    """An editor or a copied text leaves a form feed or U+2028; Python's lines end at line feeds only."""
    if where.startswith("# a page") and separator != "\f":
        where = "# a page {}\n"
    top = where.format(separator)
    mine = top + written(double="return 2 * x", halve="return x / 2") + f"\n# the end {separator}\n"
    expected = top + written(halve="return x / 2") + f"\n# the end {separator}\n"
    assert put_back(module(mine), module(STUB), "double") == expected


def test_restoring_a_class_removes_added_members():
    mine = STUB.replace(
        '        raise NotImplementedError("Head.__init__")',
        "        self.a = 1\n\n    def more(self):\n        return 2",
    )
    assert mine != STUB
    assert put_back(module(mine), module(STUB), "Head") == STUB


def test_restoring_a_function_removes_its_decorators():
    mine = STUB.replace("def double(x):", "@torch.no_grad()\n@torch.inference_mode()\ndef double(x):")
    assert put_back(module(mine), module(STUB), "double") == STUB


def test_the_last_of_two_definitions_is_restored():
    mine = written(double="return 2 * x") + "\n\ndef double(x):\n    return 3 * x\n"
    text = put_back(module(mine), module(STUB), "double")
    assert text.endswith('def double(x):\n    """Twice."""\n    raise NotImplementedError("double")\n')


@pytest.mark.parametrize("ending", ["\n", ""])
def test_a_removed_exercise_is_restored_at_the_end(ending):
    mine = "import torch" + ending
    text = put_back(module(mine), module(STUB), "halve")
    assert text == 'import torch\n\n\ndef halve(x):\n    raise NotImplementedError("halve")\n'


def test_a_name_that_is_not_an_exercise_cannot_be_restored():
    with pytest.raises(CompanionError, match=r"`treble` is not a function or class in tiny\.py"):
        put_back(module(STUB), module(STUB), "treble")


@pytest.mark.parametrize(
    ("text", "start", "line"),
    [("def double(x:\n", "tiny.py, line 1: ", 1), ("x = 1\nif x\n", "tiny.py, line 2: ", 2), ("x\0", "tiny.py", None)],
)
def test_a_syntax_error_names_the_line(text, start, line):
    with pytest.raises(CompanionError) as caught:
        module(text)
    assert str(caught.value).startswith(start)
    if line is not None:
        assert caught.value.line == line
