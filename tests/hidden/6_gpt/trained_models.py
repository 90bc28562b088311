"""Evaluate the trained model that was handed in, once for all checks."""

from pathlib import Path

from autograder.course.lab import Lab
from autograder.isolation.proxy import Student
from autograder.judge.attachments import Attachments
from autograder.models import RECORD_FILE, WEIGHTS_FILE, Evaluation, TrainedModelError, evaluate_gpt
from autograder.models.corpora.plays import plays_of

LAB = Lab.find(Path(__file__))
PLAYS = plays_of(LAB.root)
LIMITS = LAB.stage("6_gpt").spec.model_limits


def measured(student: Student, twin: Student, attachments: Attachments) -> Evaluation:
    """Evaluate the model on held-out text.

    Raises:
        NotHandedIn: a file is missing.
        CheckFailure: intake refused a file.
        TrainedModelError: the files or the model cannot be evaluated; the report says why.
    """
    record, weights = attachments.content(RECORD_FILE), attachments.content(WEIGHTS_FILE)
    return attachments.once("measured", lambda: _of_plays(student, twin, record, weights, attachments.secret))


def _of_plays(student: Student, twin: Student, record: bytes, weights: bytes, secret: bytes) -> Evaluation:
    """Evaluate on the plays only: the known language is far easier to predict."""
    result = evaluate_gpt(student, twin, record, weights, LIMITS, PLAYS, secret)
    if result.gap is not None:
        raise TrainedModelError("the model was trained on the known language; hand in a model trained on the plays")
    return result
