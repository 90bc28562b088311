"""Collects one checked submission per student and stage from paths."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from autograder.intake.archives import HAND_IN, archive_name, read_archive
from autograder.intake.git import commit_of
from autograder.intake.layout import HandIn, find_hand_ins, holds_work
from autograder.intake.locate import locate
from autograder.intake.notebooks import LARGEST_NOTEBOOK, NO_ANSWERS, Answers, read_answers
from autograder.intake.sources import LARGEST_FILE, check_source
from autograder.intake.students import student_ids
from autograder.intake.submission import (
    Attachment,
    Owed,
    RefusalReason,
    RefusedError,
    StageFiles,
    StageSubmission,
    shown,
)
from autograder.intake.time_table import NO_TIMES, KnownTimes
from autograder.intake.timestamps import time_of
from autograder.intake.tree import Tree, top_level

_ABSENT = (RefusalReason.MISSING, RefusalReason.MISNAMED)


def take_in(paths: Iterable[Path], stages: Sequence[StageFiles], times: KnownTimes = NO_TIMES) -> list[StageSubmission]:
    """Read the students' hand-ins in ``paths``.

    Args:
        paths: Folders, clones and archives of one student or of a whole class.
        stages: All stages of the course, in the order in which they are graded.
        times: Times of hand-ins that the instructor knows, and the course's time zone.

    Returns:
        One submission per student and listed stage, ordered by student. A problem with a student's files is
        a refusal for that student only.

    Raises:
        IntakeError: A path does not exist, or contains nothing that looks like a hand-in.
    """
    by_name: dict[str, list[HandIn]] = defaultdict(list)
    for path in paths:
        for hand_in in find_hand_ins(path, stages):
            by_name[hand_in.name].append(hand_in)
    ids = student_ids(by_name)
    works = {
        name: _merge([_take(hand_in, ids[name], stages) for hand_in in hand_ins], stages)
        for name, hand_ins in by_name.items()
    }
    students = sorted(works, key=ids.__getitem__)
    begun = frozenset[str]().union(*(work.handed_in for work in works.values()))
    submissions = [
        replace(works[name].submissions[stage.stage], owed=stage.owed is Owed.ALWAYS)
        for name in students
        for stage in stages
        if _is_listed(stage, works[name].handed_in, begun)
    ]
    submissions = submissions or [works[name].submissions[stage.stage] for name in students for stage in stages]
    return [times.settled(submission) for submission in submissions]


def _is_listed(stage: StageFiles, own: frozenset[str], begun: frozenset[str]) -> bool:
    """Whether to list a student's stage, given the stages of the student (``own``) and of the class (``begun``)."""
    match stage.owed:
        case Owed.NEVER:
            return False
        case Owed.IF_HANDED_IN:
            return stage.stage in own
        case Owed.ONCE_BEGUN:
            return stage.stage in begun
        case Owed.ALWAYS:
            return True


@dataclass(frozen=True)
class _Work:
    """A student's submissions by stage, and the stages with at least one file handed in."""

    submissions: Mapping[str, StageSubmission]
    handed_in: frozenset[str]


def _take(hand_in: HandIn, student: str, stages: Sequence[StageFiles]) -> _Work:
    notes = _notes(hand_in, student)
    try:
        tree, folder = _unpacked(hand_in, stages)
    except RefusedError as error:
        refused = {stage.stage: StageSubmission(student, stage.stage, None, error.refusal, notes) for stage in stages}
        return _Work(refused, frozenset())
    submissions = {stage.stage: _submission(tree, folder, student, stage, notes) for stage in stages}
    names = {path.rpartition("/")[2] for path in tree}
    return _Work(submissions, frozenset(stage.stage for stage in stages if not names.isdisjoint(stage.own_names)))


def _is_missing(submission: StageSubmission) -> bool:
    return submission.refusal is not None and submission.refusal.reason in _ABSENT


