"""What the companion remembers between commands: one small file in ``.lab``; it is sent nowhere."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from lab.code import Module
from lab.course import CompanionError, Course, Exercise, Stage

STATE_FOLDER = ".lab"


class ExerciseStatus(StrEnum):
    """Status of an exercise. Passing public tests is not a grade: hidden tests decide that."""

    NOT_STARTED = "not started"
    STARTED = "started"
    FAILING = "not passing yet"
    CHANGED = "changed since the last check"
    DONE = "public tests pass"


@dataclass
class LastCheck:
    """Result of the last check of an exercise, and the version of the code that was checked."""

    passed: bool
    digest: str
    when: str


@dataclass
class Progress:
    """The last checks and the hints seen, both by exercise, and the student's id."""

    checks: dict[str, LastCheck] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)
    student: str | None = None

    @classmethod
    def load(cls, root: Path) -> "Progress":
        """Read the saved progress; an empty one if the file is missing or cannot be read."""
        try:
            data: dict[str, Any] = json.loads(_file(root).read_text(encoding="utf-8"))
            checks = {key: LastCheck(**check) for key, check in data["checks"].items()}
            hints = {key: int(level) for key, level in data["hints"].items()}
            return cls(checks, hints, data["student"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def save(self, root: Path) -> None:
        """Write the progress; an interrupted write leaves the old file.

        Raises:
            OSError: the file cannot be written.
        """
        file = _file(root)
        file.parent.mkdir(exist_ok=True)
        write_whole(file, (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode())

    def record_check(self, exercise: Exercise, digest: str, passed: bool) -> None:
        """Remember the result of a check."""
        self.checks[exercise.key] = LastCheck(passed, digest, now().isoformat(timespec="seconds"))


def write_whole(file: Path, content: bytes) -> None:
    """Write a file whole or not at all: on a full disk, the old file stays."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        fresh.write_bytes(content)
        if file.exists():
            shutil.copymode(file, fresh)
        fresh.replace(file)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def read_module(root: Path, stage: Stage) -> Module:
    """Read the student's module of a stage.

    Raises:
        CompanionError: the module is missing, not UTF-8 or not valid Python.
    """
    file = root / stage.file
    try:
        return Module.parse(file.read_text(encoding="utf-8-sig"), stage.file.as_posix())
    except FileNotFoundError:
        raise CompanionError(f"{stage.file.as_posix()} is missing; restore it with `lab reset {stage.id}`") from None
    except UnicodeDecodeError:
        raise CompanionError(f"{stage.file.as_posix()} is not UTF-8; save it as UTF-8 in your editor") from None


@dataclass(frozen=True)
class StageStatus:
    """Status of each exercise of a stage; ``problem`` says why the module cannot be read."""

    stage: Stage
    exercises: dict[str, ExerciseStatus]
    problem: str = ""


def stage_status(course: Course, stage: Stage, progress: Progress) -> StageStatus:
    """Compare a stage's module with its stub and with the version checked last."""
    try:
        module = read_module(course.root, stage)
    except CompanionError as error:
        unread = {
            exercise.name: ExerciseStatus.CHANGED if exercise.key in progress.checks else ExerciseStatus.STARTED
            for exercise in stage.exercises
        }
        return StageStatus(stage, unread, str(error))
    stub = Module.parse(stage.stub, stage.file.as_posix())
    return StageStatus(
        stage,
        {exercise.name: _status(course.root, exercise, module, stub, progress) for exercise in stage.exercises},
    )


def version(root: Path, exercise: Exercise, module: Module, stub: Module) -> str | None:
    """Return a hash of the student's work on an exercise; None while it is unchanged from the stub.

    If the exercise requires files, the hash is that of the files, and None means that a file is missing.
    """
    if not exercise.attachments:
        digest = module.digest(exercise.name)
        return None if digest == stub.digest(exercise.name) else digest
    files = [root / exercise.stage / name for name in exercise.attachments]
    if not all(file.is_file() for file in files):
        return None
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:16]


def _status(root: Path, exercise: Exercise, module: Module, stub: Module, progress: Progress) -> ExerciseStatus:
    digest = version(root, exercise, module, stub)
    if digest is None:
        return ExerciseStatus.NOT_STARTED
    check = progress.checks.get(exercise.key)
    if check is None:
        return ExerciseStatus.STARTED
    if check.digest != digest:
        return ExerciseStatus.CHANGED
    return ExerciseStatus.DONE if check.passed else ExerciseStatus.FAILING


def next_exercise(course: Course, progress: Progress) -> Exercise | None:
    """Return the first exercise that is not done; extensions come after all required exercises."""
    statuses = {stage.id: stage_status(course, stage, progress).exercises for stage in course.stages}
    for exercise in sorted(course.exercises, key=lambda exercise: exercise.bonus):
        if statuses[exercise.stage][exercise.name] is not ExerciseStatus.DONE:
            return exercise
    return None


def selected(course: Course, progress: Progress, names: Sequence[str]) -> tuple[Exercise, ...]:
    """Return the named exercises, each once; without names, the next exercise.

    Raises:
        CompanionError: a name selects nothing or several exercises, or every exercise is done.
    """
    if names:
        return tuple(dict.fromkeys(exercise for name in names for exercise in course.select(name)))
    upcoming = next_exercise(course, progress)
    if upcoming is None:
        raise CompanionError("every exercise passes its public tests; name an exercise, or hand in with `lab submit`")
    return (upcoming,)


def _file(root: Path) -> Path:
    return root / STATE_FOLDER / "progress.json"
