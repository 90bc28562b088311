"""From the exception that ended a check to the outcome, the symptom and the place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from autograder.base.errors import AttachmentError
from autograder.base.results import Outcome
from autograder.isolation.errors import DeathReason, SubmissionError, TracebackFrame, WorkerDied
from autograder.judge.attachments import NotHandedIn
from autograder.judge.recorder import SessionFault
from autograder.judge.symptoms import CheckFailure, Symptom

_DEATHS = {
    DeathReason.TIMEOUT: (Outcome.TIMEOUT, "it used up its computing time"),
    DeathReason.OUT_OF_MEMORY: (Outcome.OUT_OF_MEMORY, "it used up its memory"),
    DeathReason.EXITED: (Outcome.ERROR, "the program ended in the middle of a call"),
    DeathReason.OUTPUT: (Outcome.ERROR, "it printed far too much"),
    DeathReason.PROTOCOL: (Outcome.ERROR, "its reply could not be read, or was far too large"),
}


@dataclass(frozen=True)
class SourceLocation:
    """Where in the student's file a check points."""

    file: str
    line: int | None = None
    function: str = ""

    def __str__(self) -> str:
        parts = [self.file, f"line {self.line}" if self.line else "", self.function]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Ending:
    """How a check ended.

    ``doubtful`` marks an exception of the judge's own code: whether a result of the wrong kind upset
    it, or whether it is the grader's error, is still to be found out. ``forbidden`` names what was called and may not
    be.
    """

    outcome: Outcome
    what: str = ""
    place: SourceLocation | None = None
    doubtful: bool = False
    forbidden: str = ""


_GRADER_FAILED = "the grader failed, not your code; nothing was deducted"
NO_RECORD = Ending(Outcome.GRADER_ERROR, _GRADER_FAILED)
WRONG_KIND = Ending(Outcome.FAILED, Symptom.WRONG_TYPE.value)


@dataclass(frozen=True)
class SourceMap:
    """The student's file: its name, its length, and where its functions begin."""

    file: str
    lines: int
    functions: Mapping[str, int]

    @classmethod
    def believing(cls, file: str, source: str, table: Any) -> "SourceMap":
        """The map of ``source``, given the table of functions that the student's process reports.

        The table may be anything at all. An entry is believed when the line it names does hold the name.
        """
        lines = source.split("\n")
        functions = {
            name: line
            for name, line in (table.items() if isinstance(table, dict) else ())
            if isinstance(name, str) and type(line) is int and 1 <= line <= len(lines)
            if name.rpartition(".")[2] in lines[line - 1]
        }
        return cls(file, len(lines), functions)

    def of_exercise(self, exercise: str) -> SourceLocation:
        """Where the exercise's function or class begins."""
        return SourceLocation(self.file, self.functions.get(exercise), exercise)

    def of_error(self, error: SubmissionError) -> SourceLocation | None:
        """The innermost line of the student's file that the error passed through."""
        return self.of_frames(error.frames)

    def of_frames(self, frames: Sequence[TracebackFrame]) -> SourceLocation | None:
        """The innermost line of the student's file among these.

        Lines and names come from the student's process: a line is held to the file, a name to the
        functions the file has.
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
        # A check of errors fails with the error it got instead of the one asked for.
        cause = error.__cause__
        place = source.of_error(cause) if isinstance(cause, SubmissionError) else None
        return Ending(Outcome.FAILED, error.what, place)
    if isinstance(error, NotHandedIn):
        return Ending(Outcome.NOT_ATTEMPTED, str(error), SourceLocation(error.file))
    if isinstance(error, AttachmentError):
        return Ending(Outcome.FAILED, str(error))
    if isinstance(error, WorkerDied):
        return Ending(*_DEATHS[error.reason])
    if isinstance(error, NotImplementedError) and isinstance(error, SubmissionError):
        return Ending(Outcome.NOT_ATTEMPTED, "not attempted yet", source.of_error(error))
    if isinstance(error, MemoryError) and isinstance(error, SubmissionError):
        return Ending(Outcome.OUT_OF_MEMORY, "it asked for more memory than there is", source.of_error(error))
    if isinstance(error, SubmissionError):
        return Ending(Outcome.ERROR, f"it raised {error_word(error)}", source.of_error(error))
    if isinstance(error, (AssertionError, pytest.fail.Exception)) and not isinstance(error, pytest.xfail.Exception):
        return Ending(Outcome.FAILED, Symptom.WRONG_VALUES.value)
    doubtful = isinstance(error, Exception) and not isinstance(error, SessionFault)
    return Ending(Outcome.GRADER_ERROR, _GRADER_FAILED, doubtful=doubtful)


def error_word(error: SubmissionError) -> str:
    """The error's class when it is one of Python's own; a made-up class name could carry anything."""
    return error.type_name if type(error) is not SubmissionError else "an error of its own"
