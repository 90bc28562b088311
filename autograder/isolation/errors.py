"""The errors of a request: the submission's own exception, or the death of its worker."""

import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autograder.isolation.wire import ERROR_NAMES, ProtocolError


@dataclass(frozen=True)
class TracebackFrame:
    """One line of the submission in the traceback of an error."""

    file: str
    line: int
    function: str


class SubmissionError(Exception):
    """An exception raised by the submission's code.

    A builtin error, or a subclass of one, arrives under the builtin's name and as an instance of it, so
    ``pytest.raises(ValueError)`` works. Any other exception (the submission's own classes, SystemExit,
    an outcome of pytest) arrives as a plain ``SubmissionError`` under its own name.

    Attributes:
        type_name: The name of the error's class.
        message: The error's text, written by the student: never show it as feedback on a hidden check.
        frames: The submission's lines in the traceback, outermost first.
    """

    def __init__(self, type_name: str, message: str, frames: Sequence[TracebackFrame] = ()) -> None:
        self.type_name = type_name
        self.message = message
        self.frames = tuple(frames)
        super().__init__(f"{type_name}: {message}")

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}"

    @staticmethod
    def of(type_name: str, message: str, frames: Sequence[TracebackFrame] = ()) -> "SubmissionError":
        """The error for a reported class name; also an instance of the builtin error of that name, if any."""
        return _BY_NAME.get(type_name, SubmissionError)(type_name, message, frames)


_BY_NAME: dict[str, type[SubmissionError]] = {
    name: type(f"Submission{name}", (SubmissionError, getattr(builtins, name)), {"__module__": __name__})
    for name in ERROR_NAMES
}


def value_of(answer: Any) -> Any:
    """The value in an executor's answer.

    Raises:
        SubmissionError: The answer is an error.
        ProtocolError: The answer is malformed. (Not a ValueError, which the submission may have raised.)
    """
    match answer:
        case ["value", value]:
            return value
        case ["error", str(name), str(message), list(frames)]:
            raise SubmissionError.of(name, message, [_frame(frame) for frame in frames])
    raise ProtocolError("an answer is neither a value nor an error")


def _frame(frame: Any) -> TracebackFrame:
    match frame:
        case (str(file), int(line), str(function)):
            return TracebackFrame(file[:100], line, function[:100])
    raise ProtocolError("a traceback frame is malformed")


class DeathReason(StrEnum):
    """Why a worker died."""

    TIMEOUT = "timeout"
    OUT_OF_TIME = "out of time"  # the workers of a submission used up the time that they share
    OUT_OF_MEMORY = "out of memory"
    EXITED = "exited"
    PROTOCOL = "protocol"
    OUTPUT = "output"


class WorkerDied(Exception):
    """The worker has ended; every later request to it raises the same error.

    Attributes:
        reason: Why the worker ended.
        detail: Details for the instructor's log; may hold text that the submission printed.
    """

    def __init__(self, reason: DeathReason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else str(reason))


class TemplateError(ChildProcessError):
    """The template could not start, or ended. Never the submission's fault; the message names the fix."""


class IsolationUnavailable(TemplateError):
    """This machine cannot isolate student code."""
