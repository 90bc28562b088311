"""Why a path, a file or an archive is refused."""

from dataclasses import dataclass
from enum import StrEnum

from autograder.base.text import printable


class IntakeError(Exception):
    """A path on the command line cannot be read as hand-ins; the message says what was expected."""


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

    @classmethod
    def of(cls, refusal: Refusal) -> "RefusedError":
        """The error that carries this refusal."""
        error = cls(refusal.reason, refusal.file, "")
        error.args, error.refusal = (refusal.message,), refusal
        return error


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
