"""One hand-in → its submissions, one per stage; several hand-ins of a student are merged."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from autograder.intake.answer_files import answers_of
from autograder.intake.contents import Contents, Part, contents_of
from autograder.intake.git import changed_note, commit_note, commit_of, is_changed, is_commit_note
from autograder.intake.hand_ins import HandIn
from autograder.intake.notebooks import unread
from autograder.intake.refusals import ABSENT, RefusalReason, RefusedError, shown
from autograder.intake.sources import LARGEST_FILE, check_source
from autograder.intake.special_files import refuse_damaged
from autograder.intake.submission import Attachment, StageFiles, StageSubmission, TimeSource
from autograder.intake.time_table import KnownTimes
from autograder.intake.timestamps import Time, time_of
from autograder.intake.tree import Tree


@dataclass(frozen=True)
class Work:
    """A student's submissions by stage, and the stages with at least one file handed in."""

    submissions: Mapping[str, StageSubmission]
    handed_in: frozenset[str]

    def named(self, student: str, name: str) -> "Work":
        """The work under the student's id; ``name`` is the name under which it was handed in."""
        note = (f"handed in under the name {shown(name)}",) if name != student else ()
        submissions = {
            stage: replace(submission, student=student, notes=(*note, *submission.notes))
            for stage, submission in self.submissions.items()
        }
        return Work(submissions, self.handed_in)

    def at(self, times: KnownTimes, name: str) -> "Work":
        """The work with the times that the instructor knows; the table may have the id or the name."""
        settled = {stage: times.settled(submission, name) for stage, submission in self.submissions.items()}
        return Work(settled, self.handed_in)

    def equals(self, other: "Work") -> bool:
        """Whether both have the same content in each stage."""
        return all(work.digest == other.submissions[stage].digest for stage, work in self.submissions.items())


def read_work(hand_in: HandIn, tree: Tree, stages: Sequence[StageFiles]) -> Work:
    """Read the submissions in a hand-in's tree. A problem with a file is a refusal of its stage."""
    contents = contents_of(tree, hand_in.folder, stages)
    notes = _notes(hand_in)
    submissions = {stage.stage: _submission(contents, hand_in.name, stage, notes) for stage in stages}
    return Work(submissions, contents.begun(stages))


def refused_work(hand_in: HandIn, error: RefusedError, stages: Sequence[StageFiles]) -> Work:
    """The submissions of a hand-in that cannot be opened."""
    answers = unread(error.refusal.message)
    notes = _notes(hand_in)
    submissions = {
        stage.stage: StageSubmission(hand_in.name, stage.stage, None, error.refusal, notes, answers=answers)
        for stage in stages
    }
    return Work(submissions, frozenset())


def _notes(hand_in: HandIn) -> tuple[str, ...]:
    commit = commit_of(hand_in.folder) if hand_in.folder is not None else None
    return (*hand_in.notes, *([commit_note(commit)] if commit is not None else []))


def _submission(contents: Contents, student: str, stage: StageFiles, notes: tuple[str, ...]) -> StageSubmission:
    module: tuple[Part, str] | None = None
    hand_in = StageSubmission(student, stage.stage, None, notes=notes)
    try:
        part, path = module = contents.find(stage)
        raw = part.tree[path].read(LARGEST_FILE)
        source, source_notes = check_source(raw, path)
        attached = tuple(_attachments(contents, part, path, stage))
    except RefusedError as error:
        hand_in = replace(hand_in, refusal=error.refusal)
    else:
        if path != f"{stage.module}.py" and not f"/{path}".endswith(f"/{stage.file}"):
            source_notes = (f"found as {part.shown(path)}, not as {stage.file}", *source_notes)
        if part.folder is not None and is_changed(part.folder, path, raw):
            notes = tuple(changed_note(path, note) if is_commit_note(note) else note for note in notes)
        hand_in = replace(hand_in, source=source, notes=(*notes, *source_notes), attachments=attached)
    handed_in, source_of_time = _time(contents, module, stage)
    return replace(
        hand_in, handed_in=handed_in, time_source=source_of_time, answers=answers_of(contents, stage, module)
    )


def _attachments(contents: Contents, part: Part, module: str, stage: StageFiles) -> Iterator[Attachment]:
    """The stage's further files; an unfit file is refused when it is read.

    Raises:
        RefusedError: A file was damaged on its way: the student's own copy may be right.
    """
    for name, limit_mb in stage.attachments:
        found = _attached(contents, part, module, name)
        if found is None:
            continue
        read = partial(found[0].tree[found[1]].read, limit_mb * 1024**2)
        try:
            raw = read()
            digest = hashlib.sha256(raw).hexdigest()
        except RefusedError as error:
            digest = str(error)
        else:
            refuse_damaged(raw, found[0].shown(found[1]))
        yield Attachment(name, digest, read)


def _attached(contents: Contents, part: Part, module: str, name: str) -> tuple[Part, str] | None:
    """A file beside the module, else the only file of that name; None if there is none."""
    parent = module.rpartition("/")[0]
    beside = f"{parent}/{name}" if parent else name
    if beside in part.tree:
        return part, beside
    named = [(part, path) for part in contents.parts for path in part.tree if path.rpartition("/")[2] == name]
    return named[0] if len(named) == 1 else None


def _time(contents: Contents, module: tuple[Part, str] | None, stage: StageFiles) -> Time:
    """The time of the module, or of the notebook if there is no module, and its source."""
    try:
        part, _ = module or contents.find(stage, ".ipynb")
    except RefusedError:
        return None, TimeSource.UNKNOWN
    return time_of(part.tree, part.folder, stage)


def merge(works: Sequence[Work], stages: Sequence[StageFiles]) -> Work:
    """Merge one student's work from several paths: each stage comes from the path that has it."""
    if len(works) == 1:
        return works[0]
    submissions = {}
    for stage in (stage.stage for stage in stages):
        present = [work for work in works if not _is_missing(work.submissions[stage])]
        # A hand-in that could not be opened counts only if no other hand-in has the stage.
        best = [work for work in present if stage in work.handed_in] or present or works[:1]
        submissions[stage] = _single([work.submissions[stage] for work in best])
    return Work(submissions, frozenset[str]().union(*(work.handed_in for work in works)))


def _single(copies: Sequence[StageSubmission]) -> StageSubmission:
    """The submission if all copies are equal; else a refusal, because only the instructor can choose."""
    if len({submission.digest for submission in copies}) == 1:
        return copies[0]
    what = f"was handed in {len(copies)} times with different content; your instructor must choose one"
    error = RefusedError(RefusalReason.AMBIGUOUS, copies[0].stage, what)
    return replace(copies[0], source=None, refusal=error.refusal)


def _is_missing(submission: StageSubmission) -> bool:
    return submission.refusal is not None and submission.refusal.reason in ABSENT
