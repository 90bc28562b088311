"""Grades in the files of learning platforms. Points are final: those of persons and after penalties."""

from autograder.course.lab import LabError


class PlatformFileError(LabError):
    """A file of a platform cannot be filled; the message names the file, the rule and the fix."""


def number(points: float) -> str:
    """Points with at most two decimals, as platforms show them: ``12``, ``7.5``."""
    return f"{points:.2f}".rstrip("0").rstrip(".")
