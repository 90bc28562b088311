"""The course as the companion sees it: stages, exercises, hints and public tests."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

COURSE_FILE = Path("lab") / "course.json"


class CompanionError(Exception):
    """A problem that the student can fix; the message says how, ``line`` is its line in a module."""

    def __init__(self, message: str, line: int | None = None) -> None:
        """Set the message, and the line in the module if there is one."""
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Exercise:
    """One function or class to write, or files to produce with the code.

    ``points`` is the most that it can earn when it is graded. ``tests`` are the names of its public tests.
    ``attachments`` are the names of its files, in the stage's folder. ``forbid`` are the functions and classes that the
    module must not call for it.
    """

    stage: str
    name: str
    title: str
    minutes: int
    points: int
    bonus: bool
    hints: tuple[str, ...]
    tests: tuple[str, ...]
    attachments: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Name of the exercise that is unique across all stages."""
        return f"{self.stage}/{self.name}"


@dataclass(frozen=True)
class Question:
    """A question of a lab sheet that a person grades; ``text`` is its cell as handed out."""

    name: str
    title: str
    points: int
    text: str


@dataclass(frozen=True)
class Stage:
    """One folder: a module to fill in, its lab sheet and its public tests.

    ``attachments`` are further files to hand in, each with its largest size in MB.
    """

    id: str
    title: str
    module: str
    needs: tuple[str, ...]
    due: datetime | None
    exercises: tuple[Exercise, ...]
    questions: tuple[Question, ...]
    stub: str
    attachments: tuple[tuple[str, int], ...] = ()

    @property
    def file(self) -> Path:
        """Path of the module to fill in, relative to the root of the repository."""
        return Path(self.id) / f"{self.module}.py"

    @property
    def sheet(self) -> Path:
        """Path of the lab sheet, relative to the root of the repository."""
        return Path(self.id) / f"{self.module}.ipynb"

    @property
    def tests(self) -> Path:
        """Path of the public tests, relative to the root of the repository."""
        return Path(self.id) / f"test_{self.module}.py"


@dataclass(frozen=True)
class Grading:
    """Where modules are graded.

    ``python`` and ``newest`` are the oldest and the newest Python that may grade. ``added`` maps names of the
    standard library to the newer Python that added them. A module can use the libraries in ``usable``; it may import
    those in ``importable``, but not use them.
    """

    python: str
    newest: str
    added: dict[str, str]
    usable: tuple[str, ...]
    importable: tuple[str, ...]


@dataclass(frozen=True)
class Course:
    """All stages, in the order to take them, the root of the repository, and where modules are graded."""

    name: str
    root: Path
    stages: tuple[Stage, ...]
    grading: Grading

    @classmethod
    def find(cls, start: Path | None = None) -> "Course":
        """Load the course around ``start`` (default: the current folder), else the course that holds this package.

        Raises:
            CompanionError: there is no course, or its description cannot be read.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
            if (folder / COURSE_FILE).is_file():
                return cls.load(folder)
        raise CompanionError(f"no {COURSE_FILE.as_posix()} in {here} or above it: run this inside your lab repository")

    @classmethod
    def load(cls, root: Path) -> "Course":
        """Load the course of the repository at ``root``.

        Raises:
            CompanionError: its description cannot be read.
        """
        file = root / COURSE_FILE
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            stages = tuple(_stage(stage) for stage in data["stages"])
            return cls(data["course"], root, stages, _grading(data["grading"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{file} cannot be read ({error}); fetch it again from the course's repository"
            raise CompanionError(message) from None

    @cached_property
    def exercises(self) -> tuple[Exercise, ...]:
        """Every exercise, in order."""
        return tuple(exercise for stage in self.stages for exercise in stage.exercises)

    def stage(self, stage_id: str) -> Stage:
        """Return the stage with that id."""
        return next(stage for stage in self.stages if stage.id == stage_id)

    def select(self, name: str) -> tuple[Exercise, ...]:
        """Return the exercises that a name selects: one exercise, or all of a stage.

        The name of a stage is its folder, its module or its number: ``2_attention``, ``attention`` or
        ``2``. If two stages have an exercise of the same name, write ``5_transformer/LayerNorm``.

        Raises:
            CompanionError: the name selects nothing, or several exercises.
        """
        wanted = name.strip().rstrip("/\\").casefold()
        found = [
            exercise for exercise in self.exercises if wanted in (exercise.name.casefold(), exercise.key.casefold())
        ]
        if len(found) > 1:
            keys = ", ".join(exercise.key for exercise in found)
            raise CompanionError(f"several stages have an exercise `{name}`; choose one: {keys}")
        if found:
            return (found[0],)
        for stage in self.stages:
            if wanted in _names(stage):
                return stage.exercises
        raise CompanionError(f"there is no exercise or stage called `{name}`{self._suggestion(name)}")

    def _suggestion(self, name: str) -> str:
        names = [*(exercise.name for exercise in self.exercises), *(stage.id for stage in self.stages)]
        lowered = {known.casefold(): known for known in names}
        close = difflib.get_close_matches(name.casefold(), lowered, n=1, cutoff=0.5)
        return f"; did you mean `{lowered[close[0]]}`?" if close else "; `lab status --all` lists them"


def _names(stage: Stage) -> Iterator[str]:
    yield stage.id.casefold()
    yield stage.module.casefold()
    yield stage.id.split("_")[0].casefold()


def _grading(data: dict[str, Any]) -> Grading:
    lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
    return Grading(**{**data, **lists})


def _stage(data: dict[str, Any]) -> Stage:
    return Stage(
        id=data["id"],
        title=data["title"],
        module=data["module"],
        needs=tuple(data["needs"]),
        due=datetime.fromisoformat(data["due"]) if data["due"] else None,
        exercises=tuple(_exercise(data["id"], exercise) for exercise in data["exercises"]),
        questions=tuple(Question(**question) for question in data["questions"]),
        stub=data["stub"],
        attachments=tuple(data["attachments"].items()),
    )


def _exercise(stage_id: str, data: dict[str, Any]) -> Exercise:
    lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
    return Exercise(stage=stage_id, **{**data, **lists})
