"""Reads a clone: its current commit, and the time of the last commit that changed a file.

Git itself is never run in a student's repository, because its configuration and hooks can contain programs written by
the student. Dulwich reads the objects, and no configuration. A clone that refers to files outside of it is not read.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, Tree

from autograder.intake.limited import limited_to
from autograder.intake.refusals import RefusedError
from autograder.intake.tree import read_plain_file

_LARGEST_REFS = 4 * 1024 * 1024
_LARGEST_OBJECT = 16 * 1024 * 1024
_MOST_COMMITS = 5_000
_SECONDS = 3  # of CPU time for one stage
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH = re.compile(r"ref: (refs/heads/[\w./-]+)")


_AT_COMMIT = "at commit"


def commit_note(commit: str) -> str:
    """The note that a hand-in is the work tree of a commit."""
    return f"{_AT_COMMIT} {commit}"


def changed_note(path: str, note: str) -> str:
    """A commit note about a file that differs from the committed file."""
    return f"{path} has changes that are not in commit {note.removeprefix(_AT_COMMIT).strip()}"


def is_commit_note(note: str) -> bool:
    """Whether a note only names the commit: the hand-in needs no look."""
    return note.startswith(f"{_AT_COMMIT} ")


def commit_of(folder: Path) -> str | None:
    """The commit at a clone's HEAD; None if the folder is not a clone, is a linked work tree, or is damaged."""
    head = _read(folder, ".git/HEAD")
    if head is None or _COMMIT.fullmatch(head):
        return head
    branch = _BRANCH.fullmatch(head)
    if branch is None or ".." in branch[1]:
        return None
    loose = _read(folder, f".git/{branch[1]}")
    if loose is not None:
        return loose if _COMMIT.fullmatch(loose) else None
    for line in (_read(folder, ".git/packed-refs") or "").split("\n"):
        commit, _, name = line.partition(" ")
        if name == branch[1] and _COMMIT.fullmatch(commit):
            return commit
    return None


def _read(folder: Path, path: str) -> str | None:
    try:
        return read_plain_file(folder, path, _LARGEST_REFS).decode("ascii").strip()
    except (RefusedError, UnicodeDecodeError):
        return None


def commit_time(folder: Path, path: str, content: bytes) -> datetime | None:
    """Read the time of the last commit that changed a file.

    Args:
        folder: The clone.
        path: The file, relative to the clone.
        content: Its bytes on disk.

    Returns:
        The committer's time; None if the folder is not a clone, the history is cut off, or the file differs from the
        committed file.
    """
    head = commit_of(folder)
    if head is None or len(head) != 40:
        return None
    try:
        return limited_to(_SECONDS, path, last_change, os.fsencode(folder), head.encode(), os.fsencode(path), content)
    except RefusedError:
        return None


def is_changed(folder: Path, path: str, content: bytes) -> bool:
    """Whether a file of a clone differs from the committed file; False where that cannot be read."""
    head = commit_of(folder)
    if head is None or len(head) != 40:
        return False
    try:
        return limited_to(_SECONDS, path, differs, os.fsencode(folder), head.encode(), os.fsencode(path), content)
    except RefusedError:
        return False


def differs(folder: bytes, head: bytes, path: bytes, content: bytes) -> bool:
    """Whether a file differs from that of a commit; runs in the limited process.

    Raises:
        Exception: The clone is damaged.
    """
    git = Path(os.fsdecode(folder)) / ".git"
    if _leads_out(git):
        return False
    objects = DiskObjectStore(git / "objects", loose_object_size_limit=_LARGEST_OBJECT)
    return _blob(objects, _commit(objects, ObjectID(head)), path) not in _blobs(content)


def _blobs(content: bytes) -> set[ObjectID]:
    """The ids of a file as it is on disk, and with the line ends that Git may have stored."""
    return {Blob.from_string(text).id for text in (content, content.replace(b"\r\n", b"\n"))}


def last_change(folder: bytes, head: bytes, path: bytes, content: bytes) -> datetime | None:
    """Read the time of the last commit that changed a file; runs in the limited process.

    Raises:
        Exception: The clone is damaged or its history is cut off.
    """
    git = Path(os.fsdecode(folder)) / ".git"
    if _leads_out(git):
        return None
    blobs = _blobs(content)
    objects = DiskObjectStore(git / "objects", loose_object_size_limit=_LARGEST_OBJECT)
    commit = _commit(objects, ObjectID(head))
    if _blob(objects, commit, path) not in blobs:
        return None  # changed since the last commit
    for _ in range(_MOST_COMMITS):
        parents = (_commit(objects, parent) for parent in commit.parents)
        earlier = next((parent for parent in parents if _blob(objects, parent, path) in blobs), None)
        if earlier is None:
            return datetime.fromtimestamp(commit.commit_time, UTC)
        commit = earlier
    return None


def _leads_out(git: Path) -> bool:
    """Whether a clone takes objects from elsewhere, or holds a link or a special file."""
    if any(os.path.lexists(git / path) for path in ("commondir", "objects/info/alternates")):
        return True
    return not all(entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False) for entry in _walk(git))


def _walk(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    for entry in os.scandir(folder):
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)


def _commit(objects: DiskObjectStore, name: ObjectID) -> Commit:
    commit = objects[name]
    if not isinstance(commit, Commit):
        raise ValueError("the object is not a commit")
    return commit


def _blob(objects: DiskObjectStore, commit: Commit, path: bytes) -> ObjectID | None:
    """The id of the file at a path in a commit; None if the commit has no such file."""
    name: ObjectID = commit.tree
    for part in path.split(b"/"):
        tree = objects[name]
        if not isinstance(tree, Tree) or part not in tree:
            return None
        name = tree[part][1]
    return name
