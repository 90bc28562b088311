"""Paths → one checked submission per student and stage."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
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
from autograder.intake.timestamps import stamped
from autograder.intake.tree import Tree, top_level


def take_in(paths: Iterable[Path], stages: Sequence[StageFiles]) -> list[StageSubmission]:
    """Take in the students' work in ``paths``.

    Args:
        paths: folders, clones and archives, one student's or a whole class's.
        stages: all of the course's, in the order in which they are graded.

    Returns:
        Student by student, one submission per stage that is owed. Whatever is wrong with a student's
        files is that student's refusal, and nobody else's.

    Raises:
        IntakeError: a path does not exist, or nothing in it looks like a hand-in.
    """
    by_name: dict[str, list[HandIn]] = defaultdict(list)
    for path in paths:
        for hand_in in find_hand_ins(path, stages):
            by_name[hand_in.name].append(hand_in)
    ids = student_ids(by_name)
    works = {
        name: _merge([_take(one, ids[name], stages) for one in hand_ins], stages) for name, hand_ins in by_name.items()
    }
    students = sorted(works, key=ids.__getitem__)
    begun = frozenset[str]().union(*(work.handed_in for work in works.values()))
    found = [
        works[name].submissions[stage.stage]
        for name in students
        for stage in stages
        if _is_owed(stage, works[name].handed_in, begun)
    ]
    return found or [works[name].submissions[stage.stage] for name in students for stage in stages]


def _is_owed(stage: StageFiles, own: frozenset[str], begun: frozenset[str]) -> bool:
    """Whether a student who handed in ``own``, in a class that has ``begun`` some stages, owes this one."""
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
    """A student's submissions by stage, and the stages of which anything was handed in."""

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
    return submission.refusal is not None and submission.refusal.reason is RefusalReason.MISSING


def _notes(hand_in: HandIn, student: str) -> tuple[str, ...]:
    notes = [f"handed in under the name {shown(hand_in.name)}"] if hand_in.name != student else []
    if hand_in.folder is not None and (commit := commit_of(hand_in.folder)) is not None:
        notes.append(f"at commit {commit}")
    return tuple(notes)


def _unpacked(hand_in: HandIn, stages: Sequence[StageFiles]) -> tuple[Tree, Path | None]:
    """The hand-in's tree, and its folder where the tree is one on disk.

    Learning platforms make a folder per student around the one archive: it is looked into.
    """
    tree = hand_in.open()
    archives = [name for name in top_level(tree) if archive_name(name) is not None]
    if len(archives) != 1 or holds_work(tree, stages):
        return tree, hand_in.folder
    return read_archive(archives[0], tree[archives[0]].read(HAND_IN.packed)), None


def _submission(
    tree: Tree, folder: Path | None, student: str, stage: StageFiles, notes: tuple[str, ...]
) -> StageSubmission:
    hand_in = StageSubmission(
        student,
        stage.stage,
        None,
        notes=notes,
        handed_in=_handed_in(tree, folder, stage),
        answers=_answers(tree, stage),
    )
    try:
        path = locate(tree, stage)
        source, found = check_source(tree[path].read(LARGEST_FILE), path)
    except RefusedError as error:
        return replace(hand_in, refusal=error.refusal)
    if not f"/{path}".endswith(f"/{stage.file}") and "/" in path:
        found = (f"found as {shown(path)}, not as {stage.file}", *found)
    beside = path.rpartition("/")[0]
    attached = tuple(_attachments(tree, f"{beside}/" if beside else "", stage))
    return replace(hand_in, source=source, notes=(*notes, *found), attachments=attached)


def _attachments(tree: Tree, folder: str, stage: StageFiles) -> Iterator[Attachment]:
    """The files that the stage takes beside its module, as far as they are there; one that is unfit says so later."""
    for name, most_mb in stage.attachments:
        path = f"{folder}{name}"
        if path in tree:
            read = partial(tree[path].read, most_mb * 1024**2)
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
        if error.refusal.reason is RefusalReason.MISSING:
            return NO_ANSWERS
        return Answers(notes=(error.refusal.message,))


def _handed_in(tree: Tree, folder: Path | None, stage: StageFiles) -> datetime | None:
    """The time that the hand-in tells: of its module, or of its notebook where that is all there is."""
    for suffix in (".py", ".ipynb"):
        try:
            path = locate(tree, stage, suffix)
        except RefusedError:
            continue
        if folder is None:
            return tree[path].modified  # a stamp in an archive is the student's own
        if (folder / ".git").exists():
            return None  # the files' times are those of the cloning
        return stamped(tree, path.rpartition("/")[0]) or tree[path].modified
    return None


def _merge(works: Sequence[_Work], stages: Sequence[StageFiles]) -> _Work:
    """One student's work from several paths, each stage from the one that has it."""
    if len(works) == 1:
        return works[0]
    submissions = {}
    for stage in (stage.stage for stage in stages):
        there = [work for work in works if not _is_missing(work.submissions[stage])]
        # A hand-in that could not be opened counts only where no other one has the stage.
        best = [work for work in there if stage in work.handed_in] or there or works[:1]
        submissions[stage] = _same([work.submissions[stage] for work in best])
    return _Work(submissions, frozenset[str]().union(*(work.handed_in for work in works)))


def _same(found: Sequence[StageSubmission]) -> StageSubmission:
    """What all of them are; where they differ, nobody but the instructor can say which counts."""
    if len({one.digest for one in found}) == 1:
        return found[0]
    what = f"was handed in {len(found)} times, each time different; your instructor has to choose one"
    error = RefusedError(RefusalReason.AMBIGUOUS, found[0].stage, what)
    return replace(found[0], source=None, refusal=error.refusal)
