"""A hand-in as a tree of entries: files are read on demand, and no link is followed."""

import contextlib
import functools
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from autograder.intake.refusals import RefusalReason, RefusedError, link, not_a_file, too_large, too_many_files

MOST_ENTRIES = 5000
DEEPEST = 10  # levels; deeper files are ignored
# Folders created by tools and systems, without anything to grade. Names that begin with a dot are ignored too.
_LEFTOVERS = frozenset({"__MACOSX", "__pycache__", "node_modules", "venv", "env", "site-packages"})


@dataclass(frozen=True)
class TreeEntry:
    """One file or folder. ``read(limit)`` returns a file's bytes.

    ``modified`` is the time that a student's archive states, with or without a zone; None for a file on disk,
    whose time is that of a copy.
    ``read`` raises ``RefusedError`` unless the entry is a regular file of at most ``limit`` bytes.
    """

    is_folder: bool
    modified: datetime | None
    read: Callable[[int], bytes]
    is_link: bool = False


# Entries by their path relative to the root, with `/` between the parts.
Tree = dict[str, TreeEntry]


def is_leftover(name: str) -> bool:
    """Whether a name belongs to a tool or system rather than to the student's work."""
    return name.startswith(".") or name in _LEFTOVERS


def top_level(tree: Tree) -> Tree:
    """The entries at the root of the tree."""
    return {path: entry for path, entry in tree.items() if "/" not in path}


def mounted(tree: Tree, folder: str) -> Tree:
    """The tree with a folder around it; the same tree if ``folder`` is empty."""
    if not folder:
        return tree
    return {folder: folder_entry(), **{f"{folder}/{path}": entry for path, entry in tree.items()}}


def visible(tree: Tree) -> Tree:
    """The tree without what tools and systems created."""
    return {path: entry for path, entry in tree.items() if not any(map(is_leftover, path.split("/")))}


def folder_entry() -> TreeEntry:
    """A folder that is implied by the paths of its files."""
    return TreeEntry(True, None, lambda limit: b"")


class HardLinks:
    """The hard links in a folder: a file in it may have several names, as in a class that was deduplicated."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def hold_all(self, status: os.stat_result) -> bool:
        """Whether all names of a file lie in the folder, so that it is not a file from elsewhere."""
        return self._names[status.st_dev, status.st_ino] >= status.st_nlink

    @functools.cached_property
    def _names(self) -> Counter[tuple[int, int]]:
        found: Counter[tuple[int, int]] = Counter()
        for folder, _, files in os.walk(self._folder):
            for file in files:
                with contextlib.suppress(OSError):
                    status = (Path(folder) / file).lstat()
                    found[status.st_dev, status.st_ino] += 1
        return found


def read_folder(root: Path, *, links: HardLinks | None = None) -> Tree:
    """Read a folder on disk as a tree.

    Args:
        root: The folder.
        links: The hard links of the class; None if the folder is the class.

    Raises:
        RefusedError: The folder cannot be listed, or contains too many files.
    """
    tree: Tree = {}
    for path, entry in _walk(root, "", DEEPEST, links or HardLinks(root)):
        tree[path] = entry
        if len(tree) > MOST_ENTRIES:
            raise too_many_files(root.name, MOST_ENTRIES)
    return visible(tree)


def list_folder(root: Path, links: HardLinks) -> Tree:
    """The entries of a folder on disk, folders of tools and systems included.

    Raises:
        RefusedError: The folder cannot be listed.
    """
    return {name: entry for name, entry in _walk(root, "", 1, links) if entry.is_folder or not is_leftover(name)}


def _walk(root: Path, folder: str, depth: int, links: HardLinks) -> Iterator[tuple[str, TreeEntry]]:
    try:
        with os.scandir(root / folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        raise RefusedError(RefusalReason.UNREADABLE, folder or root.name, f"cannot be read: {error.strerror}") from None
    for entry in entries:
        path = f"{folder}/{entry.name}" if folder else entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        yield path, TreeEntry(is_folder, None, partial(read_plain_file, root, path, links=links), entry.is_symlink())
        if is_folder and depth > 1 and not is_leftover(entry.name):
            yield from _walk(root, path, depth - 1, links)


def read_plain_file(root: Path, path: str, limit: int, *, links: HardLinks | None = None) -> bytes:
    """Read a file below ``root`` without following links and without blocking on a pipe.

    Args:
        root: The folder.
        path: The file, relative to ``root``.
        limit: The largest size in bytes.
        links: The hard links of the class; None refuses every hard link.

    Raises:
        RefusedError: The file is a link, a hard link to a file elsewhere, is not a regular file, or is larger than
            ``limit`` bytes.
    """
    with _opened_plain_file(root, path, links) as descriptor:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            raw = file.read(limit + 1)
    if len(raw) > limit:
        raise too_large(path, limit)
    return raw


@contextmanager
def _opened_plain_file(root: Path, path: str, links: HardLinks | None) -> Iterator[int]:
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
        if status.st_nlink != 1 and not (links is not None and links.hold_all(status)):
            # Not LINK: another program or person may have linked the file.
            what = "is a hard link to a file outside of the class; hand in a copy"
            raise RefusedError(RefusalReason.UNREADABLE, path, what)
        yield descriptor
    except OSError as error:
        raise RefusedError(RefusalReason.UNREADABLE, path, f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _open(root: Path, path: str) -> int:
    """Open a file without following a link in any part of ``path``: each folder is opened by descriptor."""
    *folders, name = path.split("/")
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            child = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = child
        # O_NONBLOCK: without it, opening a pipe would wait for a writer.
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=current)
    finally:
        os.close(current)
