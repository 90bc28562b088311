"""What intake yields: per student and stage the checked source, or the reason there is none."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from autograder.base.text import printable
from autograder.intake.notebooks import NO_ANSWERS, Answers


class IntakeError(Exception):
    """A path that was given cannot be taken in at all; the message says what was looked for."""


class Owed(Enum):
    """From whom a stage is expected."""

    NEVER = "never"  # known, so that folders can be told apart, but not graded now
    IF_HANDED_IN = "if handed in"  # graded for the sake of later stages; not missed where it is not there
    ONCE_BEGUN = "once begun"  # a stage that nobody has handed in yet is no zero for the whole class
    ALWAYS = "always"


@dataclass(frozen=True)
class StageFiles:
    """What to look for: ``STAGE/MODULE.py``, and a notebook of the same name beside it."""

    stage: str
    module: str
    owed: Owed = Owed.ONCE_BEGUN
    attachments: tuple[tuple[str, int], ...] = ()  # names of further files, and the most MB of each

    @property
    def file(self) -> str:
        """Where the module is expected."""
        return f"{self.stage}/{self.module}.py"

    @property
    def own_names(self) -> frozenset[str]:
        """Names that only this stage's folder and files have."""
        return frozenset({self.stage, f"{self.module}.py", f"{self.module}.ipynb"})


class RefusalReason(StrEnum):
    """Why a file is not judged."""

    MISSING = "missing"
    AMBIGUOUS = "ambiguous"  # handed in more than once
    TOO_LARGE = "too large"
    LONG_LINE = "long line"
    NOT_TEXT = "not text"  # another encoding, or no text at all
    LINK = "link"
    NOT_A_FILE = "not a file"  # a folder, a pipe, a device
    ARCHIVE = "archive"  # one that cannot be read, or that no honest hand-in looks like
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Refusal:
    """A file that is not judged: ``message`` tells the student what, where and the way out."""

    reason: RefusalReason
    message: str
    file: str


class RefusedError(Exception):
    """Raised where a file or archive turns out to be unfit; carries the refusal.

    Its message is the file's name and ``what``: what is wrong with it and the way out.
    """

    def __init__(self, reason: RefusalReason, file: str, what: str) -> None:
        name = shown(file)
        super().__init__(f"{name} {what}")
        self.refusal = Refusal(reason, f"{name} {what}", name)


def link(file: str) -> RefusedError:
    """The refusal of a link: following it would read files that nobody handed in."""
    return RefusedError(RefusalReason.LINK, file, "is a link; hand in the file itself")


def not_a_file(file: str) -> RefusedError:
    """The refusal of a folder, a pipe or a device."""
    return RefusedError(RefusalReason.NOT_A_FILE, file, "is no file; hand in a plain text file of that name")


def too_large(file: str, limit: int) -> RefusedError:
    """The refusal of a file that is larger than ``limit`` bytes."""
    size = f"{limit // 1024} KB" if limit < 1024**2 else f"{limit // 1024**2} MB"
    what = f"is larger than {size}, the most that is read; take data and output out of it"
    return RefusedError(RefusalReason.TOO_LARGE, file, what)


def too_many_files(name: str, limit: int) -> RefusedError:
    """The refusal of a folder or archive with more than ``limit`` entries."""
    what = f"holds more than {limit} files; hand in the lab's files only"
    return RefusedError(RefusalReason.TOO_LARGE, name, what)


def shown(path: str) -> str:
    """A student's path, fit for a message."""
    return printable(path, 120)


@dataclass(frozen=True)
class Attachment:
    """A file that was handed in beside a module.

    Attributes:
        name: of the file.
        digest: of its content, or of why it is not taken.
        read: its bytes, read anew each time: a class's models need not be in memory together. Raises ``RefusedError``.
    """

    name: str
    digest: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class StageSubmission:
    """One student's hand-in of one stage: either ``source`` or ``refusal`` is None.

    ``source`` is plain text whose lines end in line feeds. ``notes`` are for the instructor.
    ``handed_in`` is the best that the hand-in tells: nbgrader's time stamp, else the file's own time;
    None for a clone.
    """

    student: str
    stage: str
    source: str | None
    refusal: Refusal | None = None
    notes: tuple[str, ...] = ()
    handed_in: datetime | None = None
    answers: Answers = NO_ANSWERS
    attachments: tuple[Attachment, ...] = ()

    @property
    def digest(self) -> str:
        """Identifies what is graded: the source and what was handed in beside it, or why there is none."""
        if self.source is not None:
            attached = [part for one in self.attachments for part in (one.name, one.digest)]
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
