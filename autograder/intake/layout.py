"""Finds hand-ins in the layouts of nbgrader, clones, archives, and folders of these for a class."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autograder.intake.archives import EXPORT, HAND_IN, archive_name, read_archive
from autograder.intake.submission import IntakeError, RefusedError, StageFiles, link
from autograder.intake.tree import Tree, TreeEntry, below, read_folder, top_level

# nbgrader's folder of submissions.
_SUBMITTED = "submitted"
# The number of single wrapping folders to descend into when reading an archive.
_MOST_WRAPPERS = 2
# GitHub names its archives, and the single folder in them, REPOSITORY-BRANCH or REPOSITORY-COMMIT.
_BRANCH = re.compile(r"-(main|master|[0-9a-f]{40})$")


@dataclass(frozen=True)
class HandIn:
    """One student's hand-in; ``open`` returns its tree or raises ``RefusedError``.

    ``name`` is the student's name, from the folder or archive; ``folder`` is its path if it
    is a folder on disk.
    """

    name: str
    open: Callable[[], Tree]
    folder: Path | None = None


def find_hand_ins(path: Path, stages: Sequence[StageFiles]) -> list[HandIn]:
    """Find the hand-ins in a path: a folder or archive of one student or of a whole class.

    Raises:
        IntakeError: The path does not exist, or contains nothing that looks like a hand-in.
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
    return f"expected {stages[0].file}, STUDENT/{stages[0].file}, or archives of these"


def holds_work(tree: Tree, stages: Sequence[StageFiles]) -> bool:
    """Whether the root of a tree contains a stage's folder, module or notebook."""
    return any(name in tree for stage in stages for name in stage.own_names)


def _in_folder(path: Path, stages: Sequence[StageFiles]) -> list[HandIn]:
    if any(path.name == stage.stage for stage in stages):
        return [HandIn(path.parent.name, partial(_stage_folder, path), path)]
    try:
        top = read_folder(path, depth=1)
    except RefusedError as error:
        raise IntakeError(f"{path}: {error}") from None
    single = HandIn(path.name, partial(read_folder, path), path)
    if holds_work(top, stages):
        return [single]
    if _SUBMITTED in top:
        return _in_folder(path / _SUBMITTED, stages)
    students = _students(top, lambda name: HandIn(name, partial(read_folder, path / name), path / name))
    if not students or _is_clone_of_one(path, students, stages):
        return [single]
    _require_work(path, students, stages)
    return students


def _stage_folder(path: Path) -> Tree:
    """The tree of the folder STUDENT/STAGE, with STAGE as its root; the student is one level up."""
    tree = {f"{path.name}/{name}": entry for name, entry in read_folder(path).items()}
    return {path.name: TreeEntry(True, None, lambda limit: b""), **tree}


def _students(top: Tree, folder: Callable[[str], HandIn]) -> list[HandIn]:
    """One hand-in per folder, archive and link; other loose files belong to no student and are ignored."""
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
    """Whether a path is a repository with its stages one folder deeper, rather than a class kept in git."""
    if not (path / ".git").exists():
        return False
    folders = [student.folder for student in students if student.folder is not None]
    return sum(holds_work(read_folder(folder, depth=1), stages) for folder in folders) == 1


def _require_work(path: Path, students: Sequence[HandIn], stages: Sequence[StageFiles]) -> None:
    """Raise if no folder contains work: an unrelated folder must not become a class of zeros."""
    names = frozenset[str]().union(*(stage.own_names for stage in stages))
    for student in students:
        try:
            tree = student.open()
        except RefusedError:
            return
        if any(entry.rpartition("/")[2] in names or archive_name(entry) for entry in tree):
            return
    raise IntakeError(f"{path} contains nothing to grade; {_expected(stages)}")


def _in_archive(path: Path, stages: Sequence[StageFiles]) -> list[HandIn]:
    name = _student_of(path.name)
    try:
        if path.stat().st_size > EXPORT.packed:
            raise IntakeError(f"{path} is larger than 1 GB; unpack it and pass the folder")
        raw = path.read_bytes()
    except OSError as error:
        raise IntakeError(f"{path} cannot be read: {error.strerror}") from None
    try:
        students = _class_in(read_archive(path.name, raw, EXPORT), stages)
    except RefusedError as error:
        return [HandIn(name, partial(_refuse, error))]
    # An archive of one student is read again when it is opened, under the limits for one hand-in.
    return students or [HandIn(name, lambda: read_archive(path.name, raw))]


def _class_in(tree: Tree, stages: Sequence[StageFiles]) -> list[HandIn]:
    """The hand-ins in an export of a class; empty if it is the archive of a single student."""
    for _ in range(_MOST_WRAPPERS):
        if _SUBMITTED in tree or holds_work(tree, stages):
            break
        tree = _unwrapped(tree)
    is_course = _SUBMITTED in tree
    if is_course:
        tree = below(tree, _SUBMITTED)
    elif holds_work(tree, stages):
        return []
    students = _students(top_level(tree), lambda folder: HandIn(folder, partial(below, tree, folder)))
    return students if is_course or len(students) > 1 else []


def _unwrapped(tree: Tree) -> Tree:
    """The content of the single folder that often wraps an archive; else the tree itself."""
    top = top_level(tree)
    if len(top) != 1:
        return tree
    name, entry = next(iter(top.items()))
    return below(tree, name) if entry.is_folder else tree
