"""Evaluation of models that students trained: the files are read as data, the loss is computed on held-out text."""

from autograder.models.errors import MODEL_FAILED, TrainedModelError
from autograder.models.evaluation import Evaluation, evaluate_gpt
from autograder.models.record import NAME as RECORD_FILE
from autograder.models.weights import NAME as WEIGHTS_FILE

__all__ = [
    "MODEL_FAILED",
    "RECORD_FILE",
    "WEIGHTS_FILE",
    "Evaluation",
    "TrainedModelError",
    "evaluate_gpt",
]
