"""The reason why a trained model earns nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from autograder.base.errors import AttachmentError
from autograder.base.text import printable

HAND_IN_AGAIN = "hand in the file that train.py wrote"

# The only words for a model that fails while it is evaluated. The class of its error, or the way in which it ends,
# could carry held-out text.
MODEL_FAILED = (
    "the model cannot be evaluated: it raised an error, was stopped, or returned something other than finite logits; "
    "run it on other text"
)


class TrainedModelError(AttachmentError):
    """A trained model cannot be evaluated; the message tells the student what is wrong and how to fix it."""


@contextmanager
def refusing(file: str) -> Iterator[None]:
    """Read a student's file inside the block: whatever its bytes cause there is a refusal of this file.

    Raises:
        TrainedModelError: the block raised an error, of any kind.
    """
    try:
        yield
    except TrainedModelError:
        raise
    except Exception as error:
        problem = printable(str(error), 120)
        raise TrainedModelError(f"{file} cannot be read: {problem}; {HAND_IN_AGAIN}") from error
