"""From the exception that ended a check to its outcome, symptom and location."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from autograder.base.errors import AttachmentError
from autograder.base.results import Outcome
from autograder.isolation.errors import DeathReason, SubmissionError, WorkerDied
from autograder.judge.attachments import NotHandedIn
from autograder.judge.crashes import error_sentence, missing_name, wrong_parameters
from autograder.judge.environment_errors import environment_problem
from autograder.judge.sessions import SessionFault
from autograder.judge.source_map import SourceLocation, SourceMap
from autograder.judge.symptoms import CheckFailure, Symptom
from autograder.judge.unrun import GRADER_FAILED

_DEATHS = {
    DeathReason.TIMEOUT: (Outcome.TIMEOUT, "your code exceeded its time limit"),
    DeathReason.OUT_OF_TIME: (Outcome.TIMEOUT, "ran out of time: your code used up the time limit of the whole stage"),
    DeathReason.OUT_OF_MEMORY: (Outcome.OUT_OF_MEMORY, "your code exceeded its memory limit"),
    DeathReason.EXITED: (Outcome.ERROR, "the process that ran your code ended unexpectedly"),
    DeathReason.OUTPUT: (Outcome.ERROR, "your code printed too much"),
    DeathReason.PROTOCOL: (Outcome.ERROR, "the result could not be read or is too large"),
}


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
        hint: a hint that fits this ending better than the check's own.
    """

    outcome: Outcome
    what: str = ""
    location: SourceLocation | None = None
    doubtful: bool = False
    forbidden: str = ""
    hint: str = ""


NOT_ATTEMPTED = "not attempted yet"
_RAISED = "NotImplementedError"
OUT_OF_TIME = Ending(*_DEATHS[DeathReason.OUT_OF_TIME])
NO_RECORD = Ending(Outcome.GRADER_ERROR, GRADER_FAILED)
UNUSABLE_RESULT = Ending(Outcome.FAILED, "the result cannot be checked: its type, shape or values are wrong")


def ending_of(error: BaseException | None, source: SourceMap, exercise: str = "") -> Ending:
    """Classify the exception that ended a check of an exercise; None is a pass."""
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
    if isinstance(error, SubmissionError):
        return _of_submission(error, source, exercise)
    if isinstance(error, (AssertionError, pytest.fail.Exception)) and not isinstance(error, pytest.xfail.Exception):
        return Ending(Outcome.FAILED, Symptom.WRONG_VALUES.value)
    doubtful = isinstance(error, Exception) and not isinstance(error, SessionFault)
    return Ending(Outcome.GRADER_ERROR, GRADER_FAILED, doubtful=doubtful)


def _of_submission(error: SubmissionError, source: SourceMap, exercise: str) -> Ending:
    location = source.of_error(error)
    if isinstance(error, MemoryError):
        return Ending(Outcome.OUT_OF_MEMORY, "your code requested more memory than is available", location)
    # PyTorch raises NotImplementedError as well, for dtypes that an operation does not have.
    if isinstance(error, NotImplementedError) and (not location or _RAISED in source.line(location.line)):
        needed = source.definition_at(location.line) if location else ""
        if exercise and needed != exercise and needed in source.contract:
            return Ending(Outcome.BLOCKED, f"needs `{needed}`, which is not attempted yet", location)
        return Ending(Outcome.NOT_ATTEMPTED, NOT_ATTEMPTED, location)
    if (problem := environment_problem(error, source.outline.imports)) is not None:
        return Ending(Outcome.ERROR, problem.what, location, hint=problem.hint)
    if missing := missing_name(error, source) or wrong_parameters(error, source, exercise):
        return Ending(Outcome.ERROR, *missing)
    return Ending(Outcome.ERROR, error_sentence(error, source), location)


def with_unfinished(endings: Mapping[str, Ending], exercises: Mapping[str, str]) -> dict[str, Ending]:
    """Tell an unfinished part of an exercise from an exercise that was not attempted.

    Args:
        endings: check → how it ended.
        exercises: check → its exercise.
    """
    attempted = {
        exercises.get(check)
        for check, ending in endings.items()
        if ending.outcome not in (Outcome.NOT_ATTEMPTED, Outcome.BLOCKED, Outcome.GRADER_ERROR)
    }
    return {
        check: replace(ending, outcome=Outcome.ERROR, what="this part of the exercise is not written yet")
        if ending.what == NOT_ATTEMPTED and exercises.get(check) in attempted
        else ending
        for check, ending in endings.items()
    }
