"""From an exception to the outcome, words and location that a student reads, without trust in the worker."""

import pytest

from autograder.base.results import Outcome
from autograder.isolation.errors import DeathReason, SubmissionError, TracebackFrame, WorkerDied
from autograder.isolation.outline import Outline, outline
from autograder.judge.crashes import error_word
from autograder.judge.outcomes import Ending, ending_of, with_unfinished
from autograder.judge.sessions import SessionFault
from autograder.judge.source_map import SourceLocation, SourceMap, contract_of, read_outline
from autograder.judge.symptoms import CheckFailure, Symptom

TEXT = """\
import torch


def softmax(x):
    return x


class Attention:
    def forward(self, x):
        return x
"""
SOURCE = SourceMap("made.py", TEXT, outline(TEXT))


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
        ([TracebackFrame("made.py", 5, "<lambda>")], "made.py, line 5, softmax"),
        ([TracebackFrame("made.py", 5, "secret_42")], "None"),
        ([TracebackFrame("made.py", 5, "forward")], "None"),
        ([TracebackFrame("made.py", 6, "softmax")], "None"),
        ([TracebackFrame("made.py", 1, "<module>")], "made.py, line 1"),
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


@pytest.mark.parametrize("reply", [None, 3, "softmax", ["softmax", 4], {"definitions": {"softmax": "4"}}, {4: 4}])
def test_a_false_outline_says_nothing(reply):
    assert read_outline(reply) == Outline()


# Missing names

MISSPELT = """\
import einops


def sofmax(x):
    return exponential(x)


def masked_softmax(x):
    raise NotImplementedError("masked_softmax")


class Cache:
    def apend(self, x):
        self.length = 1
        return x.nonsense, einops
"""
REQUIRED = """\
def softmax(x): ...
def masked_softmax(x): ...
class Cache:
    def append(self, x):
        self.length = 0
"""
MISSING = SourceMap("made.py", MISSPELT, outline(MISSPELT), *contract_of(REQUIRED))
AT = {
    name: [TracebackFrame("made.py", line, name)]
    for name, line in {"sofmax": 5, "masked_softmax": 9, "apend": 15}.items()
}


@pytest.mark.parametrize(
    ("message", "what", "where"),
    [
        (
            "module 'made' has no attribute 'softmax'",
            "there is no `softmax` in made.py: did you mean `sofmax`, line 4?",
            "made.py, line 4, sofmax",
        ),
        (
            "'Cache' object has no attribute 'append'",
            "there is no `append` in `Cache`: did you mean `apend`, line 13?",
            "made.py, line 13, apend",
        ),
        ("'Cache' object has no attribute 'length'", "there is no `length` in `Cache`", "None"),
        # Names that the contract does not list could carry any text.
        ("module 'made' has no attribute 'secret'", "your code raised AttributeError", "None"),
        ("'Secret' object has no attribute 'length'", "your code raised AttributeError", "None"),
        ("'Cache' object has no attribute 'length', 42", "your code raised AttributeError", "None"),
    ],
)
def test_a_missing_name_is_named_with_the_nearest_definition(message, what, where):
    ending = ending_of(SubmissionError.of("AttributeError", message), MISSING, "softmax")
    assert (ending.outcome, ending.what, str(ending.location)) == (Outcome.ERROR, what, where)


@pytest.mark.parametrize(
    ("name", "message", "function", "what"),
    [
        ("NameError", "name 'exponential' is not defined", "sofmax", ": `exponential` is not defined"),
        ("NameError", "cannot access local variable 'exponential' where", "sofmax", ": `exponential` has no value yet"),
        ("NameError", "name 'secret' is not defined", "sofmax", ""),
        (
            "AttributeError",
            "'Tensor' object has no attribute 'nonsense'",
            "apend",
            ": there is no attribute `nonsense`",
        ),
        ("AttributeError", "'Tensor' object has no attribute 'secret'", "apend", ""),
    ],
)
def test_a_name_that_stands_in_the_line_is_shown(name, message, function, what):
    ending = ending_of(SubmissionError.of(name, message, AT[function]), MISSING, "softmax")
    assert ending.what == f"your code raised {name}{what}"


