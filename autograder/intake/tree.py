"""A hand-in as a tree of entries, wherever it lies: nothing is read before it is asked for, nothing is followed."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autograder.intake.submission import RefusalReason, RefusedError, link, not_a_file, too_large, too_many_files

MOST_ENTRIES = 5000
DEEPEST = 10  # levels; what lies deeper is not looked at
# What tools and systems leave behind; nothing to grade lies in there. Names with a dot in front are left out, too.
_LEFTOVERS = frozenset({"__MACOSX", "__pycache__", "node_modules", "venv", "env", "site-packages"})


@dataclass(frozen=True)
class TreeEntry:
    """One file or folder. ``read(limit)`` gives a file's bytes.

    ``read`` raises ``RefusedError`` for whatever is no plain file of at most ``limit`` bytes.
    """

    is_folder: bool
    modified: datetime | None
    read: Callable[[int], bytes]
    is_link: bool = False


# Entries by their path below the root, with `/` between the parts.
Tree = dict[str, TreeEntry]


def is_leftover(name: str) -> bool:
    """Whether a file or folder is none of the student's own."""
    return name.startswith(".") or name in _LEFTOVERS


def top_level(tree: Tree) -> Tree:
    """The entries that lie in no folder."""
    return {path: entry for path, entry in tree.items() if "/" not in path}


def below(tree: Tree, folder: str) -> Tree:
    """The tree that one of the folders holds."""
    start = f"{folder}/"
    return {path.removeprefix(start): entry for path, entry in tree.items() if path.startswith(start)}


def read_folder(root: Path, *, depth: int = DEEPEST) -> Tree:
    """The tree of a folder on disk, down to ``depth`` levels.

    Raises:
        RefusedError: it cannot be listed, or holds more than anyone hands in.
    """
    tree: Tree = {}
    for path, entry in _walk(root, "", depth):
        tree[path] = entry
        if len(tree) > MOST_ENTRIES and depth > 1:
            raise too_many_files(root.name, MOST_ENTRIES)
    return tree


def _walk(root: Path, folder: str, depth: int) -> Iterator[tuple[str, TreeEntry]]:
    try:
        with os.scandir(root / folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise RefusedError(RefusalReason.UNREADABLE, folder or root.name, f"cannot be read: {error.strerror}") from None
    for entry in entries:
        if is_leftover(entry.name):
            continue
        path = f"{folder}/{entry.name}" if folder else entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        yield path, TreeEntry(is_folder, _modified(entry), _reader(root, path), entry.is_symlink())
        if is_folder and depth > 1:
            yield from _walk(root, path, depth - 1)


def _modified(entry: os.DirEntry[str]) -> datetime | None:
    try:
        return datetime.fromtimestamp(entry.stat(follow_symlinks=False).st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return None


def _reader(root: Path, path: str) -> Callable[[int], bytes]:
    return lambda limit: read_plain_file(root, path, limit)


def read_plain_file(root: Path, path: str, limit: int) -> bytes:
    """A file's bytes, following no link on the way from ``root`` and waiting for no pipe.

    Raises:
        RefusedError: a link, a second name of another file, no plain file, larger than ``limit`` bytes.
    """
    try:
        descriptor = _open(root, path)
    except OSError as error:
        if (root / path).is_symlink():
            raise link(path) from None
        raise RefusedError(RefusalReason.UNREADABLE, path, f"cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise not_a_file(path)
        if status.st_nlink != 1:
            what = "is a hard link, a second name of some other file; hand in a copy of it"
            raise RefusedError(RefusalReason.LINK, path, what)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise RefusedError(RefusalReason.UNREADABLE, path, f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(raw) > limit:
        raise too_large(path, limit)
    return raw


def _open(root: Path, path: str) -> int:
    """Open without following a link in any part of ``path``; a directory's descriptor stands in for its name."""
    *folders, name = path.split("/")
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            there = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = there
        # O_NONBLOCK: opening a pipe would otherwise wait for somebody to write into it.
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=here)
    finally:
        os.close(here)
