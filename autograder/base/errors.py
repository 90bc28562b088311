"""Errors that several rooms know."""


class AttachmentError(Exception):
    """A file of the hand-in earns nothing; the message tells the student what is wrong and how to fix it."""


class UnusableError(Exception):
    """A file or a service that the command needs cannot be used; the message names the way out.

    The fault is neither in the arguments nor in a hand-in: a gradebook, a secret, another run.
    """
