"""The reason why a trained model earns nothing."""

from autograder.base.errors import AttachmentError

# The only words for a model that fails while it is evaluated. The class of its error, or the way in which it ends,
# could carry held-out text.
MODEL_FAILED = (
    "the model cannot be evaluated: it raised an error, was stopped, or returned something other than finite logits; "
    "run it on other text"
)


class TrainedModelError(AttachmentError):
    """A trained model cannot be evaluated; the message tells the student what is wrong and how to fix it."""
