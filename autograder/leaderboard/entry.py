"""One student's entry, from the files handed in to figures or to the reason that there are none."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from autograder.base.text import printable
from autograder.course.lab import Lab, StageFolders
from autograder.intake import Refusal, RefusalReason, RefusedError, StageSubmission
from autograder.intake.sources import check_source
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.process import Template
from autograder.leaderboard.events import EVENTS, event_of
from autograder.leaderboard.hand_in import loaded_twice
from autograder.leaderboard.kept import KeptResults
from autograder.models import TrainedModelError
from autograder.models.corpora.held_out import plays_of
from autograder.models.entry import (
    LONGEST_NAME,
    MODULE,
    RECORD_FILE,
    SOURCE_FILE,
    WEIGHTS_FILE,
    EntryRecord,
    grade_entry,
    read_entry_record,
)
from autograder.models.result import MeanLoss
from autograder.pipeline.fingerprint import class_secret, course_secret, stage_fingerprint
from autograder.pipeline.stand_ins import modules_for

_LONGEST_PROBLEM = 300


class Measured(msgspec.Struct, MeanLoss, frozen=True, kw_only=True):
    """The figures of a measured entry; losses are in nats per character.

    ``losses`` are those of the blocks of hidden text, which are the same for all entries of a class.
    """

    name: str
    tokens: int
    parameters: int
    embeddings: int
    losses: tuple[float, ...]
    validation_loss: float | None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an entry: its figures, or why it has none."""

    measured: Measured | None = None
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """What came of one student's entry: figures, or why there are none.

    A student who handed in no model for the leaderboard takes no part, and is no entry. ``problem`` may be shown to
    anyone: nothing that student code said while it read hidden text is in it.
    """

    student: str
    measured: Measured | None = None
    problem: str = ""


@dataclass(frozen=True)
class _Files:
    """An entry's files: the record read, the modules that its model runs on, the weights' bytes."""

    record: EntryRecord
    modules: Mapping[str, str]
    weights: bytes


class Measurer:
    """Measures the entries of a class; what was measured before, of the same content, is looked up."""

    def __init__(self, lab: Lab, stage: StageFolders, template: Template, kept: KeptResults[Kept]) -> None:
        self._lab = lab
        self._stage = stage
        self._template = template
        self._kept = kept
        self._secret = class_secret(course_secret(lab), stage.id)
        plays = _sha256(plays_of(lab.root).read_bytes())
        self._basis = "\0".join((stage_fingerprint(lab, stage), plays, _sha256(self._secret), template.level.value))

    def measure(self, submissions: Iterable[StageSubmission]) -> Entry | None:
        """The entry of one student; None where there is none.

        Args:
            submissions: the student's, of this stage with the entry's files attached, and of those that it builds on.

        Raises:
            LabError: a stand-in is needed that the lab does not have.
        """
        by_stage = {one.stage: one for one in submissions}
        student = by_stage[self._stage.id].student
        try:
            files = self._read(by_stage)
        except (RefusedError, TrainedModelError) as error:
            told = _told(error.refusal) if isinstance(error, RefusedError) else str(error)
            return Entry(student, problem=printable(told, _LONGEST_PROBLEM))
        if files is None:
            return None
        key = self._key(files)
        kept = self._kept.get(key)
        if kept is None:
            try:
                kept = self._run(files)
            except WorkerDied as death:  # a busy machine can be the reason: it is not kept
                return Entry(student, problem=f"the model was stopped: {death.reason}")
            self._kept.put(key, kept)
        return Entry(student, kept.measured, kept.problem)

    def _read(self, by_stage: Mapping[str, StageSubmission]) -> _Files | None:
        submission = by_stage[self._stage.id]
        files = {one.name: one for one in submission.attachments}
        if submission.source is None:
            if submission.why_refused.reason is RefusalReason.MISSING:  # a stage that was not begun has no entry
                return None
            raise TrainedModelError(_told(submission.why_refused))
        if not files.keys() - {SOURCE_FILE}:  # everybody is given a speedrun.py to start from
            return None
        if missing := [name for name in (SOURCE_FILE, WEIGHTS_FILE, RECORD_FILE) if name not in files]:
            raise TrainedModelError(f"not handed in: {', '.join(missing)}")
        raw = files[SOURCE_FILE].read()
        source, _ = check_source(raw, SOURCE_FILE)
        record = read_entry_record(files[RECORD_FILE].read())
        if event_of(record.tokens) is None:
            most = max(event.most_tokens for event in EVENTS)
            raise TrainedModelError(f"trained on {record.tokens:,} tokens; {most:,} is the most that is ranked")
        if record.speedrun_sha256 and record.speedrun_sha256 not in (_sha256(raw), _sha256(source.encode())):
            raise TrainedModelError(f"{RECORD_FILE} was written for another {SOURCE_FILE}: hand in the one you trained")
        own = {name: one.source for name, one in by_stage.items() if one.source is not None}
        modules, _ = modules_for(self._lab, self._stage, submission.source, own)
        return _Files(record, {**modules, MODULE: source}, files[WEIGHTS_FILE].read())

    def _run(self, files: _Files) -> Kept:
        try:
            return Kept(measured=self._measured(files))
        except TrainedModelError as error:
            return Kept(problem=printable(str(error), _LONGEST_PROBLEM))
        except SubmissionError as error:
            # The model has read hidden text: its own words stay here.
            return Kept(problem=f"the model stopped with an error ({_kind(error)}); run it on other text")

    def _measured(self, files: _Files) -> Measured:
        with loaded_twice(self._template, files.modules, MODULE) as sessions:
            result = grade_entry(sessions, files.record, files.weights, plays_of(self._lab.root), self._secret)
        return Measured(
            name=printable(files.record.name.strip(), LONGEST_NAME),
            tokens=files.record.tokens,
            parameters=result.parameters,
            embeddings=result.embeddings,
            losses=result.figures.losses,
            validation_loss=files.record.validation_loss,
        )

    def _key(self, files: _Files) -> str:
        parts = [self._basis, _sha256(files.weights), _sha256(msgspec.json.encode(files.record))]
        parts += [f"{name}={_sha256(source.encode())}" for name, source in sorted(files.modules.items())]
        return _sha256("\0".join(parts).encode())


def _told(refusal: Refusal) -> str:
    """What everybody may read of a refusal: names of folders and archives, which may be a student's, are left out."""
    if refusal.reason in (RefusalReason.AMBIGUOUS, RefusalReason.ARCHIVE):
        return f"a file was refused ({refusal.reason}); `autograder grade` says which"
    return refusal.message


def _kind(error: SubmissionError) -> str:
    """The builtin error that it is; a class of the student's own could be called after what it read."""
    return error.type_name if type(error) is not SubmissionError else "one of its own"


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
