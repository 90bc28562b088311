"""The result of intake: per student and stage, the checked source or the reason why it is missing."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from autograder.base.text import printable
from autograder.intake.notebooks import NO_ANSWERS, Answers


class IntakeError(Exception):
    """A path on the command line cannot be read as hand-ins; the message says what was expected."""


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


class RefusalReason(StrEnum):
    """Why a file is not graded."""

    MISSING = "missing"
    MISNAMED = "misnamed"  # missing, but a file with a similar name was handed in
    NOT_BEGUN = "not begun"  # the module is the stub as it was released
    AMBIGUOUS = "ambiguous"  # handed in more than once
    TOO_LARGE = "too large"
    LONG_LINE = "long line"
    NOT_TEXT = "not text"  # in another encoding, or binary
    NOT_A_MODULE = "not a module"  # a notebook, an exported sheet, a document
    LINK = "link"
    NOT_A_FILE = "not a file"  # a folder, a pipe or a device
    ARCHIVE = "archive"  # unreadable, or unlike any honest hand-in
    UNREADABLE = "unreadable"  # damaged on its way, or not to be read: the student's own copy may be right


@dataclass(frozen=True)
class Refusal:
    """The reason why a file is not graded; ``message`` tells the student the file, the problem and the fix."""

    reason: RefusalReason
    message: str
    file: str


ABSENT = (RefusalReason.MISSING, RefusalReason.MISNAMED)


class RefusedError(Exception):
    """A file or archive is refused; carries the refusal.

    The message consists of the file's name and ``what``, which states the problem and the fix.
    """

    def __init__(self, reason: RefusalReason, file: str, what: str) -> None:
        name = shown(file)
        super().__init__(f"{name} {what}")
        self.refusal = Refusal(reason, f"{name} {what}", name)


def link(file: str) -> RefusedError:
    """The refusal of a link: following it would read files that were not handed in."""
    return RefusedError(RefusalReason.LINK, file, "is a link; hand in the file itself")


def not_a_file(file: str) -> RefusedError:
    """The refusal of a folder, a pipe or a device."""
    return RefusedError(RefusalReason.NOT_A_FILE, file, "is not a regular file; hand in a file with this name")


def too_large(file: str, limit: int) -> RefusedError:
    """The refusal of a file larger than ``limit`` bytes."""
    size = f"{limit // 1024} KB" if limit < 1024**2 else f"{limit // 1024**2} MB"
    what = f"is larger than {size}, the size limit; remove data and output from it"
    return RefusedError(RefusalReason.TOO_LARGE, file, what)


def too_many_files(name: str, limit: int) -> RefusedError:
    """The refusal of a folder or archive with more than ``limit`` entries."""
    what = f"contains more than {limit} files; hand in only the lab's files"
    return RefusedError(RefusalReason.TOO_LARGE, name, what)


def shown(path: str) -> str:
    """A student's path, made safe for a message."""
    return printable(path, 120)


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
    """Where the time of a hand-in comes from; the first known source counts."""

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
