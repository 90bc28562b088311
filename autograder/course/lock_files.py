"""Lock files of a stage: what ``autograder verify --update`` finds by judging, as JSON that a review can read."""

from pathlib import Path
from typing import TypeVar

import msgspec

from autograder.course.lab import LabError

LOCK_VERSION = 1


class LockFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields that all lock files share."""

    format_version: int = LOCK_VERSION


Lock = TypeVar("Lock", bound=LockFile)


def read_lock_file(path: Path, kind: type[Lock]) -> Lock | None:
    """Read a lock file; None if it does not exist yet.

    Raises:
        LabError: the file is not a lock file of this kind and version.
    """
    try:
        lock = msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: {error}; write it again with `autograder verify --update`") from error
    if lock.format_version != LOCK_VERSION:
        raise LabError(f"{path}: format_version {lock.format_version} is unknown; this program reads {LOCK_VERSION}")
    return lock


def encode_lock_file(lock: LockFile) -> bytes:
    """Return the content of a lock file: a line per entry, so that a review shows what changed."""
    return msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n"
