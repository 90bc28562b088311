"""One student's trained model."""

from dataclasses import dataclass

from autograder.models import Evaluation
from autograder.models.record import Record


@dataclass(frozen=True)
class Entry:
    """A trained model that a student handed in, with its record and its evaluation, or the reason why it has none.

    The problem of an entry to the speedrun may be shown to the class: it holds no text that student code produced
    after it read held-out text.
    """

    student: str
    record: Record | None = None
    evaluation: Evaluation | None = None
    problem: str = ""
