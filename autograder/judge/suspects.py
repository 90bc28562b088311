"""Does a mistake explain a failed check? Decided from replies to the requests that the check makes of the reference."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from autograder.course.lab import LabError, StageFolders
from autograder.course.mistakes import Mistake
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Session
from autograder.judge.course_code import CourseCode
from autograder.judge.hidden_tests import open_reference, run_checks
from autograder.judge.plugin import CheckRecord, OpenForCheck
from autograder.judge.replay import ChangedReplies, Transcript
from autograder.judge.replies import is_missing_in, mixed, same_reply, shares_fault
from autograder.judge.sessions import RecordingSession, TooLarge, close, give_back, limited

# Requests replayed and runs of checks for one submission, all mistakes together. Counted, not timed: the same
# submission gets the same report on every machine.
MOST_REPLAYED = 20_000
MOST_RUNS = 60


class Exhausted(Exception):
    """A submission needs more replays than the limits allow."""


@dataclass(frozen=True)
class _Evidence:
    """A failed check: its transcripts, and the student's replies to the same requests."""

    transcripts: Sequence[Transcript]
    replies: Sequence[Sequence[Any]]


class Suspects:
    """Compares the student's replies with those of wrong solutions.

    Two replies are the same if they are equal up to rounding, or if the check cannot tell them apart: outputs that
    an exercise leaves free do not count.

    Args:
        stage: the stage, with its hidden tests.
        code: the course's own code.
        seed: the seed of Hypothesis.
        failed: the checks that the submission failed.
        open_student: opens a session in which the submission is loaded, for a check.
    """

    def __init__(
        self, stage: StageFolders, code: CourseCode, seed: int, failed: frozenset[str], open_student: OpenForCheck
    ) -> None:
        self._stage = stage
        self._code = code
        self._seed = seed
        self._failed = failed
        self._open_student = open_student
        self._evidence: dict[str, _Evidence | None] = {}
        self._explained: dict[tuple[str, ...], bool] = {}
        self._replays_left = MOST_REPLAYED
        self._runs_left = MOST_RUNS

    def explains(self, check: str, *mistakes: Mistake) -> bool:
        """Whether the reference with these mistakes gives every reply that the student's code gives.

        Raises:
            Exhausted: a limit was reached.
        """
        key = (check, *(mistake.id for mistake in mistakes))
        if key not in self._explained:
            evidence, source = self._evidence_of(check), self._source(mistakes)
            self._explained[key] = (
                evidence is not None and source is not None and self._matches(check, evidence, source)
            )
        return self._explained[key]

    def can_tell(self, check: str) -> bool:
        """Whether the student's replies to the requests of a check are known.

        Raises:
            Exhausted: a limit was reached.
        """
        return self._evidence_of(check) is not None

    def loses(self, mistake: Mistake, checks: frozenset[str]) -> frozenset[str]:
        """Return the checks among these that the mistake loses."""
        source = self._source([mistake])
        assert source is not None
        records = self._run(checks, lambda *_: self._opened(source))
        return frozenset(check for check, record in records.items() if record.error is not None)

    def _evidence_of(self, check: str) -> _Evidence | None:
        if check not in self._evidence:
            self._evidence[check] = self._collected(check)
        return self._evidence[check]

    def _collected(self, check: str) -> _Evidence | None:
        """The check's transcripts with the student's replies; None if the check cannot be replayed to its end."""
        transcripts = self._transcripts.get(check)
        if transcripts is None:
            return None
        try:
            return _Evidence(transcripts, [self._students_replies(check, transcript) for transcript in transcripts])
        except (SubmissionError, WorkerDied, TooLarge):
            return None

    @cached_property
    def _transcripts(self) -> dict[str, Sequence[Transcript]]:
        """The exchanges of each failed check with the reference, of the checks that the reference passes."""
        recordings: dict[str, list[RecordingSession]] = {}

        def open_recorded(check: str, following: str | None) -> Session:
            recording = RecordingSession(open_reference(self._stage, self._code))
            recordings.setdefault(check, []).append(recording)
            return recording

        records = self._run(self._failed, open_recorded)
        return {
            check: [Transcript.of(recording.exchanges) for recording in recordings.get(check, ())]
            for check, record in records.items()
            if record.complete and record.error is None
            if all(recording.complete for recording in recordings.get(check, ()))
        }

    def _students_replies(self, check: str, transcript: Transcript) -> list[Any]:
        session = self._open_student(check, None)
        try:
            replies = list(limited(transcript.replayed(session)))
        except BaseException:
            close(session)
            raise
        give_back(session)
        return replies

    def _matches(self, check: str, evidence: _Evidence, source: str) -> bool:
        """Whether the source shares a fault with the student's code, and the check cannot tell the two apart."""
        shared = False
        changes: list[tuple[dict[int, Any], dict[int, Any]]] = []
        for transcript, replies in zip(evidence.transcripts, evidence.replies, strict=True):
            students, mistakes = dict[int, Any](), dict[int, Any]()
            changes.append((students, mistakes))
            for number, (reply, faulty) in enumerate(zip(replies, self._replayed(transcript, source), strict=False)):
                right = transcript.replies[number]
                is_faulty = not same_reply(faulty, right)
                if is_faulty and not shares_fault(reply, faulty, right):
                    return False
                if transcript.exchanges[number].op == "call" and is_missing_in(reply, faulty, right):
                    return False  # another fault, also where the check does not look at the result
                shared = shared or is_faulty
                if not same_reply(reply, faulty):
                    students[number] = mixed(reply, faulty, right)
                    if is_faulty:
                        mistakes[number] = mixed(faulty, reply, right)
        return shared and all(
            self._unnoticed(check, evidence.transcripts, [change[side] for change in changes]) for side in (0, 1)
        )

    def _unnoticed(self, check: str, transcripts: Sequence[Transcript], changes: Sequence[Mapping[int, Any]]) -> bool:
        """Whether the check passes on the reference with these replies changed."""
        if not any(changes):
            return True
        waiting = iter(zip(transcripts, changes, strict=True))

        def open_changed(*_: object) -> Session:
            return ChangedReplies(open_reference(self._stage, self._code), *next(waiting))

        record = self._run(frozenset({check}), open_changed)[check]
        return record.complete and record.error is None

    def _run(self, checks: frozenset[str], open_session: OpenForCheck) -> dict[str, CheckRecord]:
        self._runs_left -= 1
        if self._runs_left < 0:
            raise Exhausted
        return run_checks(self._stage, open_session, self._code, self._seed, checks)

    def _replayed(self, transcript: Transcript, source: str) -> Iterator[Any]:
        try:
            session = self._opened(source)
        except SubmissionError:
            return
        for reply in transcript.replayed(session):
            self._replays_left -= 1
            if self._replays_left < 0:
                raise Exhausted
            yield reply

    def _opened(self, source: str) -> InProcessSession:
        session = InProcessSession()
        main = self._stage.spec.module
        session.load({**self._code.modules, main: source}, main)
        return session

    def _source(self, mistakes: Sequence[Mistake]) -> str | None:
        """The reference with these mistakes; None if two of them change the same lines."""
        source = self._code.modules[self._stage.spec.module]
        try:
            for mistake in mistakes:
                source = mistake.apply(source)
        except LabError:
            return None
        return source
