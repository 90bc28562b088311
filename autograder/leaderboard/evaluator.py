"""The entries of a class, from the files handed in to their evaluations."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from autograder.base.sealed_store import DistrustError, SealedStore
from autograder.base.text import printable
from autograder.course.config import Speedrun
from autograder.course.lab import Lab, LabError, StageFolders
from autograder.intake import Refusal, RefusalReason, RefusedError, StageSubmission
from autograder.intake.sources import check_source
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.process import Template
from autograder.leaderboard.entry import Entry
from autograder.leaderboard.evaluation import evaluate_entry
from autograder.leaderboard.events import event_of
from autograder.leaderboard.hand_in import GRADER_FAILED, LONGEST_PROBLEM, loaded_twice
from autograder.leaderboard.record import EntryRecord, read_entry_record
from autograder.models import MODEL_FAILED, TrainedModelError
from autograder.models.corpora.plays import plays_of
from autograder.pipeline.fingerprint import stage_fingerprint
from autograder.pipeline.secret import class_secret, course_secret, seal_secret
from autograder.pipeline.stand_ins import modules_for


@dataclass(frozen=True)
class _Files:
    """An entry's files: its record, the source of each module by name, and the bytes of the weights.

    ``own`` names the modules that the student wrote; the course wrote the others.
    """

    record: EntryRecord
    modules: Mapping[str, str]
    own: tuple[str, ...]
    weights: bytes


class EntryEvaluator:
    """Evaluates the entries of a class. An entry with the content of an earlier entry is looked up.

    Attributes:
        distrusted: student and stage → why the evaluation that was kept is not believed.
    """

    def __init__(
        self, lab: Lab, stage: StageFolders, speedrun: Speedrun, template: Template, *, fresh: bool = False
    ) -> None:
        """Evaluate the entries of a stage.

        Args:
            lab: the lab.
            stage: the stage of the speedrun.
            speedrun: its limits and events.
            template: forks the workers that run the models.
            fresh: look nothing up; evaluations are kept all the same.
        """
        self.distrusted: dict[tuple[str, str], DistrustError] = {}
        self._lab = lab
        self._stage = stage
        self._speedrun = speedrun
        self._template = template
        self._fresh = fresh
        secret = course_secret(lab)
        self._store = SealedStore(lab.build / "leaderboard", Entry, seal_secret(secret))
        self._secret = class_secret(secret, stage.id)
        plays = _sha256(plays_of(lab.root).read_bytes())
        limits = _sha256(msgspec.json.encode(speedrun))
        parts = (stage_fingerprint(lab, stage), limits, plays, _sha256(self._secret), template.level.value)
        self._basis = "\0".join(parts)

    def evaluate(self, submissions: Iterable[StageSubmission]) -> Entry | None:
        """Return the entry of one student, or None if the student hands in none.

        Args:
            submissions: the student's submissions: of this stage, with the entry's files attached, and of the stages
                that it needs.

        Raises:
            LabError: a stand-in is needed that the lab does not have.
        """
        by_stage = {submission.stage: submission for submission in submissions}
        student = by_stage[self._stage.id].student
        try:
            return self._evaluate(student, by_stage)
        except LabError:
            raise
        except RefusedError as error:
            problem = _public(error.refusal)
        except TrainedModelError as error:
            problem = str(error)
        except Exception:  # one entry, whatever is in it, must not stop the evaluation of the others
            problem = GRADER_FAILED
        return Entry(student, problem=printable(problem, LONGEST_PROBLEM))

    def _evaluate(self, student: str, by_stage: Mapping[str, StageSubmission]) -> Entry | None:
        files = self._read(by_stage)
        if files is None:
            return None
        key = self._key(files)
        entry = None if self._fresh else self._kept(student, key)
        if entry is None:
            entry = self._run(student, files)
            self._store.put(entry, key)
        return replace(entry, student=student)  # the kept entry may be another student's, of the same content

    def _kept(self, student: str, key: str) -> Entry | None:
        try:
            return self._store.get(key)
        except DistrustError as error:
            self.distrusted[student, self._stage.id] = error
            return None

    def _read(self, by_stage: Mapping[str, StageSubmission]) -> _Files | None:
        submission = by_stage[self._stage.id]
        speedrun = self._speedrun
        files = {attachment.name: attachment for attachment in submission.attachments}
        if submission.source is None:
            if submission.why_refused.reason is RefusalReason.MISSING:  # a stage that was not begun has no entry
                return None
            raise TrainedModelError(_public(submission.why_refused))
        if not files.keys() - {speedrun.source_file}:  # every student receives this file as a starter
            return None
        wanted = (speedrun.source_file, speedrun.weights_file, speedrun.record_file)
        if missing := [name for name in wanted if name not in files]:
            raise TrainedModelError(f"not handed in: {', '.join(missing)}")
        raw = files[speedrun.source_file].read()
        source, _ = check_source(raw, speedrun.source_file)
        record = read_entry_record(files[speedrun.record_file].read(), speedrun.record_file)
        self._check_tokens(record)
        if record.speedrun_sha256 and record.speedrun_sha256 not in (_sha256(raw), _sha256(source.encode())):
            raise TrainedModelError(
                f"{speedrun.record_file} belongs to another version of {speedrun.source_file}: "
                "hand in the version that you trained"
            )
        own = {name: needed.source for name, needed in by_stage.items() if needed.source is not None}
        modules, stand_ins = modules_for(self._lab, self._stage, submission.source, own)
        modules[speedrun.module] = source
        written = tuple(name for name in sorted(modules) if name not in stand_ins)
        return _Files(record, modules, written, files[speedrun.weights_file].read())

    def _check_tokens(self, record: EntryRecord) -> None:
        if event_of(record.tokens, self._speedrun.events) is None:
            most = max(self._speedrun.events.values())
            raise TrainedModelError(f"trained on {record.tokens:,} tokens; at most {most:,} are allowed")

    def _run(self, student: str, files: _Files) -> Entry:
        try:
            with loaded_twice(self._lab, self._template, files.modules, self._speedrun.module) as sessions:
                sources = [files.modules[name] for name in files.own]
                plays = plays_of(self._lab.root)
                evaluation = evaluate_entry(
                    sessions, self._speedrun, files.record, sources, files.weights, plays, self._secret
                )
        except TrainedModelError as error:
            return Entry(student, files.record, problem=printable(str(error), LONGEST_PROBLEM))
        except (SubmissionError, WorkerDied):
            return Entry(student, files.record, problem=MODEL_FAILED)
        return Entry(student, files.record, evaluation)

    def _key(self, files: _Files) -> str:
        parts = [self._basis, _sha256(files.weights), _sha256(msgspec.json.encode(files.record))]
        parts += [f"{name}={_sha256(source.encode())}" for name, source in sorted(files.modules.items())]
        return _sha256("\0".join(parts).encode())


def _public(refusal: Refusal) -> str:
    """The part of a refusal that anyone may read: names of folders and archives, perhaps a student's, are omitted."""
    if refusal.reason in (RefusalReason.AMBIGUOUS, RefusalReason.ARCHIVE):
        return f"a file was refused ({refusal.reason}); `autograder grade` names it"
    return refusal.message


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
