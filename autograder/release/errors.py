"""The error that stops a release."""

from autograder.course.lab import LabError


class ReleaseError(LabError):
    """The lab cannot be released; the message names the file, the line or id, and the fix."""
