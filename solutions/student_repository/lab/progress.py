"""What the companion remembers between two commands: a small file of its own in ``.lab``, sent nowhere."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from lab.code import Module
from lab.course import Course, Exercise, LabError, Stage

STATE_FOLDER = ".lab"


class Standing(StrEnum):
    """Where an exercise stands. Passing public tests is no grade: hidden tests decide that."""

    NOT_STARTED = "not started"
    BEGUN = "begun"
    FAILING = "not there yet"
    CHANGED = "changed since its check"
    DONE = "public tests pass"


@dataclass
class Check:
    """The last check of an exercise, and which version of it was checked."""

    passed: bool
    digest: str
    when: str


@dataclass
class Progress:
    """Checks and hints by exercise, the student's id, and the exercise that ``watch`` is at."""

    checks: dict[str, Check] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)
    student: str | None = None

    @classmethod
    def load(cls, root: Path) -> "Progress":
        """What was remembered; nothing when there is no file, or one that cannot be read."""
        try:
            data: dict[str, Any] = json.loads(_file(root).read_text(encoding="utf-8"))
            checks = {key: Check(**check) for key, check in data["checks"].items()}
            hints = {key: int(level) for key, level in data["hints"].items()}
            return cls(checks, hints, data["student"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def save(self, root: Path) -> None:
        """Remember; a write that is cut short leaves what was there."""
        file = _file(root)
        file.parent.mkdir(exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        fresh.replace(file)

    def note(self, exercise: Exercise, digest: str, passed: bool) -> None:
        """Remember the result of a check."""
        self.checks[exercise.key] = Check(passed, digest, now().isoformat(timespec="seconds"))


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


def read_module(root: Path, stage: Stage) -> Module:
    """The student's module of a stage.

    Raises:
        LabError: it is missing, not UTF-8 or not Python yet.
    """
    file = root / stage.file
    try:
        return Module.parse(file.read_text(encoding="utf-8-sig"), stage.file.as_posix())
    except FileNotFoundError:
        raise LabError(f"{stage.file.as_posix()} is missing; get it back with `lab reset {stage.id}`") from None
    except UnicodeDecodeError:
        raise LabError(f"{stage.file.as_posix()} is not saved as UTF-8; save it so in your editor") from None


@dataclass(frozen=True)
class StageStanding:
    """Where a stage's exercises stand; ``problem`` says why its module cannot be read."""

    stage: Stage
    exercises: dict[str, Standing]
    problem: str = ""


def standing(course: Course, stage: Stage, progress: Progress) -> StageStanding:
    """Compare a stage's module with its stub and with what was checked last."""
    try:
        module = read_module(course.root, stage)
    except LabError as error:
        kept = {
            exercise.name: Standing.CHANGED if exercise.key in progress.checks else Standing.BEGUN
            for exercise in stage.exercises
        }
        return StageStanding(stage, kept, str(error))
    stub = Module.parse(stage.stub, stage.file.as_posix())
    return StageStanding(
        stage, {one.name: _standing(course.root, one, module, stub, progress) for one in stage.exercises}
    )


def version(root: Path, exercise: Exercise, module: Module, stub: Module) -> str | None:
    """Changes when what was made for an exercise changes; None while it is as it was handed out.

    Of an exercise that asks for files these are looked at, and None says that one of them is not there.
    """
    if not exercise.attachments:
        digest = module.digest(exercise.name)
        return None if digest == stub.digest(exercise.name) else digest
    files = [root / exercise.stage / name for name in exercise.attachments]
    if not all(file.is_file() for file in files):
        return None
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:16]


def _standing(root: Path, exercise: Exercise, module: Module, stub: Module, progress: Progress) -> Standing:
    digest = version(root, exercise, module, stub)
    if digest is None:
        return Standing.NOT_STARTED
    check = progress.checks.get(exercise.key)
    if check is None:
        return Standing.BEGUN
    if check.digest != digest:
        return Standing.CHANGED
    return Standing.DONE if check.passed else Standing.FAILING


def next_exercise(course: Course, progress: Progress) -> Exercise | None:
    """What to work on: the first exercise that is not done; extensions wait until all else is."""
    standings = {stage.id: standing(course, stage, progress).exercises for stage in course.stages}
    for exercise in sorted(course.exercises, key=lambda one: one.bonus):
        if standings[exercise.stage][exercise.name] is not Standing.DONE:
            return exercise
    return None


def _file(root: Path) -> Path:
    return root / STATE_FOLDER / "progress.json"
