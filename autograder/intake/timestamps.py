"""The time of a hand-in. The file system's time is never used: it is the time of a copy or of a download.

A student can write each source that is read here. The latest time counts, so that no further source makes work earlier;
the instructor's table (``time_table``) counts before all of them.
"""

import hashlib
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from autograder.intake.git import commit_time
from autograder.intake.limited import limited
from autograder.intake.locate import locate
from autograder.intake.notebooks import LARGEST_NOTEBOOK
from autograder.intake.refusals import RefusedError
from autograder.intake.submission import StageFiles, TimeSource
from autograder.intake.tree import Tree, read_plain_file

# nbgrader writes this file beside the notebook when it collects submissions: `2026-03-01 11:58:03.120000 UTC`.
STAMP = "timestamp.txt"
RECEIPT = "receipt.json"  # written by `lab submit`
_LONGEST_STAMP = 200
_LARGEST_RECEIPT = 1024 * 1024
_ZONED = re.compile(r"(.*\d)\s*(Z|[+-]\d\d:?\d\d|[A-Za-z][\w/+-]*)")

Time = tuple[datetime | None, TimeSource]


class _ReceiptFile(msgspec.Struct):
    file: str
    sha256: str


class _Receipt(msgspec.Struct):
    packed: datetime
    files: list[_ReceiptFile]


def time_of(tree: Tree, folder: Path | None, stage: StageFiles) -> Time:
    """Read the time when a stage was handed in: that of its module, or of its notebook if there is no module.

    Args:
        tree: the hand-in.
        folder: the folder on disk that the tree was read from; None for an archive.
        stage: the stage.

    Returns:
        The latest time that a source states, and that source. A time without a zone, which cannot be compared, is
        returned if there is no other.
    """
    for suffix in (".py", ".ipynb"):
        try:
            path = locate(tree, stage, suffix)
            content = tree[path].read(LARGEST_NOTEBOOK)
        except RefusedError:
            continue
        return _time_of_file(tree, folder, path, content)
    return None, TimeSource.UNKNOWN


def _time_of_file(tree: Tree, folder: Path | None, path: str, content: bytes) -> Time:
    stated = [(_receipt_time(tree, path, content), TimeSource.RECEIPT)]
    in_archive = tree[path].modified if folder is None else None
    if in_archive is not None and in_archive.utcoffset() is not None:
        stated.append((in_archive, TimeSource.ARCHIVE))
    # In an archive, the time stamp of nbgrader is one that the student packed.
    if folder is not None:
        stated.append((stamped(tree, path.rpartition("/")[0]), TimeSource.STAMP))
        if (clone := _clone_around(folder, path)) is not None:
            committed = commit_time(folder / clone, PurePosixPath(path).relative_to(clone).as_posix(), content)
            stated.append((committed, TimeSource.COMMIT))
    known = [(moment, source) for moment, source in stated if moment is not None]
    if known:
        return max(known, key=lambda time: time[0])
    return in_archive, TimeSource.ARCHIVE if in_archive is not None else TimeSource.UNKNOWN


def _receipt_time(tree: Tree, path: str, content: bytes) -> datetime | None:
    """The time in the receipt that lists exactly this file; a receipt of another version does not count."""
    digest = hashlib.sha256(content).hexdigest()
    for parent in PurePosixPath(path).parents:
        entry = tree.get((parent / RECEIPT).as_posix())
        if entry is None:
            continue
        name = os.fsencode(PurePosixPath(path).relative_to(parent))
        try:
            packed = limited(RECEIPT, time_in_receipt, entry.read(_LARGEST_RECEIPT), name, digest)
        except RefusedError:
            continue
        if packed is not None:
            return packed
    return None


def time_in_receipt(raw: bytes, name: bytes, digest: str) -> datetime | None:
    """The time in a receipt that lists a file with this content; runs in the limited process.

    Raises:
        MsgspecError: The receipt is not the companion's.
    """
    receipt = msgspec.json.decode(raw, type=_Receipt)
    listed = any((os.fsencode(file.file), file.sha256) == (name, digest) for file in receipt.files)
    return receipt.packed if listed and receipt.packed.utcoffset() is not None else None


def _clone_around(folder: Path, path: str) -> PurePosixPath | None:
    """The innermost clone that contains a file, relative to ``folder``."""
    return next((parent for parent in PurePosixPath(path).parents if (folder / parent / ".git").exists()), None)


def stamped(tree: Tree, folder: str) -> datetime | None:
    """The time in nbgrader's ``timestamp.txt`` in a folder of the tree; None if it is missing or unreadable."""
    entry = tree.get(f"{folder}/{STAMP}" if folder else STAMP)
    return _stamp(entry.read) if entry is not None else None


def read_stamp(folder: Path) -> datetime | None:
    """The time in nbgrader's ``timestamp.txt`` in a folder on disk; None if it is missing or unreadable."""
    return _stamp(partial(read_plain_file, folder, STAMP))


def _stamp(read: Callable[[int], bytes]) -> datetime | None:
    try:
        return parse_stamp(read(_LONGEST_STAMP).decode("ascii"))
    except (RefusedError, UnicodeDecodeError):
        return None


def parse_stamp(text: str) -> datetime | None:
    """Parse a time in nbgrader's format; without a zone it is UTC, as in nbgrader."""
    text = text.strip()
    zoned = _ZONED.fullmatch(text)
    moment, zone = (zoned[1], zoned[2]) if zoned else (text, "UTC")
    try:
        if zone[0] in "+-" or zone == "Z":
            return datetime.fromisoformat(moment + zone)
        return datetime.fromisoformat(moment).replace(tzinfo=UTC if zone in ("UTC", "GMT") else ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return None
