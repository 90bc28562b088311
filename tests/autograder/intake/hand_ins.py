"""Builds hand-ins for tests: folders and archives from plain dictionaries."""

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from autograder.intake import StageFiles, StageSubmission, take_in

KERNELS = StageFiles("1_kernels", "kernels")
ATTENTION = StageFiles("2_attention", "attention")
STAGES = (KERNELS, ATTENTION)

Files = Mapping[str, str | bytes]


def lay_out(root: Path, files: Files) -> Path:
    """Write files below a folder; a path that ends in ``/`` creates an empty folder."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(content))
    return root


def zipped(files: Files, *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, as_bytes(content))
    return buffer.getvalue()


def zipped_link(name: str, target: str) -> bytes:
    """A zip whose only member is a symbolic link, as Unix programs store it."""
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, target)
    return buffer.getvalue()


def tarred(files: Files, *, links: Mapping[str, str] | None = None, kind: bytes = tarfile.SYMTYPE) -> bytes:
    """A compressed tar with reproducible bytes, because pytest names tests after short values."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(as_bytes(content))
            member.mtime = 1_772_366_400  # 2026-03-01 12:00 UTC
            archive.addfile(member, io.BytesIO(as_bytes(content)))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return gzip.compress(buffer.getvalue(), mtime=0)


def as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def taken(*paths: Path) -> dict[tuple[str, str], StageSubmission]:
    """The submissions that intake reads from paths, by student and stage."""
    return {(submission.student, submission.stage): submission for submission in take_in(paths, STAGES)}


def sources(*paths: Path) -> dict[tuple[str, str], str | None]:
    return {key: submission.source for key, submission in taken(*paths).items()}


def refusal(submission: StageSubmission) -> tuple[str, str]:
    """The reason and the message of a refused submission."""
    assert submission.source is None
    assert submission.refusal is not None
    return submission.refusal.reason.name, submission.refusal.message
