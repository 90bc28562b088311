"""Models that students trained: read without running anything, measured on text that they never saw."""

from autograder.models.errors import TrainedModelError
from autograder.models.record import LARGEST_RECORD
from autograder.models.record import NAME as RECORD_FILE
from autograder.models.result import ModelResult, grade_model
from autograder.models.weights import LARGEST_WEIGHTS
from autograder.models.weights import NAME as WEIGHTS_FILE

__all__ = [
    "LARGEST_RECORD",
    "LARGEST_WEIGHTS",
    "RECORD_FILE",
    "WEIGHTS_FILE",
    "ModelResult",
    "TrainedModelError",
    "grade_model",
]
