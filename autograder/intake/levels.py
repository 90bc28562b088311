"""One level of a class before it is known whose files it holds: a folder on disk, or a folder in an archive."""

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.intake.archives import archive_name
from autograder.intake.exports import members, repository_name
from autograder.intake.refusals import IntakeError, RefusedError
from autograder.intake.submission import StageFiles
from autograder.intake.tree import HardLinks, Tree, is_leftover, list_folder, read_folder, top_level, visible

SUBMITTED = "submitted"  # nbgrader's folder of submissions
_MARKS_OF_COURSE = frozenset({"source", "release", "nbgrader_config.py", "gradebook.db"})
# Folders that hold copies of students' files.
_NEVER_STUDENTS = frozenset({".git", ".ipynb_checkpoints", "__MACOSX"})
HAND_IN_FOLDER = "handin"  # the companion's folder of packed hand-ins


@dataclass(frozen=True)
class Level:
    """The entries of a folder.

    Attributes:
        place: The folder, for messages.
        top: The entries of this folder alone.
        folder: Its path if it is on disk.
        archived: Everything below it if it is in an archive.
        links: The hard links of the class on disk.
    """

    place: str
    top: Tree
    folder: Path | None
    archived: Tree
    links: HardLinks | None = None

    @classmethod
    def on_disk(cls, folder: Path, links: HardLinks | None = None) -> "Level":
        """The level of a folder on disk.

        Raises:
            IntakeError: The folder cannot be listed.
        """
        links = links or HardLinks(folder)
        try:
            return cls(str(folder), list_folder(folder, links), folder, {}, links)
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
            return Level.in_archive(f"{self.place}/{name}", self._inside.get(name, {}))
        return Level.on_disk(self.folder / name, self.links)

    def tree(self, name: str = "") -> Tree:
        """Everything below the level or one of its folders.

        Raises:
            RefusedError: The folder cannot be read, or contains too many files.
        """
        if self.folder is None:
            return visible(self._inside.get(name, {}) if name else self.archived)
        return read_folder(self.folder / name, links=self.links)

    @functools.cached_property
    def _inside(self) -> Mapping[str, Tree]:
        """Everything below each folder of an archive."""
        found: dict[str, Tree] = defaultdict(dict)
        for path, entry in self.archived.items():
            folder, _, rest = path.partition("/")
            if rest:
                found[folder][rest] = entry
        return found

    def folders(self) -> list[str]:
        """The names of the folders, without those of tools and systems."""
        return [name for name, entry in self.top.items() if entry.is_folder and not is_leftover(name)]

    def unusual_folders(self) -> list[str]:
        """The names of the folders that have the name of a tool's or a system's."""
        names = [name for name, entry in self.top.items() if entry.is_folder and is_leftover(name)]
        return [name for name in names if name not in _NEVER_STUDENTS]

    def archives(self) -> list[str]:
        """The names of the archives."""
        files = [name for name, entry in self.top.items() if not entry.is_folder]
        return [name for name in files if archive_name(name) is not None and not name.startswith("._")]

    def entered(self) -> Iterator["Level"]:
        """The levels of all folders that can be listed."""
        for name in self.folders():
            try:
                yield self.enter(name)
            except IntakeError:
                continue


def holds_stage(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level has a folder or archive that is named after a stage, or the companion's hand-ins."""
    return holds_stage_folder(level, stages) or any(is_of_stage(archive, stages) for archive in level.archives())


def holds_stage_folder(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level has a folder, or a file in place of one, that is named after a stage, or hand-ins."""
    return any(is_part_of_work(name, level, stages) for name in level.top)


def is_of_stage(archive: str, stages: Sequence[StageFiles]) -> bool:
    """Whether an archive is named after a stage or its module."""
    return any(repository_name(archive) in (stage.stage, stage.module) for stage in stages)


def holds_module(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level has a module or a notebook of the lab."""
    return any(f"{stage.module}{suffix}" in level.top for stage in stages for suffix in (".py", ".ipynb"))


def holds_work(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level looks like the root of one student's work."""
    return holds_stage(level, stages) or holds_module(level, stages)


def is_part_of_work(name: str, level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether an entry has the name of a stage or of the companion's folder, and is not the folder of a student.

    A folder that holds another stage is a student's, whatever its name.
    """
    is_folder = name in level.folders()
    if name == HAND_IN_FOLDER:
        return is_folder
    ids = {stage.stage for stage in stages}
    return name in ids and not (is_folder and (ids - {name}) & set(level.enter(name).folders()))


def student_like(level: Level, stages: Sequence[StageFiles]) -> list[str]:
    """The folders and archives at the level that look like whole hand-ins of students."""
    folders = [name for name in level.folders() if not is_part_of_work(name, level, stages)]
    found = [name for name in folders if holds_work(level.enter(name), stages)]
    if not holds_stage_folder(level, stages):  # one student's work may well have further archives beside it
        found += [name for name in level.archives() if not is_of_stage(name, stages)]
    return found


def staged(level: Level, stages: Sequence[StageFiles]) -> list[Level]:
    """The folders that have a stage's folder: of students, or of versions."""
    return [child for child in level.entered() if holds_stage(child, stages)]


def stage_first(
    level: Level, stages: Sequence[StageFiles], *, with_loose: bool = False
) -> list[tuple[StageFiles, Level]]:
    """The folders STAGE that hold a folder per student in place of the module: STAGE/STUDENT/MODULE.py.

    Args:
        level: The level.
        stages: All stages.
        with_loose: Whether to list them although a module lies beside the students' folders.
    """
    found = []
    for stage in stages if not level.is_clone else ():
        if stage.stage not in level.folders():
            continue
        child = level.enter(stage.stage)
        several = sum(holds_module(inner, [stage]) for inner in child.entered()) > 1
        if holds_module(child, [stage]) and not (with_loose and several):
            return []
        if several:
            found.append((stage, child))
    return found


def is_course(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level is a course folder of nbgrader: `submitted` holds the students, and is not one of them."""
    if SUBMITTED not in level.folders() or holds_work(level, stages) or holds_work(level.enter(SUBMITTED), stages):
        return False
    return not _MARKS_OF_COURSE.isdisjoint(level.top) or not any(holds_work(child, stages) for child in level.entered())


def is_class(level: Level, stages: Sequence[StageFiles]) -> bool:
    """Whether the level surely holds several students."""
    return (
        is_course(level, stages)
        or bool(members(level.top, stages))
        or bool(stage_first(level, stages))
        or (not holds_stage(level, stages) and _several_students(level, stages))
    )


def _several_students(level: Level, stages: Sequence[StageFiles]) -> bool:
    folders = len(staged(level, stages))
    return folders > 0 and folders + len(level.archives()) > 1
