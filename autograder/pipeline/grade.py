"""The pipeline: submissions in, one report per student and stage out.

Students are independent of each other; a student's stages go in order, because a later stage runs
on the student's own earlier modules where those passed, and on the course's where they did not.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from autograder.base.parallel_map import parallel_map
from autograder.base.results import CheckResult, IsolationLevel, Outcome, StageReport
from autograder.base.text import printable
from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.intake import Owed, Refusal, RefusalReason, StageFiles, StageSubmission
from autograder.judge.evidence import forbidden_call_notes
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.unrun import unrun_stage
from autograder.pipeline.fingerprint import course_secret, result_key, stage_fingerprint
from autograder.pipeline.jobs import jobs_for
from autograder.pipeline.store import ResultStore, StoredResult

_GRADER_FAILED = "the grader failed, not your code; nothing was deducted"
_LONGEST_REASON = 500


class Judges(Protocol):
    """Whatever judges jobs: processes here, or workers of a cluster."""

    @property
    def level(self) -> IsolationLevel:
        """How submissions are kept apart."""

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job; called from several threads."""


@dataclass(frozen=True)
class Graded:
    """One report, the submission it is about, and whether it came from the store."""

    submission: StageSubmission
    report: StageReport
    cached: bool

    @property
    def judged_source(self) -> str | None:
        """The source that the report is about; None where it is about none, or about an earlier one that stands."""
        return self.submission.source if self.report.digest == self.submission.digest else None


@dataclass(frozen=True)
class Reuse:
    """Which stored results are taken as they are.

    By default those made from the same submission, tests, references, configuration and versions.
    ``nothing`` judges everything again; ``unchanged_submissions`` also keeps results that older
    tests gave to the same files.
    """

    nothing: bool = False
    unchanged_submissions: bool = False


class Grader:
    """Grades submissions with the judges given, remembering what it has done."""

    def __init__(self, lab: Lab, judges: Judges, reuse: Reuse = Reuse()) -> None:
        self._lab = lab
        self._judges = judges
        self._reuse = reuse
        self._store = result_store(lab)
        self._secret = course_secret(lab)
        self._fingerprint = functools.cache(lambda stage_id: stage_fingerprint(lab, lab.stage(stage_id)))

    def grade_all(
        self,
        submissions: Iterable[StageSubmission],
        *,
        workers: int,
        on_done: Callable[[Graded], None] = lambda graded: None,
    ) -> list[Graded]:
        """Grade a class, ``workers`` students at a time; the results student by student.

        ``on_done`` is called from this thread, with all of a student's reports as soon as they are ready.
        """
        by_student: dict[str, list[StageSubmission]] = {}
        for submission in submissions:
            by_student.setdefault(submission.student, []).append(submission)

        def tell(stages: Iterable[Graded]) -> None:
            for graded in stages:
                on_done(graded)

        students = parallel_map(self._grade_whole_student, by_student.values(), workers, tell)
        return [graded for stages in students for graded in stages]

    def _grade_whole_student(self, submissions: Iterable[StageSubmission]) -> list[Graded]:
        return list(self.grade_student(submissions))

    def grade_student(self, submissions: Iterable[StageSubmission]) -> Iterator[Graded]:
        """Grade one student's stages, which come in the order of ``grading.yml``."""
        passed: dict[str, str] = {}
        handed_in: dict[str, str] = {}
        for submission in submissions:
            graded = self._grade_stage(submission, passed, handed_in)
            source = graded.judged_source
            if source is not None:
                handed_in[submission.stage] = source
                if _code_passed(self._lab.stage(submission.stage), graded.report):
                    passed[submission.stage] = source
            yield graded

    def _grade_stage(
        self, submission: StageSubmission, passed: Mapping[str, str], handed_in: Mapping[str, str]
    ) -> Graded:
        stage = self._lab.stage(submission.stage)
        jobs, stand_ins = jobs_for(
            self._lab, stage, submission, passed=passed, handed_in=handed_in, secret=self._secret
        )
        judged = [job.modules for job in jobs]
        key = result_key(self._fingerprint(stage.id), submission.student, submission.digest, judged)
        stored = self._store.get(submission.student, stage.id)
        if stored is not None and (why := self._why_kept(stored, key, submission)) is not None:
            report = msgspec.structs.replace(stored.report, notes=why)
            return Graded(submission, _with_notes(stage, submission, report), cached=True)
        report = self._judged(stage, submission, jobs)
        report = _with_notes(stage, submission, msgspec.structs.replace(report, stand_ins=stand_ins))
        if report.graded:
            self._store.put(key, report, is_attempt=submission.source is not None)
        return Graded(submission, report, cached=False)

    def _why_kept(self, stored: StoredResult, key: str, submission: StageSubmission) -> tuple[str, ...] | None:
        """Notes on why a stored result stands, perhaps none; None where it does not."""
        same_files = self._reuse.unchanged_submissions and stored.digest == submission.digest
        if (stored.key == key or same_files) and not self._reuse.nothing and self._is_trusted(stored):
            return ()
        if _is_missing(submission) and stored.attempts:
            # What somebody handed in before is not undone by a folder that does not hold it.
            return ("not in this hand-in: the earlier result stands",)
        most = self._lab.config.policies.attempts
        if most is not None and submission.digest not in stored.attempts and len(stored.attempts) >= most:
            return (f"{most} attempts count, and were made: the earlier result stands",)
        return None

    def _is_trusted(self, stored: StoredResult) -> bool:
        """Without isolation a submission could have changed its own result: a run with it judges again."""
        return stored.report.isolation is not IsolationLevel.NONE or self._judges.level is IsolationLevel.NONE

    def _judged(self, stage: StageFolders, submission: StageSubmission, jobs: Sequence[Job]) -> StageReport:
        notes: list[str] = []
        if submission.refusal is not None:
            checks = _refused(stage, submission.refusal)
            level = IsolationLevel.KERNEL_NAMESPACES  # nothing of it ran, so nothing weakens the level of the class
        else:
            results = {check.id: check for job in jobs for check in self._results(stage, job, notes)}
            checks = tuple(results[check] for check in stage.spec.check_ids)
            level = self._judges.level
        return StageReport(
            student=submission.student,
            stage=stage.id,
            checks=checks,
            isolation=level,
            notes=tuple(notes),
            digest=submission.digest,
        )

    def _results(self, stage: StageFolders, job: Job, notes: list[str]) -> tuple[CheckResult, ...]:
        """What comes of one job; what the instructor should know of it is added to ``notes``."""
        reply = self._judges.judge(job)
        if isinstance(reply, Judged):
            return reply.checks
        notes.append(f"the judge failed: {printable(reply.reason.strip(), _LONGEST_REASON)}")
        return unrun_stage(stage, _GRADER_FAILED, "", Outcome.GRADER_ERROR, only=job.checks)


