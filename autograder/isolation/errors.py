"""What can come back instead of a value: the submission's own error, or a worker that died."""

import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autograder.isolation.wire import ERROR_NAMES, ProtocolError


@dataclass(frozen=True)
class TracebackFrame:
    """One line of the submission that an error passed through."""

    file: str
    line: int
    function: str


class SubmissionError(Exception):
    """The submission's code raised.

    ``type_name`` is the builtin error that it is or descends from, and this object then is an instance
    of that too, so ``pytest.raises(ValueError)`` works. Anything else (its own classes, SystemExit,
    an outcome of pytest) arrives as a plain ``SubmissionError`` under its own name.

    Attributes:
        type_name: name of the error's class.
        message: its text, the student's words: never show it as feedback on a hidden check.
        frames: the submission's lines that it passed through, outermost first.
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
        """The error for a reported class name, as an instance of the builtin error where it is one."""
        return _BY_NAME.get(type_name, SubmissionError)(type_name, message, frames)


_BY_NAME: dict[str, type[SubmissionError]] = {
    name: type(f"Submission{name}", (SubmissionError, getattr(builtins, name)), {"__module__": __name__})
    for name in ERROR_NAMES
}


def value_of(answer: Any) -> Any:
    """The value in an executor's answer.

    Raises:
        SubmissionError: the answer is an error.
        ProtocolError: it is no answer. (Not a ValueError, which the submission may have raised.)
    """
    match answer:
        case ["value", value]:
            return value
        case ["error", str(name), str(message), list(places)]:
            raise SubmissionError.of(name, message, [_frame(place) for place in places])
    raise ProtocolError("neither a value nor an error")


def _frame(place: Any) -> TracebackFrame:
    match place:
        case (str(file), int(line), str(function)):
            return TracebackFrame(file[:100], line, function[:100])
    raise ProtocolError("a place that is none")


class DeathReason(StrEnum):
    """Why a worker ended before its time."""

    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out of memory"
    EXITED = "exited"
    PROTOCOL = "protocol"
    OUTPUT = "output"


class WorkerDied(Exception):
    """The worker is gone, and every later request to it says so again.

    Attributes:
        reason: what ended it.
        detail: more, for the instructor's log; may hold what the submission wrote.
    """

    def __init__(self, reason: DeathReason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else str(reason))


class TemplateError(ChildProcessError):
    """The template could not start, or ended; the message says what to do. Never a submission's fault."""


class IsolationUnavailable(TemplateError):
    """This machine has no means to isolate student code."""
