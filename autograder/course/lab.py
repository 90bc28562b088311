"""The lab on disk: where a stage's parts live, and nothing about what they mean.

A stage is one folder in ``solutions``, one in ``tests/hidden`` and one entry in ``grading.yml``.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from autograder.course.config import Config, Stage, load_config
from autograder.course.exercise_texts import ExerciseText, load_exercise_texts


class LabError(Exception):
    """The lab's own files are incomplete; the message names the file that is missing."""


@dataclass(frozen=True)
class StageFolders:
    """The files of one stage, by role."""

    id: str
    spec: Stage
    root: Path

    @property
    def folder(self) -> Path:
        """The instructor's folder: reference, lab sheet, public tests, alternatives, mistakes."""
        return self.root / "solutions" / self.id

    @property
    def reference(self) -> Path:
        """The reference, with solution markers."""
        return self.folder / f"{self.spec.module}.py"

    @property
    def sheet(self) -> Path:
        """The lab sheet as a Markdown notebook."""
        return self.folder / "lab.md"

    @property
    def exercises_file(self) -> Path:
        """Titles, minutes and hints of the exercises."""
        return self.folder / "exercises.yml"

    @property
    def given(self) -> Path:
        """What students receive as it is, in the stage's folder; most stages have none."""
        return self.folder / "given"

    @property
    def mistakes(self) -> Path:
        """The catalogue of named mistakes."""
        return self.folder / "mistakes.py"

    @property
    def mistakes_lock(self) -> Path:
        """The checks that each named mistake loses, written by ``autograder verify --update``."""
        return self.folder / "mistakes.lock.json"

    @property
    def alternatives(self) -> list[Path]:
        """Right solutions that are written differently."""
        return sorted((self.folder / "alternatives").glob("*.py"))

    @property
    def attachments(self) -> dict[str, Path]:
        """What the course's own hand-in holds beside the module, by file name: none where it has none to show."""
        files = {name: self.folder / "attachments" / name for name in self.spec.attachments}
        return {name: path for name, path in files.items() if path.is_file()}

    @property
    def hidden_tests(self) -> Path:
        """The folder of hidden tests."""
        return self.root / "tests" / "hidden" / self.id

    @property
    def assignment(self) -> Path:
        """The released folder of the stage."""
        return self.root / "assignments" / self.id

    def exercise_texts(self) -> dict[str, ExerciseText]:
        """Return what students read about each exercise, in the order of ``grading.yml``.

        Raises:
            ConfigError: the file is missing, malformed, or has other exercises than ``grading.yml``.
        """
        return load_exercise_texts(self.exercises_file, self.spec.exercises)

    def reference_source(self) -> str:
        """The reference's text.

        Raises:
            LabError: there is no such file.
        """
        return _read(self.reference)


@dataclass(frozen=True)
class Lab:
    """A checkout of the lab, rooted at the folder that holds ``grading.yml``.

    ``workspace`` is where a class's grades are kept: the root itself when None. A sample class is
    graded in a workspace of its own, apart from the real one.
    """

    root: Path
    workspace: Path | None = None

    @classmethod
    def find(cls, start: Path | None = None) -> "Lab":
        """The lab around ``start`` (the current folder by default).

        Raises:
            LabError: no folder upwards holds a ``grading.yml``.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / "grading.yml").is_file():
                return cls(folder)
        raise LabError(f"no grading.yml in {here} or above it: run this in the lab's repository, or pass --lab FOLDER")

    @cached_property
    def config(self) -> Config:
        """The lab's ``grading.yml``."""
        return load_config(self.root / "grading.yml")

    @property
    def build(self) -> Path:
        """What grading writes and could write again; git ignores it."""
        return (self.workspace or self.root) / "build"

    @property
    def gradebook(self) -> Path:
        """The database of nbgrader: holds what people graded by hand, so it is not part of ``build``."""
        return (self.workspace or self.root) / "gradebook.db"

    def stage(self, stage_id: str) -> StageFolders:
        """The folders of one stage.

        Raises:
            LabError: ``grading.yml`` lists no such stage.
        """
        try:
            return StageFolders(stage_id, self.config.stages[stage_id], self.root)
        except KeyError:
            known = ", ".join(self.config.stages)
            raise LabError(f"no stage named `{stage_id}` in grading.yml; stages: {known}") from None

    def stages(self) -> list[StageFolders]:
        """All stages, in the order of ``grading.yml``."""
        return [self.stage(stage_id) for stage_id in self.config.stages]


def needed_stages(lab: Lab, stage: StageFolders) -> list[StageFolders]:
    """The stage and every earlier stage that its module needs, directly or not, earliest first."""
    wanted = {stage.id}
    for other in reversed(lab.stages()):
        if other.id in wanted:
            wanted.update(other.spec.needs)
    return [one for one in lab.stages() if one.id in wanted]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LabError(f"{path} is missing: every stage needs it (see CONTRIBUTING.md, adding a stage)") from None