RENAMED = """\
def mask(query_len, key_length=None, *, device=None): ...
def loss(logits, targets, weight): ...
def many(*args, **kwargs): ...
class Model:
    def __init__(self, sizes): ...
    def forward(self, x, cache=None): ...
"""
LISTED = """\
def mask(query_length, key_length=None, device=None): ...
def loss(logits, targets): ...
def many(first, second): ...
class Model:
    def __init__(self, size): ...
    def forward(self, tokens, cache=None): ...
"""


@pytest.mark.parametrize(
    ("exercise", "what", "where"),
    [
        ("mask", "`mask` has no parameter `query_length`", "made.py, line 1, mask"),
        ("loss", "`loss` requires `weight`, which is not among its parameters", "made.py, line 2, loss"),
        ("Model", "`Model.__init__` has no parameter `size`", "made.py, line 5, Model.__init__"),
        ("many", "your code raised TypeError", "None"),
    ],
)
def test_a_parameter_with_another_name_is_named(exercise, what, where):
    source = SourceMap("made.py", RENAMED, outline(RENAMED), *contract_of(LISTED))
    ending = ending_of(SubmissionError.of("TypeError", "got an unexpected keyword argument"), source, exercise)
    assert (ending.outcome, ending.what, str(ending.location)) == (Outcome.ERROR, what, where)


def test_an_error_inside_a_function_is_not_one_of_its_parameters():
    source = SourceMap("made.py", RENAMED, outline(RENAMED), *contract_of(LISTED))
    frames = [TracebackFrame("made.py", 1, "mask")]
    assert ending_of(SubmissionError.of("TypeError", "", frames), source, "mask").what == "your code raised TypeError"


def test_a_module_that_is_not_installed_is_named():
    """Its name counts only if the file imports it: the text of the error is untrusted."""
    text = "def softmax(x):\n    import einops.layers\n"
    source = SourceMap("made.py", text, outline(text))
    frames = [TracebackFrame("made.py", 2, "softmax")]
    for named, what in (("einops.layers", "`einops.layers` is"), ("secret", "a library is")):
        ending = ending_of(SubmissionError.of("ImportError", f"No module named '{named}'", frames), source)
        assert ending.what == f"{what} not installed where grading happens"
        assert str(ending.location) == "made.py, line 2, softmax"


def test_only_what_was_not_attempted_is_called_so():
    stub = SubmissionError.of("NotImplementedError", "masked_softmax", AT["masked_softmax"])
    assert ending_of(stub, MISSING, "masked_softmax").outcome is Outcome.NOT_ATTEMPTED
    needing = ending_of(stub, MISSING, "softmax")
    assert (needing.outcome, needing.what) == (
        Outcome.BLOCKED,
        "needs `masked_softmax`, which is not attempted yet",
    )
    by_pytorch = SubmissionError.of("NotImplementedError", '"addmm" not implemented for Half', AT["sofmax"])
    ending = ending_of(by_pytorch, MISSING, "softmax")
    assert (ending.outcome, ending.what) == (Outcome.ERROR, "your code raised NotImplementedError")


def test_an_unfinished_part_of_an_exercise_is_not_an_exercise_not_attempted():
    stub = ending_of(SubmissionError.of("NotImplementedError", "", AT["masked_softmax"]), MISSING, "masked_softmax")
    exercises = {"test_a": "masked_softmax", "test_b": "masked_softmax", "test_c": "softmax"}
    apart = {"test_a": stub, "test_b": Ending(Outcome.PASSED), "test_c": stub}
    endings = with_unfinished(apart, exercises)
    assert (endings["test_a"].outcome, endings["test_a"].what) == (
        Outcome.ERROR,
        "this part of the exercise is not written yet",
    )
    assert endings["test_c"] == stub
    alone = {"test_a": stub, "test_b": stub}
    assert with_unfinished(alone, exercises) == alone


def test_an_exercise_is_found_where_it_begins():
    assert str(SOURCE.of_exercise("softmax")) == "made.py, line 4, softmax"
    assert str(SOURCE.of_exercise("causal_mask")) == "made.py, causal_mask"
    assert str(SourceLocation("made.py")) == "made.py"
