"""Commitments to what the hidden tests draw: digests to publish before the due date, opened after it.

Each digest is an HMAC under a key of its stage, which is derived from the course's secret. Without the key, a digest
says nothing about the seed. With the key, everybody can verify it.
"""

import hmac
from collections.abc import Iterator
from pathlib import Path

import msgspec

from autograder.base.atomic_files import write_atomically
from autograder.base.digests import files_below
from autograder.base.errors import UnusableError
from autograder.base.json_bytes import decode_json
from autograder.base.sinks import json_text
from autograder.course.lab import Lab, StageFolders
from autograder.pipeline.secret import class_secret, course_secret, example_seed

FORMAT_VERSION = 1
_EXAMPLES, _TEXT, _CHECKS = "seed of the examples", "secret of the held-out text", "checks, points and targets"


class CommitmentError(UnusableError):
    """A file of commitments cannot be read, or contradicts what is to be written; the message names the stage."""


class Opened(msgspec.Struct, frozen=True):
    """What opens a commitment: the key of the digests, and the values that the stage draws from."""

    key: str
    seed: int
    held_out_text: str


class Commitment(msgspec.Struct, frozen=True):
    """The digests of one stage by name, and what opens them; None before the due date."""

    digests: dict[str, str]
    opened: Opened | None = None


class Commitments(msgspec.Struct, frozen=True, kw_only=True):
    """The published file."""

    format_version: int = FORMAT_VERSION
    course: str
    stages: dict[str, Commitment] = {}


def commitment(lab: Lab, stage: StageFolders, *, reveal: bool = False) -> Commitment:
    """Compute the commitment to a stage as it is now."""
    secret = course_secret(lab)
    key = hmac.digest(secret, f"commitment {stage.id}".encode(), "sha256")
    opened = Opened(key.hex(), example_seed(secret, stage.id), class_secret(secret, stage.id).hex())
    return Commitment(dict(_digests(stage, opened)), opened if reveal else None)


def differences(lab: Lab, stage: StageFolders, published: Commitment) -> list[str]:
    """Name what differs from a published commitment; its own key is used once it was opened."""
    if published.opened is not None:
        now = dict(_digests(stage, published.opened))
        secret = course_secret(lab)
        drawn = (example_seed(secret, stage.id), class_secret(secret, stage.id).hex())
        own = [] if drawn == (published.opened.seed, published.opened.held_out_text) else ["the course's secret"]
    else:
        now, own = commitment(lab, stage).digests, []
    names = sorted(now.keys() | published.digests.keys())
    return own + [name for name in names if now.get(name) != published.digests.get(name)]


def _digests(stage: StageFolders, opened: Opened) -> Iterator[tuple[str, str]]:
    key = bytes.fromhex(opened.key)
    checks = msgspec.json.encode(
        [stage.spec.exercises, stage.spec.targets, stage.spec.max_examples], order="deterministic"
    )
    values = {_EXAMPLES: str(opened.seed).encode(), _TEXT: opened.held_out_text.encode(), _CHECKS: checks}
    values |= {path.relative_to(stage.root).as_posix(): path.read_bytes() for path in files_below(stage.hidden_tests)}
    for name, value in values.items():
        yield name, hmac.digest(key, name.encode() + b"\0" + value, "sha256").hex()


def read_commitments(path: Path) -> Commitments:
    """Read a published file.

    Raises:
        CommitmentError: it cannot be read.
    """
    try:
        read = decode_json(path.read_bytes(), Commitments)
    except (OSError, msgspec.MsgspecError) as error:
        raise CommitmentError(f"{path} cannot be read as commitments: {error}") from None
    if read.format_version != FORMAT_VERSION:
        raise CommitmentError(f"{path} has format version {read.format_version}; this program reads {FORMAT_VERSION}")
    return read


def write_commitments(lab: Lab, path: Path, stages: list[StageFolders], *, reveal: bool) -> Commitments:
    """Add stages to the file, or open them in it. A commitment that was published is never replaced by another.

    Raises:
        CommitmentError: a stage has changed since it was committed to.
    """
    before = read_commitments(path) if path.exists() else Commitments(course=lab.config.course)
    made = dict(before.stages)
    for stage in stages:
        published = before.stages.get(stage.id)
        if published is not None and (changed := differences(lab, stage, published)):
            raise CommitmentError(
                f"{stage.id} has changed since it was committed to in {path}: {', '.join(changed)}. Restore it, or "
                "publish the change with a new file"
            )
        made[stage.id] = commitment(
            lab, stage, reveal=reveal or (published is not None and published.opened is not None)
        )
    result = msgspec.structs.replace(before, stages=made)
    write_atomically(path, json_text(result))
    return result
