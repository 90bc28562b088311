"""The course as the companion knows it: stages, exercises, hints, public tests."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

COURSE_FILE = Path("lab") / "course.json"


class LabError(Exception):
    """Something a student can mend; the message says how, ``line`` where in a module it is."""

    def __init__(self, message: str, line: int | None = None) -> None:
        """Say what is wrong, and the line of the module where there is one."""
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Exercise:
    """One function or class to write, or files to make with what was written.

    ``points`` is what it can earn when it is graded; ``tests`` are the names of its public tests, and
    ``attachments`` those of the files, in the stage's folder.
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

    @property
    def key(self) -> str:
        """What the exercise is called where all stages are together."""
        return f"{self.stage}/{self.name}"


@dataclass(frozen=True)
class Stage:
    """One folder: a module to fill in, its lab sheet and its public tests.

    ``attachments`` are further files that are handed in, with the most MB that each may have.
    """

    id: str
    title: str
    module: str
    needs: tuple[str, ...]
    due: datetime | None
    exercises: tuple[Exercise, ...]
    questions: tuple[str, ...]
    stub: str
    attachments: tuple[tuple[str, int], ...] = ()

    @property
    def file(self) -> Path:
        """The module to fill in, seen from the top of the repository."""
        return Path(self.id) / f"{self.module}.py"

    @property
    def sheet(self) -> Path:
        """The lab sheet, seen from the top of the repository."""
        return Path(self.id) / f"{self.module}.ipynb"

    @property
    def tests(self) -> Path:
        """The public tests, seen from the top of the repository."""
        return Path(self.id) / f"test_{self.module}.py"


@dataclass(frozen=True)
class Course:
    """All stages, in the order to take them, and the folder they lie in."""

    name: str
    root: Path
    stages: tuple[Stage, ...]

    @classmethod
    def find(cls, start: Path | None = None) -> "Course":
        """The course around ``start`` (the current folder by default), else the one this package lies in.

        Raises:
            LabError: there is none, or its description cannot be read.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
            if (folder / COURSE_FILE).is_file():
                return cls.load(folder)
        raise LabError(f"no {COURSE_FILE.as_posix()} in {here} or above it: run this inside your lab repository")

    @classmethod
    def load(cls, root: Path) -> "Course":
        """The course whose repository starts at ``root``.

        Raises:
            LabError: its description cannot be read.
        """
        file = root / COURSE_FILE
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            return cls(data["course"], root, tuple(_stage(stage) for stage in data["stages"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabError(f"{file} cannot be read ({error}); fetch it again from the course's repository") from None

    @cached_property
    def exercises(self) -> tuple[Exercise, ...]:
        """Every exercise, in order."""
        return tuple(exercise for stage in self.stages for exercise in stage.exercises)

    def stage(self, stage_id: str) -> Stage:
        """The stage of that id."""
        return next(stage for stage in self.stages if stage.id == stage_id)

    def select(self, name: str) -> tuple[Exercise, ...]:
        """The exercises that a name stands for: one exercise, or all of a stage.

        A stage may be called by its folder, its module or its number: ``2_attention``, ``attention`` or
        ``2``. Where two stages have an exercise of one name, write ``5_transformer/LayerNorm``.

        Raises:
            LabError: the name stands for nothing, or for several exercises.
        """
        wanted = name.strip().rstrip("/\\").casefold()
        found = [one for one in self.exercises if wanted in (one.name.casefold(), one.key.casefold())]
        if len(found) > 1:
            raise LabError(f"`{name}` is an exercise in several stages; say which: {', '.join(e.key for e in found)}")
        if found:
            return (found[0],)
        for stage in self.stages:
            if wanted in _names(stage):
                return stage.exercises
        raise LabError(f"there is no exercise or stage called `{name}`{self._nearest(name)}")

    def _nearest(self, name: str) -> str:
        known = [*(exercise.name for exercise in self.exercises), *(stage.id for stage in self.stages)]
        lowered = {one.casefold(): one for one in known}
        close = difflib.get_close_matches(name.casefold(), lowered, n=1, cutoff=0.5)
        return f"; did you mean `{lowered[close[0]]}`?" if close else "; `lab status --all` lists them"


def _names(stage: Stage) -> Iterator[str]:
    yield stage.id.casefold()
    yield stage.module.casefold()
    yield stage.id.split("_")[0].casefold()


def _stage(data: dict[str, Any]) -> Stage:
    return Stage(
        id=data["id"],
        title=data["title"],
        module=data["module"],
        needs=tuple(data["needs"]),
        due=datetime.fromisoformat(data["due"]) if data["due"] else None,
        exercises=tuple(_exercise(data["id"], exercise) for exercise in data["exercises"]),
        questions=tuple(question["title"] for question in data["questions"]),
        stub=data["stub"],
        attachments=tuple(data["attachments"].items()),
    )


def _exercise(stage_id: str, data: dict[str, Any]) -> Exercise:
    lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
    return Exercise(stage=stage_id, **{**data, **lists})
