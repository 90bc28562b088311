"""Whose work lies where: the layouts of nbgrader, of clones, of archives and of classes of those."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autograder.intake.archives import EXPORT, HAND_IN, archive_name, read_archive
from autograder.intake.submission import IntakeError, RefusedError, StageFiles, link
from autograder.intake.tree import Tree, TreeEntry, below, read_folder, top_level

# nbgrader's own folder of what was handed in.
_SUBMITTED = "submitted"
# How many folders with nothing beside them may stand around what an archive is about.
_MOST_WRAPPERS = 2
# GitHub's archives are called REPOSITORY-BRANCH or REPOSITORY-COMMIT, as is the one folder in them.
_BRANCH = re.compile(r"-(main|master|[0-9a-f]{40})$")


@dataclass(frozen=True)
class HandIn:
    """What one student handed in: ``open`` gives its tree, or raises ``RefusedError``.

    ``name`` is the student's name as the folder or archive has it; ``folder`` is where it lies if it
    is a folder on disk.
    """

    name: str
    open: Callable[[], Tree]
    folder: Path | None = None


def find_hand_ins(path: Path, stages: Sequence[StageFiles]) -> list[HandIn]:
    """The students' hand-ins in a path: one student's folder or archive, or a whole class's.

    Raises:
        IntakeError: there is no such path, or nothing in it looks like a hand-in.
    """
    path = path.resolve()
    if path.is_dir():
        return _in_folder(path, stages)
    if not path.exists():
        raise IntakeError(f"{path} does not exist")
    if archive_name(path.name) is None:
        raise IntakeError(f"{path} is neither a folder nor an archive; {_expected(stages)}")
    return _in_archive(path, stages)


def _expected(stages: Sequence[StageFiles]) -> str:
    return f"expected {stages[0].file}, STUDENT/{stages[0].file}, or archives of those"


def holds_work(tree: Tree, stages: Sequence[StageFiles]) -> bool:
    """Whether the top of a tree holds a stage's folder, module or notebook."""
    return any(name in tree for stage in stages for name in stage.own_names)


def _in_folder(path: Path, stages: Sequence[StageFiles]) -> list[HandIn]:
    if any(path.name == stage.stage for stage in stages):
        return [HandIn(path.parent.name, partial(_stage_folder, path), path)]
    try:
        top = read_folder(path, depth=1)
    except RefusedError as error:
        raise IntakeError(f"{path}: {error}") from None
    whole = HandIn(path.name, partial(read_folder, path), path)
    if holds_work(top, stages):
        return [whole]
    if _SUBMITTED in top:
        return _in_folder(path / _SUBMITTED, stages)
    students = _students(top, lambda name: HandIn(name, partial(read_folder, path / name), path / name))
    if not students or _is_clone_of_one(path, students, stages):
        return [whole]
    _refuse_strangers(path, students, stages)
    return students


def _stage_folder(path: Path) -> Tree:
    """STUDENT/STAGE as a tree that starts with STAGE: the student is one level up."""
    tree = {f"{path.name}/{name}": entry for name, entry in read_folder(path).items()}
    return {path.name: TreeEntry(True, None, lambda limit: b""), **tree}


def _students(top: Tree, folder: Callable[[str], HandIn]) -> list[HandIn]:
    """One hand-in per folder and archive; loose files beside them are nobody's."""
    students = []
    for name, entry in top.items():
        if entry.is_folder:
            students.append(folder(name))
        elif archive_name(name) is not None:
            students.append(_archive(name, entry))
        elif entry.is_link:
            students.append(_link(name))
    return students


def _archive(name: str, entry: TreeEntry) -> HandIn:
    return HandIn(_student_of(name), lambda: read_archive(name, entry.read(HAND_IN.packed)))


def _link(name: str) -> HandIn:
    return HandIn(name, partial(_refuse, link(name)))


def _refuse(error: RefusedError) -> Tree:
    raise error


def _student_of(archive: str) -> str:
    return _BRANCH.sub("", archive_name(archive) or archive)


def _is_clone_of_one(path: Path, students: Sequence[HandIn], stages: Sequence[StageFiles]) -> bool:
    """Whether this is a repository whose stages lie one folder deeper, and not a class kept in git."""
    if not (path / ".git").exists():
        return False
    folders = [student.folder for student in students if student.folder is not None]
    return sum(holds_work(read_folder(folder, depth=1), stages) for folder in folders) == 1


def _refuse_strangers(path: Path, students: Sequence[HandIn], stages: Sequence[StageFiles]) -> None:
    """A folder of anything else must not become a class of zeros."""
    names = frozenset[str]().union(*(stage.own_names for stage in stages))
    for student in students:
        try:
            tree = student.open()
        except RefusedError:
            return
        if any(entry.rpartition("/")[2] in names or archive_name(entry) for entry in tree):
            return
    raise IntakeError(f"{path} holds nothing to grade; {_expected(stages)}")


def _in_archive(path: Path, stages: Sequence[StageFiles]) -> list[HandIn]:
    name = _student_of(path.name)
    try:
        if path.stat().st_size > EXPORT.packed:
            raise IntakeError(f"{path} is larger than 1 GB; unpack it and give the folder")
        raw = path.read_bytes()
    except OSError as error:
        raise IntakeError(f"{path} cannot be read: {error.strerror}") from None
    try:
        students = _class_in(read_archive(path.name, raw, EXPORT), stages)
    except RefusedError as error:
        return [HandIn(name, partial(_refuse, error))]
    # One student's is read again by the rules for those, when it is opened.
    return students or [HandIn(name, lambda: read_archive(path.name, raw))]


def _class_in(tree: Tree, stages: Sequence[StageFiles]) -> list[HandIn]:
    """The students in an export; none when it is one student's own archive."""
    for _ in range(_MOST_WRAPPERS):
        if _SUBMITTED in tree or holds_work(tree, stages):
            break
        tree = _inside(tree)
    is_course = _SUBMITTED in tree
    if is_course:
        tree = below(tree, _SUBMITTED)
    elif holds_work(tree, stages):
        return []
    students = _students(top_level(tree), lambda folder: HandIn(folder, partial(below, tree, folder)))
    return students if is_course or len(students) > 1 else []


def _inside(tree: Tree) -> Tree:
    """What the one folder holds that an archive often wraps around everything."""
    top = top_level(tree)
    if len(top) != 1:
        return tree
    name, entry = next(iter(top.items()))
    return below(tree, name) if entry.is_folder else tree
