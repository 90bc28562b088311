"""The result of intake: per student and stage, the checked source or the reason why it is missing."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from autograder.intake.notebooks import NO_ANSWERS, Answers
from autograder.intake.refusals import Refusal


class Owed(Enum):
    """When a student owes a stage."""

    NEVER = "never"  # not graded in this run; listed so that its folders are recognised
    IF_HANDED_IN = "if handed in"  # graded because later stages use it; not an error if it is missing
    ONCE_BEGUN = "once begun"  # listed once any student has begun it; counts only for those who have begun it
    ALWAYS = "always"  # requested by name: counts 0 if the student has not begun it


@dataclass(frozen=True)
class StageFiles:
    """The expected files of a stage: ``STAGE/MODULE.py``, and a notebook of the same name beside it."""

    stage: str
    module: str
    owed: Owed = Owed.ONCE_BEGUN
    attachments: tuple[tuple[str, int], ...] = ()  # names of further files, and the size limit of each in MB

    @property
    def file(self) -> str:
        """The expected path of the module."""
        return f"{self.stage}/{self.module}.py"

    @property
    def own_names(self) -> frozenset[str]:
        """The names that only this stage's folder and files have."""
        return frozenset({self.stage, f"{self.module}.py", f"{self.module}.ipynb"})


@dataclass(frozen=True)
class Attachment:
    """A file handed in beside a module.

    Attributes:
        name: The name of the file.
        digest: A digest of the content, or the text of the refusal.
        read: Returns the bytes, read anew on each call, so that a class's models need not be in memory together.
            Raises ``RefusedError``.
    """

    name: str
    digest: str
    read: Callable[[], bytes]


class TimeSource(StrEnum):
    """Where the time of a hand-in comes from: the instructor's table, else the latest of what the others state."""

    RECEIPT = "receipt of lab submit"
    COMMIT = "commit"  # written by the student's machine; the time of the push is unknown
    STAMP = "timestamp file"
    TABLE = "--times"
    ARCHIVE = "archive"
    UNKNOWN = ""


@dataclass(frozen=True)
class StageSubmission:
    """One student's submission of one stage: either ``source`` or ``refusal`` is None.

    ``source`` is plain text whose lines end in line feeds. ``notes`` are for the instructor.
    ``handed_in`` is the time of the hand-in, None if it is unknown; ``time_source`` says where it comes from.
    ``owed`` is whether the stage was requested by name.
    """

    student: str
    stage: str
    source: str | None
    refusal: Refusal | None = None
    notes: tuple[str, ...] = ()
    handed_in: datetime | None = None
    time_source: TimeSource = TimeSource.UNKNOWN
    owed: bool = False
    answers: Answers = NO_ANSWERS
    attachments: tuple[Attachment, ...] = ()

    @property
    def digest(self) -> str:
        """A digest of what is graded: the source and its attachments, or the refusal."""
        if self.source is not None:
            attached = [part for attachment in self.attachments for part in (attachment.name, attachment.digest)]
            return _digest(["source", self.source, *attached])
        refusal = self.why_refused
        return _digest(["refused", refusal.reason, refusal.file, refusal.message])

    @property
    def why_refused(self) -> Refusal:
        """The refusal of a submission that has no source."""
        assert self.refusal is not None
        return self.refusal


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
