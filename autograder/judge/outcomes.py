"""From the exception that ended a check to its outcome, symptom and location."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from autograder.base.errors import AttachmentError
from autograder.base.results import Outcome
from autograder.isolation.errors import DeathReason, SubmissionError, TracebackFrame, WorkerDied
from autograder.judge.attachments import NotHandedIn
from autograder.judge.sessions import SessionFault
from autograder.judge.symptoms import CheckFailure, Symptom
from autograder.judge.unrun import GRADER_FAILED

_DEATHS = {
    DeathReason.TIMEOUT: (Outcome.TIMEOUT, "your code exceeded its time limit"),
    DeathReason.OUT_OF_MEMORY: (Outcome.OUT_OF_MEMORY, "your code exceeded its memory limit"),
    DeathReason.EXITED: (Outcome.ERROR, "the process that ran your code ended unexpectedly"),
    DeathReason.OUTPUT: (Outcome.ERROR, "your code printed too much"),
    DeathReason.PROTOCOL: (Outcome.ERROR, "the result could not be read or is too large"),
}


@dataclass(frozen=True)
class SourceLocation:
    """A location in the student's file."""

    file: str
    line: int | None = None
    function: str = ""

    def __str__(self) -> str:
        parts = [self.file, f"line {self.line}" if self.line else "", self.function]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Ending:
    """How a check ended.

    Attributes:
        outcome: the outcome.
        what: the symptom that the student reads.
        location: where in the student's file, if known.
        doubtful: the judge's own code raised. It is not yet decided whether the student's result caused the
            exception or whether it is an error of the grader.
        forbidden: the forbidden function that was called; empty when there was none.
    """

    outcome: Outcome
    what: str = ""
    location: SourceLocation | None = None
    doubtful: bool = False
    forbidden: str = ""


NO_RECORD = Ending(Outcome.GRADER_ERROR, GRADER_FAILED)
UNUSABLE_RESULT = Ending(Outcome.FAILED, "the result cannot be checked: its type, shape or values are wrong")


@dataclass(frozen=True)
class SourceMap:
    """The student's file: its name, its number of lines, and the line where each function begins."""

    file: str
    lines: int
    functions: Mapping[str, int]

    @classmethod
    def believing(cls, file: str, source: str, definitions: Any) -> "SourceMap":
        """Make the map of ``source`` from the function definitions that the student's process reports.

        ``definitions`` is untrusted and may be any object. A definition counts only if the line that it
        names contains the function's name.
        """
        lines = source.split("\n")
        functions = {
            name: line
            for name, line in (definitions.items() if isinstance(definitions, dict) else ())
            if isinstance(name, str) and type(line) is int and 1 <= line <= len(lines)
            if name.rpartition(".")[2] in lines[line - 1]
        }
        return cls(file, len(lines), functions)

    def of_exercise(self, exercise: str) -> SourceLocation:
        """Locate the beginning of the exercise's function or class."""
        return SourceLocation(self.file, self.functions.get(exercise), exercise)

    def definition_at(self, line: int) -> str:
        """Name the last top-level function or class that begins at or above this line; empty if there is none."""
        above = {name: start for name, start in self.functions.items() if start <= line and "." not in name}
        return max(above, key=above.__getitem__, default="")

    def of_error(self, error: SubmissionError) -> SourceLocation | None:
        """Locate the innermost line of the student's file that the error passed through."""
        return self.of_frames(error.frames)

    def of_frames(self, frames: Sequence[TracebackFrame]) -> SourceLocation | None:
        """Locate the innermost of these frames that lies in the student's file.

        Frames come from the student's process. A line counts only if the file has it, a function's name
        only if the file defines it.
        """
        for frame in reversed(frames):
            if frame.file == self.file and 1 <= frame.line <= self.lines:
                known = {name.rpartition(".")[2] for name in self.functions}
                return SourceLocation(self.file, frame.line, frame.function if frame.function in known else "")
        return None


def ending_of(error: BaseException | None, source: SourceMap) -> Ending:
    """Classify the exception that ended a check; None is a pass."""
    if error is None:
        return Ending(Outcome.PASSED)
    if isinstance(error, CheckFailure):
        # A check of errors fails with the error that was raised instead of the expected error.
        cause = error.__cause__
        location = source.of_error(cause) if isinstance(cause, SubmissionError) else None
        return Ending(Outcome.FAILED, error.what, location)
    if isinstance(error, NotHandedIn):
        return Ending(Outcome.NOT_ATTEMPTED, str(error), SourceLocation(error.file))
    if isinstance(error, AttachmentError):
        return Ending(Outcome.FAILED, str(error))
    if isinstance(error, WorkerDied):
        return Ending(*_DEATHS[error.reason])
    if isinstance(error, NotImplementedError) and isinstance(error, SubmissionError):
        return Ending(Outcome.NOT_ATTEMPTED, "not attempted yet", source.of_error(error))
    if isinstance(error, MemoryError) and isinstance(error, SubmissionError):
        what = "your code requested more memory than is available"
        return Ending(Outcome.OUT_OF_MEMORY, what, source.of_error(error))
    if isinstance(error, SubmissionError):
        return Ending(Outcome.ERROR, f"your code raised {error_word(error)}", source.of_error(error))
    if isinstance(error, (AssertionError, pytest.fail.Exception)) and not isinstance(error, pytest.xfail.Exception):
        return Ending(Outcome.FAILED, Symptom.WRONG_VALUES.value)
    doubtful = isinstance(error, Exception) and not isinstance(error, SessionFault)
    return Ending(Outcome.GRADER_ERROR, GRADER_FAILED, doubtful=doubtful)


def error_word(error: SubmissionError) -> str:
    """Name the error's class if it is a builtin error; the name of a student's own class could carry any text."""
    return error.type_name if type(error) is not SubmissionError else "an exception"
