"""Hand-ins from the entries of a class or of an export: whose each file, folder and archive is."""

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from autograder.intake.archives import HAND_IN, archive_name, read_archive
from autograder.intake.exports import Member, is_of_lab, members, repository_name
from autograder.intake.levels import Level, is_part_of_work
from autograder.intake.refusals import RefusalReason, RefusedError, link, shown
from autograder.intake.students import student_id
from autograder.intake.submission import StageFiles
from autograder.intake.tree import Tree, folder_entry, mounted

Stages = Sequence[StageFiles]

_CODE = re.compile(r"\.(py|ipynb)\b", re.IGNORECASE)


@dataclass(frozen=True)
class HandIn:
    """One student's hand-in.

    Attributes:
        name: The student's name, from the folder, the archive or the platform.
        id: The student's id.
        open: Returns the tree or raises ``RefusedError``.
        folder: The folder, if the hand-in is one on disk.
        is_student: Whether the name is known to be a student's, whatever the hand-in contains.
        is_archive: Whether the hand-in is an archive among other students' folders and archives.
        is_download: Whether a learning platform named the entry, so that the student did not.
        derived_from: The entry's name, if the student's name is only a part of it.
        notes: For the instructor.
    """

    name: str
    id: str
    open: Callable[[], Tree]
    folder: Path | None = None
    is_student: bool = True
    is_archive: bool = False
    is_download: bool = False
    derived_from: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class Found:
    """What a path contains.

    Attributes:
        hand_ins: The hand-ins.
        unclaimed: Files that belong to no student and are ignored, one line each.
        unknown: Entries that were not understood, one line each.
    """

    hand_ins: list[HandIn] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        """Add what another path or folder contains."""
        self.hand_ins += other.hand_ins
        self.unclaimed += other.unclaimed
        self.unknown += other.unknown


def refuse(error: RefusedError) -> Tree:
    """Raise the reason why a hand-in cannot be opened."""
    raise error


def from_export(level: Level, stages: Stages) -> Found | None:
    """The hand-ins in an export of a learning platform; None if the level is none."""
    found = members(level.top, stages)
    if not found:
        return None
    by_user: dict[str, list[Member]] = defaultdict(list)
    for member in found:
        by_user[member.user].append(member)
    result = Found([_from_members(level, entries) for entries in by_user.values()])
    result.add(from_entries(level, stages, taken=[member.entry for member in found]))
    return result


def _from_members(level: Level, entries: Sequence[Member]) -> HandIn:
    ordered = sorted(entries, key=lambda member: (member.order, member.entry))
    notes = list(dict.fromkeys(member.note for member in ordered if member.note))
    by_file: dict[str, list[Member]] = defaultdict(list)
    for member in ordered:
        by_file[member.file].append(member)
    for copies in by_file.values():
        if len(copies) > 1 and copies[-1].file:
            earlier = ", ".join(shown(copy.entry) for copy in copies[:-1])
            notes.append(f"the later file counts: {shown(copies[-1].entry)}, not {earlier}")
    only = ordered[0]
    is_folder = len(ordered) == 1 and level.top[only.entry].is_folder
    folder = level.folder / only.entry if level.folder is not None and is_folder else None
    last = ordered[-1]
    return HandIn(
        last.student,
        last.id,
        partial(_assembled, level, ordered),
        folder,
        is_download=last.is_download,
        derived_from=last.entry,
        notes=tuple(notes),
    )


def _assembled(level: Level, ordered: Iterable[Member]) -> Tree:
    """The files of a student from several entries of an export; a later file replaces an earlier one."""
    tree: Tree = {}
    for member in ordered:
        entry = level.top[member.entry]
        if entry.is_folder:
            files = level.tree(member.entry)
            # A clone of a repository for one stage may itself have a folder for the stage.
            tree |= mounted(files, "" if member.file in files else member.file)
        elif entry.is_link:
            raise link(member.entry)
        else:
            parent, _, _ = member.file.rpartition("/")
            tree |= {parent: folder_entry()} if parent else {}
            tree[member.file] = entry
    return tree


def from_entries(level: Level, stages: Stages, taken: Sequence[str]) -> Found:
    """A hand-in per folder, archive and link that is not taken yet; loose files are sorted out."""
    found = Found()
    for name in [*level.folders(), *_unusual_students(level, stages)]:
        if name not in taken and is_part_of_work(name, level, stages):
            what = "has the name of a part of a student's work; if it is a student's, give the folder another name"
            error = RefusedError(RefusalReason.AMBIGUOUS, name, what)
            found.hand_ins.append(HandIn(name, student_id(name), partial(refuse, error)))
        elif name not in taken:
            folder = level.folder / name if level.folder is not None else None
            is_clone = folder is not None and (folder / ".git").exists()
            found.hand_ins.append(
                HandIn(name, student_id(name), partial(level.tree, name), folder, is_student=is_clone)
            )
    for name in level.archives():
        if name not in taken:
            found.hand_ins.append(_archive_of_class(name, level.top[name].read))
    found.add(from_loose_files(level, stages, taken))
    return found


def _unusual_students(level: Level, stages: Stages) -> list[str]:
    """The folders with the name of a tool's that hold a module of the lab all the same."""
    modules = {f"{stage.module}.py" for stage in stages}
    found = []
    for name in level.unusual_folders():
        with contextlib.suppress(RefusedError):
            if any(path.rpartition("/")[2] in modules for path in level.tree(name)):
                found.append(name)
    return found


def _archive_of_class(name: str, read: Callable[[int], bytes]) -> HandIn:
    student, whole = repository_name(name), archive_name(name) or name
    return HandIn(
        student,
        student_id(student),
        partial(_opened_archive, name, read),
        is_student=False,
        is_archive=True,
        derived_from=whole if whole != student else "",
    )


def _opened_archive(name: str, read: Callable[[int], bytes]) -> Tree:
    return read_archive(name, read(HAND_IN.packed))


def from_loose_files(level: Level, stages: Stages, taken: Sequence[str]) -> Found:
    """Files beside a class. A link is a student's; a file like the lab's, but not quite, may be."""
    found = Found()
    own = frozenset[str]().union(*(stage.own_names | {f"test_{stage.module}.py"} for stage in stages))
    for name, entry in level.top.items():
        if name in taken or entry.is_folder or archive_name(name) is not None:
            continue
        if entry.is_link:
            found.hand_ins.append(HandIn(name, student_id(name), partial(refuse, link(name))))
        elif name in own:
            found.unclaimed.append(f"{level.place}: {shown(name)} is in no student's folder and is not graded")
        elif _CODE.search(name) and is_of_lab(name, stages):
            found.unknown.append(f"{level.place}: {shown(name)} is a file of the lab that names no known layout")
    return found
