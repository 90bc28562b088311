"""The reason why a trained model earns nothing."""

from autograder.base.errors import AttachmentError


class TrainedModelError(AttachmentError):
    """A trained model cannot be evaluated; the message tells the student what is wrong and how to fix it."""
