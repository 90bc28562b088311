"""``lab submit``: packs the modules and lab sheets that you worked on, with a receipt. Nothing is sent."""

import hashlib
import json
import os
import re
import shutil
import stat
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lab.checking import ExerciseResult
from lab.course import CompanionError, Course, Stage
from lab.progress import ExerciseStatus, Progress, now, stage_status

FOLDER = "handin"
RECEIPT = "receipt.json"
# The largest files that the instructor's program accepts, in bytes.
LARGEST_MODULE = 256 * 1024
LARGEST_SHEET = 20 * 1024**2
_ALLOWED = frozenset("._-@+")
_LONGEST_ID = 64


@dataclass(frozen=True)
class PackedHandIn:
    """A hand-in on disk: the archive and its hash, the receipt, and name, hash and size of each packed file."""

    archive: Path
    receipt: Path
    digest: str
    files: tuple[tuple[str, str, int], ...]
    when: datetime


def student_id(text: str) -> str:
    """Return the id as the name of the archive.

    Raises:
        CompanionError: the id is empty, too long, or has a character that a file name may not have.
    """
    name = unicodedata.normalize("NFC", text.strip())
    bad = sorted({char for char in name if unicodedata.category(char)[0] not in "LMN" and char not in _ALLOWED})
    if bad:
        shown = " ".join("a space" if char == " " else char for char in bad)
        raise CompanionError(
            f"your id may have letters, digits and . _ - @ +, but not {shown}: write it as your course does"
        )
    if not name or len(name) > _LONGEST_ID or not re.match(r"\w", name):
        raise CompanionError("give the id that your course uses, such as `ada` or `s1234567`: lab submit --student ID")
    return name


def started_stages(course: Course, progress: Progress) -> tuple[Stage, ...]:
    """Return the stages in which at least one exercise was started."""
    untouched = {ExerciseStatus.NOT_STARTED}
    return tuple(
        stage for stage in course.stages if set(stage_status(course, stage, progress).exercises.values()) != untouched
    )


def pack(course: Course, stages: Sequence[Stage], student: str, results: Sequence[ExerciseResult]) -> PackedHandIn:
    """Write the archive of some stages and its receipt into a new folder.

    Raises:
        CompanionError: a file is missing, larger than the largest file that is graded, or not a plain file.
        OSError: the archive cannot be written; nothing is left of it.
    """
    when = now()
    limits = {path: limit for stage in stages for path, limit in _files(course.root, stage)}
    files = {path.as_posix(): _read(course.root, path, limit) for path, limit in limits.items()}
    listed = tuple((name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in files.items())
    receipt = {
        "format_version": 1,
        "course": course.name,
        "student": student,
        "packed": when.isoformat(timespec="seconds"),
        "files": [{"file": name, "sha256": digest, "bytes": size} for name, digest, size in listed],
        "public_tests": {result.exercise.key: result.passed for result in results},
    }
    folder = _new_folder(course.root, when)
    archive, beside = folder / f"{student}.zip", folder / RECEIPT
    try:
        _write_archive(archive, course.root, {**files, RECEIPT: _json(receipt)})
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        beside.write_bytes(_json({**receipt, "archive": archive.name, "archive_sha256": digest}))
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)  # half an archive looks like a hand-in
        raise
    return PackedHandIn(archive, beside, digest, listed, when)


def _files(root: Path, stage: Stage) -> Iterator[tuple[Path, int]]:
    """Yield the files to hand in of a stage, each with its largest size in bytes; attachments only if they exist."""
    yield stage.file, LARGEST_MODULE
    yield stage.sheet, LARGEST_SHEET
    for name, megabytes in stage.attachments:
        if os.path.lexists(root / stage.id / name):
            yield Path(stage.id) / name, megabytes * 1024**2


def _read(root: Path, path: Path, limit: int) -> bytes:
    _refuse_special(root, path)
    try:
        with (root / path).open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise CompanionError(f"{path.as_posix()} cannot be read: {error.strerror}") from None
    if len(content) > limit:
        advice = "; clear the outputs of its largest figures" if path.suffix == ".ipynb" else ""
        raise CompanionError(
            f"{path.as_posix()} is larger than {limit // 1024} KB, the largest size that is graded{advice}"
        )
    return content


def _refuse_special(root: Path, path: Path) -> None:
    """Refuse a link, which would pack another file, and a pipe or a device, which need not end."""
    for part in (*reversed(path.parents), path):
        try:
            mode = (root / part).lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            message = f"{path.as_posix()} is missing; a hand-in needs both the module and the lab sheet"
            raise CompanionError(message) from None
        if stat.S_ISLNK(mode) and part != Path():
            raise CompanionError(f"{part.as_posix()} is a link; replace it by the file or folder itself")
    if not stat.S_ISREG(mode):
        raise CompanionError(f"{path.as_posix()} is not a regular file; replace it by a file with this name")


def _new_folder(root: Path, when: datetime) -> Path:
    """Make a folder for this hand-in, so that earlier hand-ins stay unchanged."""
    name = f"{when:%Y%m%d-%H%M%S}"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = root / FOLDER / f"{name}{suffix}"
        if not folder.exists():
            folder.mkdir(parents=True)
            return folder
    raise CompanionError(f"{root / FOLDER} has a hundred hand-ins of this second; remove some")


def _write_archive(archive: Path, root: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            source = root / name
            stamp = datetime.fromtimestamp(source.stat().st_mtime) if source.is_file() else datetime.now()
            member = zipfile.ZipInfo(name, max(stamp, datetime(1980, 1, 1)).timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o100644 << 16  # a regular file, readable by all
            target.writestr(member, content)


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
