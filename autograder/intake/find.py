"""Finds the hand-ins in the paths on the command line, and reports the entries that were not understood."""

from collections.abc import Container, Sequence
from functools import partial
from pathlib import Path

from autograder.intake.archives import EXPORT, archive_name, read_archive
from autograder.intake.exports import members, repository_name
from autograder.intake.hand_ins import Found, HandIn, Stages, from_entries, from_export, refuse
from autograder.intake.layout import CLASS_IN_ARCHIVE, first_match, inside_wrappers
from autograder.intake.levels import Level, holds_work, is_class, is_part_of_work
from autograder.intake.refusals import IntakeError, RefusalReason, RefusedError, shown
from autograder.intake.students import student_id
from autograder.intake.tree import Tree, folder_entry, mounted, read_folder

_MOST_LISTED = 20


def find_hand_ins(path: Path, stages: Stages, roster: Container[str] = ()) -> Found:
    """Find the hand-ins in a path: a folder or archive of one student or of a whole class.

    Args:
        path: The folder or archive.
        stages: All stages.
        roster: The names and ids of the students, as far as they are known.

    Raises:
        IntakeError: The path does not exist, is not a folder or an archive, or cannot be read.
    """
    path = path.resolve()
    if not path.exists():
        raise IntakeError(f"{path} does not exist")
    if path.is_dir():
        level = Level.on_disk(path)
        if any(repository_name(name) in roster for name in (*level.folders(), *level.archives())):
            return from_entries(level, stages, taken=[])
        above = Level(str(path.parent), {path.name: folder_entry()}, path.parent, {})
        if is_part_of_work(path.name, above, stages):
            name = path.parent.name
            return first_match(above, stages, HandIn(name, student_id(name), partial(_inner_folder, path), path))
        return first_match(level, stages, HandIn(path.name, student_id(path.name), partial(read_folder, path), path))
    if archive_name(path.name) is None:
        raise IntakeError(f"{path} is neither a folder nor an archive; {expected(stages)}")
    return _in_archive(path, stages)


def expected(stages: Stages) -> str:
    """The layouts that are expected, for messages."""
    return (
        f"expected {stages[0].file}, STUDENT/{stages[0].file}, an export of a learning platform, or archives of these"
    )


def class_in(path: Path, hand_in: HandIn, tree: Tree, stages: Stages) -> Found | None:
    """The students in what looked like one student's folder or archive; None if it is one student's.

    Raises:
        RefusedError: An archive may hold several students, or copies of one student's work.
    """
    level = Level.in_archive(f"{path}/{hand_in.name}", tree)
    if holds_work(level, stages):
        return None
    if any(member.is_download for member in members(level.top, stages)):
        return from_export(level, stages)
    inner = inside_wrappers(level, stages)
    if hand_in.is_archive and is_class(inner, stages):
        what = f"holds work in {', '.join(map(shown, inner.folders()[:3]))}; {CLASS_IN_ARCHIVE}"
        raise RefusedError(RefusalReason.AMBIGUOUS, hand_in.name, what)
    return None


def _inner_folder(path: Path) -> Tree:
    """The tree of STUDENT/STAGE or STUDENT/handin, with STAGE as its root; the student is one level up."""
    return mounted(read_folder(path), path.name)


def _in_archive(path: Path, stages: Stages) -> Found:
    name = repository_name(path.name)
    try:
        if path.stat().st_size > EXPORT.packed:
            raise IntakeError(f"{path} is larger than 1 GB; unpack it and pass the folder")
        raw = path.read_bytes()
    except OSError as error:
        raise IntakeError(f"{path} cannot be read: {error.strerror}") from None
    try:
        level = Level.in_archive(str(path), read_archive(path.name, raw, EXPORT))
    except RefusedError as error:
        return Found([HandIn(name, student_id(name), partial(refuse, error))])
    # An archive of one student is read again when it is opened, under the limits for one hand-in.
    return first_match(level, stages, HandIn(name, student_id(name), lambda: read_archive(path.name, raw)))


def refuse_unknown(unknown: Sequence[str], stages: Stages) -> None:
    """Refuse paths with entries that were not understood: the one place that reports them all.

    Raises:
        IntakeError: Lists the entries.
    """
    if not unknown:
        return
    lines = "\n".join(f"  {line}" for line in unknown[:_MOST_LISTED])
    more = f"\n  and {len(unknown) - _MOST_LISTED} more" if len(unknown) > _MOST_LISTED else ""
    raise IntakeError(
        f"nothing was graded, because these entries were not understood:\n{lines}{more}\n"
        f"Move away what no student handed in, or name the students with --roster; {expected(stages)}"
    )
