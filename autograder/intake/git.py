"""Reads the current commit of a clone from its files.

Git itself is never run in a student's repository, because its configuration and hooks can contain programs
written by the student.
"""

import re
from pathlib import Path

from autograder.intake.submission import RefusedError
from autograder.intake.tree import read_plain_file

_LARGEST_REFS = 4 * 1024 * 1024
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH = re.compile(r"ref: (refs/heads/[\w./-]+)")


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
