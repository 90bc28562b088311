"""Models that students trained: read without running anything, measured on text that they never saw."""

from autograder.trained.errors import TrainedModelError
from autograder.trained.record import LARGEST_RECORD
from autograder.trained.record import NAME as RECORD_FILE
from autograder.trained.result import ModelResult, grade_model
from autograder.trained.weights import LARGEST_WEIGHTS
from autograder.trained.weights import NAME as WEIGHTS_FILE

__all__ = [
    "LARGEST_RECORD",
    "LARGEST_WEIGHTS",
    "RECORD_FILE",
    "WEIGHTS_FILE",
    "ModelResult",
    "TrainedModelError",
    "grade_model",
]
