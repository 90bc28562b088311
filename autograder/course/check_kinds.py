"""What each check of a stage looks at, so that the form of a result pays only where its values are right.

``autograder verify --update`` finds the kinds by judging solutions with wrong values, and writes them to
``checks.lock.json``; plain ``verify`` compares.
"""

from collections.abc import Mapping
from enum import StrEnum

from autograder.course.lab import StageFolders
from autograder.course.lock_files import LockFile, encode_lock_file, read_lock_file


class CheckKind(StrEnum):
    """What a check looks at."""

    VALUES = "values"  # no solution with wrong values passes it
    FORM = "form"  # some solution with wrong values passes it: it looks at shape, dtype, device or consistency
    STRUCTURE = "structure"  # it looks at no result: parameters, submodules, errors


class _Lock(LockFile, frozen=True, kw_only=True):
    """The lock file: check → its kind."""

    checks: dict[str, CheckKind]


def read_check_kinds(stage: StageFolders) -> Mapping[str, CheckKind]:
    """Return the kind of each check; empty if the stage has no lock file yet.

    Raises:
        LabError: the file is not a lock file of this version.
    """
    lock = read_lock_file(stage.checks_lock, _Lock)
    return lock.checks if lock is not None else {}


def encode_check_kinds(kinds: Mapping[str, CheckKind]) -> bytes:
    """Return the content of a lock file."""
    return encode_lock_file(_Lock(checks=dict(kinds)))
