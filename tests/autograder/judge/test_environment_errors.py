"""Errors that come from where code is graded: the words name the cause, and only names of the student's own lines."""

import sys

import pytest
from judging import judge
from tiny_lab import MODULE, solution

from autograder.base.results import Outcome
from autograder.isolation.errors import SubmissionError
from autograder.isolation.outline import outline
from autograder.judge.environment_errors import environment_problem

RIGHT = solution(double="return 2 * x", total="return x.sum(axis)", halve="return x / 2")


def problem(kind: str, message: str, source: str):
    found = environment_problem(SubmissionError.of(kind, message), outline(source).imports, ("attention", "multihead"))
    return (found.what, found.hint) if found else None


@pytest.mark.parametrize(
    ("kind", "message", "source", "what", "hint"),
    [
        ("ImportError", "No module named 'einops'", "import einops", "`einops` is not installed", "standard library"),
        ("ImportError", "No module named 'torhc'", "import torhc", "`torhc` is not installed", "did you mean `torch`?"),
        ("ImportError", "No module named 'atention'", "from atention import f", "`atention`", "mean `attention`?"),
        ("ImportError", "No module named 'statistic'", "import statistic", "`statistic`", "mean `statistics`?"),
        ("ImportError", "No module named 'torch.foo'", "import torch.foo", "no module `torch.foo`", "imports"),
        (
            "ImportError",
            "rich is not available where grading happens",
            "import rich",
            "`rich` is not available",
            "sheet",
        ),
        ("ImportError", "attempted relative import with no known parent package", "", "a relative import", "dot"),
        ("ImportError", "cannot import name 'f' from 'attention' (x)", "from attention import f", "no `f`", "stub"),
        (
            "OSError",
            "[Errno 2] No such file or directory: 'a'",
            "",
            "opened a file: a graded module has no files",
            "sheet",
        ),
        ("OSError", "[Errno 13] Permission denied: '..'", "", "opened a file", "sheet"),
        ("OSError", "<urlopen error [Errno -3] Temporary failure>", "", "the network or another program", "sheet"),
        ("OSError", "[Errno 1] Operation not permitted", "", "another program", "sheet"),
        ("RuntimeError", "can't start new thread", "", "started a thread", "sheet"),
    ],
)
def test_the_words_name_the_cause_and_the_fix(kind, message, source, what, hint):
    found = problem(kind, message, source)
    assert found is not None
    assert what in found[0]
    assert hint in found[1]


@pytest.mark.parametrize("kind", ["ValueError", "AttributeError", "RuntimeError", "SyntaxError"])
def test_another_error_has_no_such_words(kind):
    assert problem(kind, "No module named 'einops'", "import einops") is None


def test_an_error_of_a_library_that_is_no_system_call_has_no_such_words():
    assert problem("OSError", "could not get source code", "import inspect") is None


@pytest.mark.parametrize(
    "message",
    [
        "No module named 'hidden_4242'",
        "hidden_4242 is not available where grading happens",
        "cannot import name 'hidden_4242' from 'attention'",
    ],
)
def test_a_name_that_the_students_imports_lack_is_not_repeated(message):
    assert "4242" not in str(problem("ImportError", message, "x = 'hidden_4242'\nfrom attention import softmax\n"))


def test_a_module_that_cannot_be_loaded_says_why(tiny_lab):
    results = judge(tiny_lab, "import os\nimport einops\n" + RIGHT)
    assert {result.outcome for result in results.values()} == {Outcome.BLOCKED}
    result = next(iter(results.values()))
    assert result.what == f"{MODULE}.py cannot be loaded: `einops` is not installed where grading happens"
    assert result.where == f"{MODULE}.py, line 2"
    assert result.hint.startswith("a graded module imports Python's standard library, torch, numpy")


def test_an_import_inside_a_function_costs_only_the_exercise_that_needs_it(tiny_lab):
    body = "import einops\n    return 2 * x"
    source = solution(double=body, total="return x.sum(axis)", halve="return x / 2")
    results = judge(tiny_lab, source)
    lost = {result.exercise: result for result in results.values() if not result.passed}
    assert lost.keys() == {"double"}
    assert lost["double"].what == "`einops` is not installed where grading happens"
    assert "standard library" in lost["double"].hint


@pytest.mark.parametrize(
    ("code", "version"),
    [
        ('s = f"{dict(a=1)["a"]}"', "3.12"),
        ("s = f\"{'\\n'.join([])}\"", "3.12"),
        ("type X = int", "3.12"),
        ("def g[T](x: T) -> T: ...", "3.12"),
        ("class Pair[A, B = int]: ...", "3.13"),
        ("try: ...\nexcept KeyError, ValueError: ...", "3.14"),
        ("x = t'{1}'", "3.14"),
        ("from itertools import batched", "3.12"),
        ("from warnings import deprecated", "3.13"),
        ("from string.templatelib import Template", "3.14"),
        ("class Node:\n    def next(self) -> Node: ...", "3.14"),
        ("def before(x: After): ...\nclass After: ...", "3.14"),
    ],
)
def test_code_for_a_newer_python_is_not_graded(tiny_lab, code, version):
    if _runs_here(version):
        pytest.skip(f"this is Python {version} or newer")
    results = judge(tiny_lab, f"{RIGHT}\n{code}\n")
    assert {result.outcome for result in results.values()} == {Outcome.NOT_GRADED}
    assert f"it needs Python {version} or newer, grading runs on 3." in next(iter(results.values())).what


@pytest.mark.parametrize(
    "code",
    ["def f(:", "x = = 1", "print 'x'", "s = f'{x'", "if x:\npass", "x = (1", "<<<<<<< HEAD", "%matplotlib inline",
     "type X int", "def f(a, a): ...", "return 1", "type X = int\nx = = 1", "x = t'", "from typing import overide",
     "x = undefined", "def f(x=undefined): ..."],
)  # fmt: skip
def test_an_error_in_every_version_is_an_error(tiny_lab, code):
    results = judge(tiny_lab, f"{RIGHT}\n{code}\n")
    assert {result.outcome for result in results.values()} == {Outcome.BLOCKED}


def _runs_here(version: str) -> bool:
    return sys.version_info[:2] >= tuple(map(int, version.split(".")))
