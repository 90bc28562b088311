"""Errors of a submission arrive under a builtin name and with lines of the submission's own files."""

import builtins

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workers import load

from autograder.isolation.errors import SubmissionError, TracebackFrame, value_of
from autograder.isolation.executor import Executor
from autograder.isolation.wire import ERROR_NAMES, MESSAGE_LENGTH, ProtocolError, Reference


def error_of(source: str) -> SubmissionError:
    """The error that the function ``f`` of a source raises, in an executor in this process."""
    executor = Executor()
    value_of(executor.answer("load", {"modules": {"submission": source}, "main": "submission"}))
    with pytest.raises(SubmissionError) as caught:
        value_of(executor.answer("call", {"target": Reference("f"), "args": [], "kwargs": {}, "grad": False}))
    return caught.value


@pytest.mark.parametrize("name", ERROR_NAMES)
def test_builtin_errors_can_be_caught_by_their_own_type(name):
    error = error_of(f"def f(): raise {name}('text')")
    assert isinstance(error, getattr(builtins, name))
    assert (error.type_name, error.message) in {
        (name, "text"),
        (name, "'text'"),
    }  # a KeyError's text is its key's repr


def test_the_submissions_own_errors_arrive_as_their_nearest_builtin_ancestor():
    error = error_of("class Mine(ZeroDivisionError): pass\ndef f(): raise Mine('text')")
    assert error.type_name == "ZeroDivisionError"
    assert isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize("base", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "Exception", "BaseException"])
def test_an_exception_that_would_stop_the_judge_is_a_plain_error(base):
    error = error_of(f"def f(): raise {base}")
    assert type(error) is SubmissionError
    assert error.type_name == base


def test_an_outcome_of_pytest_is_a_plain_error():
    error = error_of("class Skipped(BaseException): pass\ndef f(): raise Skipped('skip me')")
    assert type(error) is SubmissionError
    assert not isinstance(error, pytest.skip.Exception)


def test_torchs_memory_errors_are_memory_errors():
    error = error_of('def f(): raise RuntimeError("DefaultCPUAllocator: can\'t allocate memory")')
    assert isinstance(error, MemoryError)


def test_frames_are_lines_of_the_submission_only():
    error = error_of("import json\ndef g():\n    json.loads('?')\ndef f():\n    g()")
    assert error.frames == (TracebackFrame("submission.py", 5, "f"), TracebackFrame("submission.py", 3, "g"))


def test_code_that_a_submission_makes_itself_has_no_frame():
    """It would choose its own file, line and name."""
    source = """
def f():
    exec(compile("\\n" * 41 + "raise ValueError", __file__, "exec"))

def g():
    def h(): raise ValueError
    h.__code__ = h.__code__.replace(co_firstlineno=42)
    h()

def s(): raise SyntaxError("x", (__file__, 42, 1, ""))
"""
    executor = Executor()
    value_of(executor.answer("load", {"modules": {"m": source}, "main": "m"}))
    lines = {}
    for name in "fgs":
        with pytest.raises(SubmissionError) as caught:
            value_of(executor.answer("call", {"target": Reference(name), "args": [], "kwargs": {}, "grad": False}))
        lines[name] = [frame.line for frame in caught.value.frames]
    assert lines == {"f": [3], "g": [8], "s": [10]}


def test_a_long_text_is_truncated():
    assert len(error_of("def f(): raise ValueError('x' * 10**6)").message) == MESSAGE_LENGTH


def test_a_text_that_is_not_available_is_reported():
    source = "class Odd(ValueError):\n    def __str__(self): raise KeyError\ndef f(): raise Odd"
    assert "is not available" in error_of(source).message


def test_a_deep_recursion_is_an_error():
    assert isinstance(error_of("def f(): return f()"), RecursionError)


def test_errors_cross_from_a_worker(spawn):
    student = load(spawn(), "def f(x):\n    return [][x]")
    with pytest.raises(IndexError, match="out of range") as caught:
        student.f(3)
    assert isinstance(caught.value, SubmissionError)
    assert caught.value.frames == (TracebackFrame("submission.py", 2, "f"),)


def test_a_malformed_answer_is_a_protocol_error():
    for answer in (None, [], ["value"], ["value", 1, 2], ["error", "ValueError", "text"], ["error", 1, "text", []],
                   ["error", "ValueError", "text", [("file", "line", "f")]]):  # fmt: skip
        with pytest.raises(ProtocolError):
            value_of(answer)


@given(st.text(), st.text())
def test_any_name_and_text_give_an_error(name, message):
    error = SubmissionError.of(name, message)
    assert str(error) == f"{name}: {message}"
    assert isinstance(error, SubmissionError)
