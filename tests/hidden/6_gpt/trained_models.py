"""The trained model that was handed in, measured once for all checks that ask."""

from pathlib import Path

from autograder.isolation.proxy import Student
from autograder.judge.attachments import Attachments
from autograder.models import RECORD_FILE, WEIGHTS_FILE, Evaluation, TrainedModelError, evaluate_gpt
from autograder.models.corpora.plays import plays_of

PLAYS = plays_of(Path(__file__).parents[3])


def measured(student: Student, twin: Student, attachments: Attachments) -> Evaluation:
    """What the model is worth on text that nobody trained on.

    Raises:
        NotHandedIn: a file is missing.
        CheckFailure: intake refused a file.
        TrainedModelError: the files or the model are not fit to be measured; the report says why.
    """
    record, weights = attachments.content(RECORD_FILE), attachments.content(WEIGHTS_FILE)
    return attachments.once("measured", lambda: _of_plays(student, twin, record, weights, attachments.secret))


def _of_plays(student: Student, twin: Student, record: bytes, weights: bytes, secret: bytes) -> Evaluation:
    """Points are for plays: the known language is far easier to foretell."""
    result = evaluate_gpt(student, twin, record, weights, PLAYS, secret)
    if result.gap is not None:
        raise TrainedModelError("it was trained on the known language; hand in a model that was trained on the plays")
    return result