def _notes(hand_in: HandIn, student: str) -> tuple[str, ...]:
    notes = [f"handed in under the name {shown(hand_in.name)}"] if hand_in.name != student else []
    if hand_in.folder is not None and (commit := commit_of(hand_in.folder)) is not None:
        notes.append(f"at commit {commit}")
    return tuple(notes)


def _unpacked(hand_in: HandIn, stages: Sequence[StageFiles]) -> tuple[Tree, Path | None]:
    """The hand-in's tree, and its folder if the tree is on disk.

    Learning platforms create a folder per student with a single archive; the tree is then the archive's.
    """
    tree = hand_in.open()
    archives = [name for name in top_level(tree) if archive_name(name) is not None]
    if len(archives) != 1 or holds_work(tree, stages):
        return tree, hand_in.folder
    return read_archive(archives[0], tree[archives[0]].read(HAND_IN.packed)), None


def _submission(
    tree: Tree, folder: Path | None, student: str, stage: StageFiles, notes: tuple[str, ...]
) -> StageSubmission:
    handed_in, source_of_time = time_of(tree, folder, stage)
    hand_in = StageSubmission(
        student,
        stage.stage,
        None,
        notes=notes,
        handed_in=handed_in,
        time_source=source_of_time,
        answers=_answers(tree, stage),
    )
    try:
        path = locate(tree, stage)
        source, source_notes = check_source(tree[path].read(LARGEST_FILE), path)
    except RefusedError as error:
        return replace(hand_in, refusal=error.refusal)
    if not f"/{path}".endswith(f"/{stage.file}") and "/" in path:
        source_notes = (f"found as {shown(path)}, not as {stage.file}", *source_notes)
    parent = path.rpartition("/")[0]
    attached = tuple(_attachments(tree, f"{parent}/" if parent else "", stage))
    return replace(hand_in, source=source, notes=(*notes, *source_notes), attachments=attached)


def _attachments(tree: Tree, folder: str, stage: StageFiles) -> Iterator[Attachment]:
    """The stage's further files that exist beside its module; an unfit file is refused when it is read."""
    for name, limit_mb in stage.attachments:
        path = f"{folder}{name}"
        if path in tree:
            read = partial(tree[path].read, limit_mb * 1024**2)
            try:
                digest = hashlib.sha256(read()).hexdigest()
            except RefusedError as error:
                digest = str(error)
            yield Attachment(name, digest, read)


def _answers(tree: Tree, stage: StageFiles) -> Answers:
    try:
        path = locate(tree, stage, suffix=".ipynb")
        return read_answers(tree[path].read(LARGEST_NOTEBOOK))
    except RefusedError as error:
        if error.refusal.reason in _ABSENT:
            return NO_ANSWERS
        return Answers(notes=(error.refusal.message,))


def _merge(works: Sequence[_Work], stages: Sequence[StageFiles]) -> _Work:
    """Merge one student's work from several paths: each stage comes from the path that has it."""
    if len(works) == 1:
        return works[0]
    submissions = {}
    for stage in (stage.stage for stage in stages):
        present = [work for work in works if not _is_missing(work.submissions[stage])]
        # A hand-in that could not be opened counts only if no other hand-in has the stage.
        best = [work for work in present if stage in work.handed_in] or present or works[:1]
        submissions[stage] = _single([work.submissions[stage] for work in best])
    return _Work(submissions, frozenset[str]().union(*(work.handed_in for work in works)))


def _single(copies: Sequence[StageSubmission]) -> StageSubmission:
    """The submission if all copies are equal; else a refusal, because only the instructor can choose."""
    if len({submission.digest for submission in copies}) == 1:
        return copies[0]
    what = f"was handed in {len(copies)} times with different content; your instructor must choose one"
    error = RefusedError(RefusalReason.AMBIGUOUS, copies[0].stage, what)
    return replace(copies[0], source=None, refusal=error.refusal)
