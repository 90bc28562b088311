"""Finds hand-ins in the layouts of nbgrader, learning platforms, clones, archives, and folders of these for a class.

``SHAPES`` lists every recognised layout, the first match counts. An entry that belongs to no layout is reported:
no student is invented, and none is left out.
"""

from collections.abc import Callable, Sequence
from functools import partial

from autograder.intake.archives import EXPORT, read_archive
from autograder.intake.exports import members
from autograder.intake.hand_ins import Found, HandIn, Stages, from_entries, from_export, from_loose_files
from autograder.intake.levels import (
    SUBMITTED,
    Level,
    holds_module,
    holds_stage,
    holds_work,
    is_class,
    is_course,
    is_of_stage,
    stage_first,
    staged,
    student_like,
)
from autograder.intake.refusals import RefusedError, shown
from autograder.intake.students import student_id
from autograder.intake.tree import Tree, mounted

# The number of single wrapping folders to descend into.
_MOST_WRAPPERS = 2
# One student's work with fewer folders of copies beside it is as likely as a class with a stray file.
_SURELY_A_CLASS = 3
_LOOSE_FILES = (
    "there is work beside these too. If these are students, move the other files away; if this is one student's work, "
    "move the copies away"
)
CLASS_IN_ARCHIVE = "if these are students, give the archive as a path of its own; if not, remove the copies"
_CLASS_IN_FOLDER = "if these are students, unpack it and give this folder as the path; if not, remove the copies"


def inside_wrappers(level: Level, stages: Stages) -> Level:
    """The level inside single folders that hold nothing else."""
    for _ in range(_MOST_WRAPPERS):
        if len(level.folders()) != 1 or level.archives() or is_class(level, stages) or holds_work(level, stages):
            break
        level = level.enter(level.folders()[0])
    return level


def first_match(level: Level, stages: Stages, single: HandIn) -> Found:
    """The hand-ins by the first layout that matches."""
    for _, recognise in SHAPES:
        if (found := recognise(level, stages, single)) is not None:
            return found
    return Found()


def _course(level: Level, stages: Stages, single: HandIn) -> Found | None:
    return _class(level.enter(SUBMITTED), stages, single) if is_course(level, stages) else None


def _stage_first(level: Level, stages: Stages, single: HandIn) -> Found | None:
    found = Found()
    if student_like(level, stages):
        return None
    for stage, folder in stage_first(level, stages):
        for name in folder.folders():
            # Two steps, so that a student's stages are merged as from several paths.
            mounted_folder = partial(_mounted_level, folder, name, stage.stage)
            found.hand_ins.append(HandIn(name, student_id(name), mounted_folder, is_student=False))
        found.add(from_loose_files(folder, stages, []))
    return found if found.hand_ins else None


def _mounted_level(level: Level, name: str, folder: str) -> Tree:
    return mounted(level.tree(name), folder)


def _one_student(level: Level, stages: Stages, single: HandIn) -> Found | None:
    """One student's work at the root; a class beside it, or in place of it, makes the layout unclear."""
    children = staged(level, stages)
    if level.is_clone and (
        holds_work(level, stages) or sum(holds_work(child, stages) for child in level.entered()) == 1
    ):
        return Found([single])
    if any(member.is_download for member in members(level.top, stages)):
        return _unclear(level, [], _LOOSE_FILES) if holds_stage(level, stages) else None
    if holds_work(level, stages) and len(student_like(level, stages)) >= _SURELY_A_CLASS:
        return None
    if holds_stage(level, stages):
        if len(children) < 2 and not stage_first(level, stages, with_loose=True):
            return Found([single])
        return _unclear(level, _names(children), _LOOSE_FILES)
    if not holds_module(level, stages):
        return None
    if len(children) > 1:
        return None  # a class with a loose module
    bare = [child for child in level.entered() if holds_module(child, stages)]
    if children or len(bare) > 1 or len(level.archives()) > 1:
        return _unclear(level, _names(children or bare) or level.archives(), _LOOSE_FILES)
    return Found([single])


def _unclear(level: Level, names: Sequence[str], advice: str) -> Found:
    listed = f"work in {', '.join(map(shown, names[:3]))}; " if names else ""
    return Found(unknown=[f"{level.place}: {listed}{advice}"])


