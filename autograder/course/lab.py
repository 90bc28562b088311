"""The lab on disk: the paths of each stage's files.

A stage is one folder in ``solutions``, one folder in ``tests/hidden`` and one entry in ``grading.yml``.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from autograder.course.config import Config, Stage, load_config
from autograder.course.exercise_texts import ExerciseText, load_exercise_texts


class LabError(Exception):
    """A file of the lab is missing or contradicts another file, or a stage is unknown; the message names it."""


@dataclass(frozen=True)
class StageFolders:
    """The paths of one stage's files, by role."""

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
        """The titles, minutes and hints of the exercises."""
        return self.folder / "exercises.yml"

    @property
    def given(self) -> Path:
        """The folder of files that students receive unchanged in the stage's folder; most stages have none."""
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
    def checks_lock(self) -> Path:
        """What each hidden check looks at, written by ``autograder verify --update``."""
        return self.folder / "checks.lock.json"

    @property
    def promises(self) -> Path:
        """The sentences of the docstrings, each with the check that holds it."""
        return self.folder / "promises.yml"

    @property
    def alternatives(self) -> list[Path]:
        """Correct solutions that differ from the reference."""
        return sorted((self.folder / "alternatives").glob("*.py"))

    @property
    def stand_in(self) -> Path:
        """The alternative that stands in for a student's module, or for exercises of it, that did not pass."""
        return self.folder / "alternatives" / "pytorch.py"

    @property
    def attachments(self) -> dict[str, Path]:
        """The attachments of the course's own submission, by file name; a file that does not exist is left out."""
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
        """Return the texts that students read about each exercise, in the order of ``grading.yml``.

        Raises:
            ConfigError: the file is missing or malformed, or its exercises differ from those of ``grading.yml``.
        """
        return load_exercise_texts(self.exercises_file, self.spec.exercises)

    def reference_source(self) -> str:
        """Return the text of the reference.

        Raises:
            LabError: the file does not exist.
        """
        return _read(self.reference)

    def stand_in_source(self) -> str:
        """Return the text of the stand-in.

        Raises:
            LabError: the file does not exist.
        """
        if not self.stand_in.is_file():
            module = f"{self.spec.module}.py"
            raise LabError(
                f"{self.stand_in} is missing: it stands in for parts of a student's {module} that did not pass"
            )
        return _read(self.stand_in)


@dataclass(frozen=True)
class Lab:
    """A checkout of the lab.

    Attributes:
        root: the folder that contains ``grading.yml``.
        workspace: the folder for a class's grades; None means the root. A sample class has a separate workspace.
    """

    root: Path
    workspace: Path | None = None

    @classmethod
    def find(cls, start: Path | None = None) -> "Lab":
        """Return the lab that contains the folder ``start``, by default the current folder.

        Raises:
            LabError: neither ``start`` nor a folder above it contains a ``grading.yml``.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / "grading.yml").is_file():
                return cls(folder)
        raise LabError(f"no grading.yml in {here} or above it: run this in the lab's repository, or pass --lab FOLDER")

    @cached_property
    def config(self) -> Config:
        """The content of the lab's ``grading.yml``."""
        return load_config(self.root / "grading.yml")

    @property
    def build(self) -> Path:
        """The folder of generated files. Grading can write them again, and git ignores them."""
        return (self.workspace or self.root) / "build"

    @property
    def gradebook(self) -> Path:
        """The database of nbgrader. It contains grades given by hand, so it is not part of ``build``."""
        return (self.workspace or self.root) / "gradebook.db"

    def stage(self, stage_id: str) -> StageFolders:
        """Return the paths of one stage.

        Raises:
            LabError: ``grading.yml`` does not list the stage.
        """
        try:
            return StageFolders(stage_id, self.config.stages[stage_id], self.root)
        except KeyError:
            known = ", ".join(self.config.stages)
            raise LabError(f"no stage named `{stage_id}` in grading.yml; stages: {known}") from None

    def stages(self) -> list[StageFolders]:
        """Return all stages, in the order of ``grading.yml``."""
        return [self.stage(stage_id) for stage_id in self.config.stages]


def needed_stages(lab: Lab, stage: StageFolders) -> list[StageFolders]:
    """Return the stage and every earlier stage that its module needs, directly or indirectly, earliest first."""
    needed = {stage.id}
    for later in reversed(lab.stages()):
        if later.id in needed:
            needed.update(later.spec.needs)
    return [candidate for candidate in lab.stages() if candidate.id in needed]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LabError(f'{path} is missing: every stage needs it (see "Add a stage" in CONTRIBUTING.md)') from None