def _code_passed(stage: StageFolders, report: StageReport) -> bool:
    """Whether later stages can build on the code: what was or was not trained with it is another matter."""
    attached = stage.spec.attached_checks
    return report.graded and all(one.passed or one.bonus or one.id in attached for one in report.checks)


def _with_notes(stage: StageFolders, submission: StageSubmission, report: StageReport) -> StageReport:
    """The report with what intake noted, and what there is to say about forbidden calls."""
    source = submission.source if report.digest == submission.digest else None
    calls = forbidden_call_notes(stage.spec, source or "", report.checks)
    return msgspec.structs.replace(report, notes=(*submission.notes, *report.notes, *calls))


def _is_missing(submission: StageSubmission) -> bool:
    return submission.refusal is not None and submission.refusal.reason is RefusalReason.MISSING


def _refused(stage: StageFolders, refusal: Refusal) -> tuple[CheckResult, ...]:
    """The results of a submission that intake did not let through."""
    missing = refusal.reason is RefusalReason.MISSING
    return unrun_stage(stage, refusal.message, refusal.file, Outcome.NOT_ATTEMPTED if missing else Outcome.BLOCKED)


def result_store(lab: Lab) -> ResultStore:
    """Where a lab keeps its results."""
    return ResultStore(lab.build / "results")


def stage_files(lab: Lab, stage_ids: Iterable[str] = ()) -> list[StageFiles]:
    """What intake looks for: every stage.

    When none is asked for, each is owed once somebody has begun it. Otherwise those asked for are owed
    by all, and those that they build on are taken along where a student has them.
    """
    asked = [lab.stage(stage_id) for stage_id in stage_ids]
    owed = {needed.id: Owed.IF_HANDED_IN for stage in asked for needed in needed_stages(lab, stage)}
    owed |= {stage.id: Owed.ALWAYS for stage in asked}
    otherwise = Owed.NEVER if asked else Owed.ONCE_BEGUN
    return [
        StageFiles(stage.id, stage.spec.module, owed.get(stage.id, otherwise), tuple(stage.spec.attachments.items()))
        for stage in lab.stages()
    ]