def _names(levels: Sequence[Level]) -> list[str]:
    return [level.place.rpartition("/")[2] for level in levels]


def _has_module(level: Level, folder: str, stages: Stages) -> bool:
    """Whether a folder holds a module of the lab at any depth."""
    names = {f"{stage.module}.py" for stage in stages}
    try:
        return any(path.rpartition("/")[2] in names for path in level.tree(folder))
    except RefusedError:
        return True


def _archive_level(level: Level, name: str) -> Level | None:
    """The level of an archive; None if it cannot be read."""
    try:
        return Level.in_archive(
            f"{level.place}/{name}", read_archive(name, level.top[name].read(EXPORT.packed), EXPORT)
        )
    except RefusedError:
        return None


def _archived_class(level: Level, stages: Stages, single: HandIn) -> Found | None:
    """A class in an archive that lies alone in a folder, or in archives that are named after stages."""
    by_stage = [name for name in level.archives() if is_of_stage(name, stages)]
    is_alone = not (level.folders() or holds_module(level, stages) or members(level.top, stages))
    if not is_alone or not (by_stage or len(level.archives()) == 1):
        return None
    classes = []
    for name in by_stage or level.archives():
        if (inner := _archive_level(level, name)) is not None and _holds_students(inner, stages):
            classes.append(inside_wrappers(inner, stages))
    if not classes:
        return None
    if len(level.archives()) > 1:
        return _unclear(level, _names(classes), CLASS_IN_ARCHIVE)
    return first_match(classes[0], stages, single)


def _holds_students(level: Level, stages: Stages) -> bool:
    inner = inside_wrappers(level, stages)
    if holds_work(inner, stages):
        return False
    return is_class(inner, stages) or sum(holds_module(child, stages) for child in inner.entered()) > 1


def _export(level: Level, stages: Stages, single: HandIn) -> Found | None:
    return from_export(level, stages)


def _wrapped(level: Level, stages: Stages, single: HandIn) -> Found | None:
    """A class inside single folders, such as an archive's root folder."""
    inner = level
    for _ in range(_MOST_WRAPPERS):
        folders = inner.folders()
        if len(folders) != 1 or inner.archives() or inner.is_clone or is_class(inner, stages):
            break
        inner = inner.enter(folders[0])
        if is_class(inner, stages):
            return first_match(inner, stages, single)
        if holds_work(inner, stages):
            return None
        several = [name for name in inner.folders() if _has_module(inner, name, stages)] + inner.archives()
        if len(several) > 1:
            return _unclear(inner, several, _CLASS_IN_FOLDER)
    return None


def _single_archive(level: Level, stages: Stages, single: HandIn) -> Found | None:
    """An archive whose folders hold the work of at most one student."""
    if level.folder is not None or len(from_loose_files(level, stages, []).unknown) > 1:
        return None
    if any(members(child.top, stages) for child in level.entered()):
        return None
    working = [child for child in level.entered() if holds_work(child, stages)]
    several = [name for name in level.folders() if _has_module(level, name, stages)]
    if not working and len(several) > 1:
        return _unclear(level, several, _CLASS_IN_FOLDER)
    return Found([single]) if len(working) + len(level.archives()) <= 1 else None


def _class(level: Level, stages: Stages, single: HandIn) -> Found | None:
    return from_entries(level, stages, taken=[])


# Every recognised layout. The first function that returns a result decides.
SHAPES: tuple[tuple[str, Callable[[Level, Stages, HandIn], Found | None]], ...] = (
    ("submitted/STUDENT/STAGE/MODULE.py: a course folder of nbgrader", _course),
    ("STAGE/STUDENT/MODULE.py", _stage_first),
    ("an archive of a class, alone in a folder", _archived_class),
    ("STAGE/MODULE.py or MODULE.py: one student's folder, clone or archive", _one_student),
    ("NAME_ID_ID_FILE and the like: an export of a learning platform", _export),
    ("FOLDER/…: a class inside a single folder", _wrapped),
    ("an archive of one student with further folders around the work", _single_archive),
    ("STUDENT/… or STUDENT.zip: a class", _class),
)
