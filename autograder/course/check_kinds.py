"""What each check of a stage looks at, so that the form of a result pays only where its values are right.

``autograder verify --update`` finds the kinds by judging solutions with wrong values, and writes them to
``checks.lock.json``; plain ``verify`` compares.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from autograder.course.lab import LabError, StageFolders

LOCK_VERSION = 1


class CheckKind(StrEnum):
    """What a check looks at."""

    VALUES = "values"  # no solution with wrong values passes it
    FORM = (
        "form"  # it looks at results, and some solution with wrong values passes it: shape, dtype, device, consistency
    )
    STRUCTURE = "structure"  # it looks at no result: parameters, submodules, errors


class _Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format_version: int
    checks: dict[str, CheckKind]


def read_check_kinds(stage: StageFolders) -> Mapping[str, CheckKind]:
    """Return the kind of each check; empty if the stage has no lock file yet.

    Raises:
        LabError: the file is not a lock file of this version.
    """
    path = stage.checks_lock
    try:
        lock = msgspec.json.decode(path.read_bytes(), type=_Lock)
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: {error}; write it again with `autograder verify --update`") from error
    if lock.format_version != LOCK_VERSION:
        raise LabError(f"{path}: format_version {lock.format_version} is unknown; this program reads {LOCK_VERSION}")
    return lock.checks


def encode_check_kinds(kinds: Mapping[str, CheckKind]) -> bytes:
    """Return the content of a lock file: a line per check, so that a review shows what changed."""
    return (
        msgspec.json.format(msgspec.json.encode(_Lock(format_version=LOCK_VERSION, checks=dict(kinds))), indent=2)
        + b"\n"
    )
