"""Errors that several rooms know."""


class AttachmentError(Exception):
    """A file of the hand-in earns nothing; the message tells the student what is wrong and how to fix it."""
