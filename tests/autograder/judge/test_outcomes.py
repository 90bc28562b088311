"""From an exception to the outcome, words and location that a student reads, without trust in the worker."""

import pytest

from autograder.base.results import Outcome
from autograder.isolation.errors import DeathReason, SubmissionError, TracebackFrame, WorkerDied
from autograder.judge.outcomes import SourceLocation, SourceMap, ending_of, error_word
from autograder.judge.sessions import SessionFault
from autograder.judge.symptoms import CheckFailure, Symptom

TEXT = """\
import torch


def softmax(x):
    return x


class Attention:
    def forward(self, x):
        return x
"""
SOURCE = SourceMap.believing("made.py", TEXT, {"softmax": 4, "Attention": 8, "Attention.forward": 9})


def test_a_pass_has_no_text():
    ending = ending_of(None, SOURCE)
    assert (ending.outcome, ending.what, ending.location) == (Outcome.PASSED, "", None)


@pytest.mark.parametrize("symptom", Symptom)
def test_a_failure_has_its_symptom_or_the_authors_sentence(symptom):
    assert ending_of(CheckFailure(symptom), SOURCE).what == symptom.value
    ending = ending_of(CheckFailure(symptom, "rows do not sum to one"), SOURCE)
    assert (ending.outcome, ending.what) == (Outcome.FAILED, "rows do not sum to one")


def test_an_error_instead_of_the_expected_error_has_a_location():
    failure = CheckFailure(Symptom.WRONG_ERROR)
    failure.__cause__ = SubmissionError.of("KeyError", "x", [TracebackFrame("made.py", 5, "softmax")])
    assert str(ending_of(failure, SOURCE).location) == "made.py, line 5, softmax"


@pytest.mark.parametrize("reason", DeathReason)
def test_each_death_reason_has_a_text_without_details(reason):
    ending = ending_of(WorkerDied(reason, "secret"), SOURCE)
    assert ending.outcome in (Outcome.ERROR, Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY)
    assert ending.what
    assert "secret" not in ending.what


@pytest.mark.parametrize(
    ("name", "outcome", "what"),
    [
        ("ValueError", Outcome.ERROR, "your code raised ValueError"),
        ("NotImplementedError", Outcome.NOT_ATTEMPTED, "not attempted yet"),
        ("MemoryError", Outcome.OUT_OF_MEMORY, "your code requested more memory than is available"),
        ("Secret42", Outcome.ERROR, "your code raised an exception"),
        ("SystemExit", Outcome.ERROR, "your code raised an exception"),
    ],
)
def test_a_submissions_error_is_shown_only_by_its_class(name, outcome, what):
    ending = ending_of(SubmissionError.of(name, "secret"), SOURCE)
    assert (ending.outcome, ending.what) == (outcome, what)


@pytest.mark.parametrize(
    ("error", "doubtful"),
    [
        (RuntimeError("ours"), True),
        (SessionFault("no more processes"), False),
        (pytest.skip.Exception("x"), False),
        (pytest.xfail.Exception("x"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_every_other_error_is_a_grader_error(error, doubtful):
    ending = ending_of(error, SOURCE)
    assert (ending.outcome, ending.doubtful) == (Outcome.GRADER_ERROR, doubtful)


def test_an_error_is_named_only_when_python_has_it():
    assert error_word(SubmissionError.of("KeyError", "x")) == "KeyError"
    assert error_word(SubmissionError("KeyError", "x")) == "an exception"


# Locations


@pytest.mark.parametrize(
    ("frames", "location"),
    [
        ([TracebackFrame("made.py", 5, "softmax")], "made.py, line 5, softmax"),
        (
            [TracebackFrame("made.py", 10, "forward"), TracebackFrame("made.py", 5, "softmax")],
            "made.py, line 5, softmax",
        ),
        (
            [TracebackFrame("made.py", 10, "forward"), TracebackFrame("torch.py", 5, "softmax")],
            "made.py, line 10, forward",
        ),
        ([TracebackFrame("made.py", 5, "secret_42")], "made.py, line 5"),
        (
            [TracebackFrame("made.py", 10, "forward"), TracebackFrame("made.py", 4242, "softmax")],
            "made.py, line 10, forward",
        ),
        ([TracebackFrame("made.py", 0, "softmax")], "None"),
        ([TracebackFrame("made.py", -1, "softmax")], "None"),
        ([TracebackFrame("secret.py", 5, "softmax")], "None"),
        ([], "None"),
    ],
)
def test_a_location_must_exist_in_the_submitted_file(frames, location):
    error = SubmissionError.of("ValueError", "x", frames)
    assert str(ending_of(error, SOURCE).location) == location


@pytest.mark.parametrize(
    "definitions",
    [
        {"softmax": 5},
        {"softmax": 400},
        {"softmax": 0},
        {"softmax": True},
        {"softmax": "4"},
        {"softmax": None},
        {"secret": 4},
        {4: 4},
        {("softmax",): 4},
        [],
        None,
        "softmax",
        ["softmax", 4],
    ],
)
def test_reported_definitions_are_believed_where_the_source_agrees(definitions):
    assert SourceMap.believing("made.py", TEXT, definitions).functions == {}


def test_an_exercise_is_found_where_it_begins():
    assert str(SOURCE.of_exercise("softmax")) == "made.py, line 4, softmax"
    assert str(SOURCE.of_exercise("causal_mask")) == "made.py, causal_mask"
    assert str(SourceLocation("made.py")) == "made.py"
