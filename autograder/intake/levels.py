"""One level of a class before it is known whose files it holds: a folder on disk, or a folder in an archive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.intake.archives import archive_name
from autograder.intake.exports import members, repository_name
from autograder.intake.refusals import IntakeError, RefusedError
from autograder.intake.submission import StageFiles
from autograder.intake.tree import Tree, below, read_folder, top_level

SUBMITTED = "submitted"  # nbgrader's folder of submissions
HAND_IN_FOLDER = "handin"  # the companion's folder of packed hand-ins


@dataclass(frozen=True)
class Level:
    """The entries of a folder.

    Attributes:
        place: The folder, for messages.
        top: The entries of this folder alone.
        folder: Its path if it is on disk.
        archived: Everything below it if it is in an archive.
    """

    place: str
    top: Tree
    folder: Path | None
    archived: Tree

    @classmethod
    def on_disk(cls, folder: Path) -> "Level":
        """The level of a folder on disk.

        Raises:
            IntakeError: The folder cannot be listed.
        """
        try:
            return cls(str(folder), read_folder(folder, depth=1), folder, {})
        except RefusedError as error:
            raise IntakeError(f"{folder}: {error}") from None

    @classmethod
    def in_archive(cls, place: str, tree: Tree) -> "Level":
        """The level of a folder in an archive."""
        return cls(place, top_level(tree), None, tree)

    @property
    def is_clone(self) -> bool:
        """Whether the folder is a Git repository."""
        return self.folder is not None and (self.folder / ".git").exists()

    def enter(self, name: str) -> "Level":
        """The level of one of the folders."""
        if self.folder is None:
            return Level.in_archive(f"{self.place}/{name}", below(self.archived, name))
        return Level.on_disk(self.folder / name)

    def tree(self, name: str = "") -> Tree:
        """Everything below the level or one of its folders.

        Raises:
            RefusedError: The folder cannot be read, or contains too many files.
        """
        if self.folder is None:
            return below(self.archived, name) if name else self.archived
        return read_folder(self.folder / name)

    def folders(self) -> list[str]:
        """The names of the folders."""
        return [name for name, entry in self.top.items() if entry.is_folder]

    def archives(self) -> list[str]:
        """The names of the archives."""
        return [name for name, entry in self.top.items() if not entry.is_folder and archive_name(name) is not None]

    def entered(self) -> Iterator["Level"]:
        """The levels of all folders that can be listed."""
        for name in self.folders():
            try:
                yield self.enter(name)
            except IntakeError:
                continue


def holds_stage(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level has a folder or archive that is named after a stage, or the companion's hand-ins."""
    return (
        any(stage.stage in level.top for stage in stages)
        or HAND_IN_FOLDER in level.folders()
        or any(is_of_stage(archive, stages) for archive in level.archives())
    )


def is_of_stage(archive: str, stages: Sequence[StageFiles]) -> bool:
    """Whether an archive is named after a stage or its module."""
    return any(repository_name(archive) in (stage.stage, stage.module) for stage in stages)


def holds_module(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level has a module or a notebook of the lab."""
    return any(f"{stage.module}{suffix}" in level.top for stage in stages for suffix in (".py", ".ipynb"))


def holds_work(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level looks like the root of one student's work."""
    return holds_stage(level, stages) or holds_module(level, stages)


def staged(level: Level, stages: Sequence[StageFiles]) -> list[Level]:
    """The folders that have a stage's folder: of students, or of versions."""
    return [child for child in level.entered() if holds_stage(child, stages)]


def stage_first(level: Level, stages: Sequence[StageFiles]) -> list[tuple[StageFiles, Level]]:
    """The folders STAGE that hold a folder per student in place of the module: STAGE/STUDENT/MODULE.py."""
    found = []
    for stage in stages if not level.is_clone else ():
        if stage.stage not in level.folders():
            continue
        child = level.enter(stage.stage)
        if holds_module(child, [stage]):
            return []
        if sum(holds_module(inner, [stage]) for inner in child.entered()) > 1:
            found.append((stage, child))
    return found


def is_class(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level surely holds several students."""
    return (
        SUBMITTED in level.folders()
        or bool(members(level.top, stages))
        or bool(stage_first(level, stages))
        or (not holds_stage(level, stages) and _several_students(level, stages))
    )


def _several_students(level: Level, stages: Sequence[StageFiles]) -> bool:
    folders = len(staged(level, stages))
    return folders > 0 and folders + len(level.archives()) > 1
