"""``lab submit``: packs the modules and lab sheets you worked on, with a receipt. Nothing is sent."""

import hashlib
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lab.checking import Checked
from lab.course import Course, LabError, Stage
from lab.progress import Progress, Standing, now, standing

FOLDER = "handin"
RECEIPT = "receipt.json"
# What your instructor's program takes at most.
LARGEST_MODULE = 256 * 1024
LARGEST_SHEET = 20 * 1024**2
_ALLOWED = frozenset("._-@+")
_LONGEST_ID = 64


@dataclass(frozen=True)
class Pack:
    """A hand-in that lies ready: the archive, its receipt, and what is in it."""

    archive: Path
    receipt: Path
    digest: str
    files: tuple[tuple[str, str, int], ...]
    when: datetime


def student_id(text: str) -> str:
    """The id as the archive's name.

    Raises:
        LabError: it is empty, too long, or holds what a file name may not hold.
    """
    name = unicodedata.normalize("NFC", text.strip())
    bad = sorted({one for one in name if unicodedata.category(one)[0] not in "LMN" and one not in _ALLOWED})
    if bad:
        shown = " ".join("a space" if one == " " else one for one in bad)
        raise LabError(f"your id may hold letters, digits and . _ - @ +, but not {shown}: write it as your course does")
    if not name or len(name) > _LONGEST_ID or not re.match(r"\w", name):
        raise LabError("give your id as your course knows you, such as `ada` or `s1234567`: lab submit --student ID")
    return name


def begun_stages(course: Course, progress: Progress) -> tuple[Stage, ...]:
    """The stages in which anything was written."""
    untouched = {Standing.NOT_STARTED}
    return tuple(
        stage for stage in course.stages if set(standing(course, stage, progress).exercises.values()) != untouched
    )


def pack(course: Course, stages: Sequence[Stage], student: str, checked: Sequence[Checked]) -> Pack:
    """Write the archive of some stages and its receipt into a folder of their own.

    Raises:
        LabError: a file is missing, or larger than can be graded.
    """
    when = now()
    wanted = {path: most for stage in stages for path, most in _files(course.root, stage)}
    files = {path.as_posix(): _read(course.root, path, most) for path, most in wanted.items()}
    listed = tuple((name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in files.items())
    receipt = {
        "format_version": 1,
        "course": course.name,
        "student": student,
        "packed": when.isoformat(timespec="seconds"),
        "files": [{"file": name, "sha256": digest, "bytes": size} for name, digest, size in listed],
        "public_tests": {one.exercise.key: one.passed for one in checked},
    }
    folder = _new_folder(course.root, when)
    archive = folder / f"{student}.zip"
    _write_archive(archive, course.root, {**files, RECEIPT: _json(receipt)})
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    beside = folder / RECEIPT
    beside.write_bytes(_json({**receipt, "archive": archive.name, "archive_sha256": digest}))
    return Pack(archive, beside, digest, listed, when)


def _files(root: Path, stage: Stage) -> Iterator[tuple[Path, int]]:
    """What is handed in of a stage, and the most bytes of each; further files as far as they were made."""
    yield stage.file, LARGEST_MODULE
    yield stage.sheet, LARGEST_SHEET
    for name, most_mb in stage.attachments:
        if (root / stage.id / name).is_file():
            yield Path(stage.id) / name, most_mb * 1024**2


def _read(root: Path, path: Path, limit: int) -> bytes:
    try:
        content = (root / path).read_bytes()
    except FileNotFoundError:
        raise LabError(f"{path.as_posix()} is missing; both the module and the lab sheet are handed in") from None
    if len(content) > limit:
        advice = "; clear the outputs of its largest figures" if path.suffix == ".ipynb" else ""
        raise LabError(f"{path.as_posix()} is larger than {limit // 1024} KB, more than is graded{advice}")
    return content


def _new_folder(root: Path, when: datetime) -> Path:
    """A folder per hand-in, so that an earlier one stays as it was."""
    name = f"{when:%Y%m%d-%H%M%S}"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = root / FOLDER / f"{name}{suffix}"
        if not folder.exists():
            folder.mkdir(parents=True)
            return folder
    raise LabError(f"{root / FOLDER} holds a hundred hand-ins of this second; remove some")


def _write_archive(archive: Path, root: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            source = root / name
            stamp = datetime.fromtimestamp(source.stat().st_mtime) if source.is_file() else datetime.now()
            member = zipfile.ZipInfo(name, max(stamp, datetime(1980, 1, 1)).timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o100644 << 16  # a plain file that may be read
            target.writestr(member, content)


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
