"""From an exception to what a student reads: outcome, words and place, none of them believed from the worker."""

import pytest

from autograder.base.results import Outcome
from autograder.isolation.errors import DeathReason, SubmissionError, TracebackFrame, WorkerDied
from autograder.judge.outcomes import SourceLocation, SourceMap, ending_of, error_word
from autograder.judge.recorder import SessionFault
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


def test_a_pass_has_nothing_to_say():
    ending = ending_of(None, SOURCE)
    assert (ending.outcome, ending.what, ending.place) == (Outcome.PASSED, "", None)


@pytest.mark.parametrize("symptom", Symptom)
def test_a_failure_says_its_symptom_or_the_authors_words(symptom):
    assert ending_of(CheckFailure(symptom), SOURCE).what == symptom.value
    ending = ending_of(CheckFailure(symptom, "rows do not sum to one"), SOURCE)
    assert (ending.outcome, ending.what) == (Outcome.FAILED, "rows do not sum to one")


def test_an_error_in_place_of_the_one_asked_for_has_a_place():
    failure = CheckFailure(Symptom.WRONG_ERROR)
    failure.__cause__ = SubmissionError.of("KeyError", "x", [TracebackFrame("made.py", 5, "softmax")])
    assert str(ending_of(failure, SOURCE).place) == "made.py, line 5, softmax"


@pytest.mark.parametrize("reason", DeathReason)
def test_each_way_to_die_has_words_without_details(reason):
    ending = ending_of(WorkerDied(reason, "secret"), SOURCE)
    assert ending.outcome in (Outcome.ERROR, Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY)
    assert ending.what
    assert "secret" not in ending.what


@pytest.mark.parametrize(
    ("name", "outcome", "what"),
    [
        ("ValueError", Outcome.ERROR, "it raised ValueError"),
        ("NotImplementedError", Outcome.NOT_ATTEMPTED, "not attempted yet"),
        ("MemoryError", Outcome.OUT_OF_MEMORY, "it asked for more memory than there is"),
        ("Secret42", Outcome.ERROR, "it raised an error of its own"),
        ("SystemExit", Outcome.ERROR, "it raised an error of its own"),
    ],
)
def test_a_submissions_error_is_told_by_its_class_alone(name, outcome, what):
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
def test_every_other_error_is_the_graders(error, doubtful):
    ending = ending_of(error, SOURCE)
    assert (ending.outcome, ending.doubtful) == (Outcome.GRADER_ERROR, doubtful)


def test_an_error_is_named_only_when_python_has_it():
    assert error_word(SubmissionError.of("KeyError", "x")) == "KeyError"
    assert error_word(SubmissionError("KeyError", "x")) == "an error of its own"


# Places


@pytest.mark.parametrize(
    ("frames", "place"),
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
def test_a_place_is_held_to_the_file_that_was_handed_in(frames, place):
    error = SubmissionError.of("ValueError", "x", frames)
    assert str(ending_of(error, SOURCE).place) == place


@pytest.mark.parametrize(
    "table",
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
def test_a_table_of_functions_is_believed_where_the_source_agrees(table):
    assert SourceMap.believing("made.py", TEXT, table).functions == {}


def test_an_exercise_is_found_where_it_begins():
    assert str(SOURCE.of_exercise("softmax")) == "made.py, line 4, softmax"
    assert str(SOURCE.of_exercise("causal_mask")) == "made.py, causal_mask"
    assert str(SourceLocation("made.py")) == "made.py"
