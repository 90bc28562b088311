"""The pipeline: submissions in, one report per student and stage out.

Students are independent of each other. A student's stages are graded in order, because a later stage runs
on the student's own earlier modules if these passed, and on the course's modules if they did not.
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
from autograder.course.python_versions import grading_version
from autograder.intake import Owed, Refusal, RefusalReason, StageFiles, StageSubmission
from autograder.judge.evidence import forbidden_call_notes
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.unrun import GRADER_FAILED, unrun_stage
from autograder.pipeline.fingerprint import course_secret, result_key, stage_fingerprint
from autograder.pipeline.jobs import jobs_for
from autograder.pipeline.store import ResultStore, StoredResult

_LONGEST_REASON = 500


class Judges(Protocol):
    """Judges of jobs: processes on this machine, or workers of a cluster."""

    @property
    def level(self) -> IsolationLevel:
        """The isolation level of submissions."""

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job; called from several threads."""


@dataclass(frozen=True)
class Graded:
    """A report, its submission, and whether the report came from the store."""

    submission: StageSubmission
    report: StageReport
    cached: bool

    @property
    def judged_source(self) -> str | None:
        """The source that the report is about; None if there is no source, or if an earlier result stands."""
        return self.submission.source if self.report.digest == self.submission.digest else None


@dataclass(frozen=True)
class Reuse:
    """Which stored results are reused.

    By default, results made from the same submission, tests, references, configuration and versions.

    Attributes:
        nothing: reuse no result; judge every submission again.
        unchanged_submissions: also reuse results of unchanged submissions if the course has changed.
    """

    nothing: bool = False
    unchanged_submissions: bool = False


class Grader:
    """Grades submissions with the given judges, and stores the results."""

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
        """Grade a class, and return the results student by student.

        Args:
            submissions: the class's submissions; each student's are in the order of ``grading.yml``.
            workers: number of students graded at the same time.
            on_done: called from this thread for each report, as soon as all of the student's reports are ready.
        """
        by_student: dict[str, list[StageSubmission]] = {}
        for submission in submissions:
            by_student.setdefault(submission.student, []).append(submission)

        def report_student(stages: Iterable[Graded]) -> None:
            for graded in stages:
                on_done(graded)

        students = parallel_map(self._grade_whole_student, by_student.values(), workers, report_student)
        return [graded for stages in students for graded in stages]

    def _grade_whole_student(self, submissions: Iterable[StageSubmission]) -> list[Graded]:
        return list(self.grade_student(submissions))

    def grade_student(self, submissions: Iterable[StageSubmission]) -> Iterator[Graded]:
        """Grade one student's submissions, which must be in the order of ``grading.yml``."""
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
        """Notes on why a stored result is reused, possibly empty; None if it is not reused."""
        same_files = self._reuse.unchanged_submissions and stored.digest == submission.digest
        if (stored.key == key or same_files) and not self._reuse.nothing and self._is_trusted(stored):
            return ()
        if _is_missing(submission) and stored.attempts:
            # An earlier submission stays valid when a later folder lacks it.
            return ("missing from this submission: the earlier result stands",)
        most = self._lab.config.policies.attempts
        if most is not None and submission.digest not in stored.attempts and len(stored.attempts) >= most:
            return (f"all {most} attempts were used: the earlier result stands",)
        return None

    def _is_trusted(self, stored: StoredResult) -> bool:
        """Whether to trust the result: without isolation, a submission could have changed its own result."""
        return stored.report.isolation is not IsolationLevel.NONE or self._judges.level is IsolationLevel.NONE

    def _judged(self, stage: StageFolders, submission: StageSubmission, jobs: Sequence[Job]) -> StageReport:
        notes: list[str] = []
        if submission.refusal is not None:
            checks = _refused(stage, submission.refusal)
            level = IsolationLevel.KERNEL_NAMESPACES  # no code ran, so the level of the class stays as it is
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
            not_graded=next((check.what for check in checks if check.outcome is Outcome.NOT_GRADED), ""),
            python="" if submission.source is None else grading_version(),
        )

    def _results(self, stage: StageFolders, job: Job, notes: list[str]) -> tuple[CheckResult, ...]:
        """Judge one job, and add a note for the instructor to ``notes`` if the judge failed."""
        reply = self._judges.judge(job)
        if isinstance(reply, Judged):
            return reply.checks
        notes.append(f"the judge failed: {printable(reply.reason.strip(), _LONGEST_REASON)}")
        return unrun_stage(stage, GRADER_FAILED, "", Outcome.GRADER_ERROR, only=job.checks)


def _code_passed(stage: StageFolders, report: StageReport) -> bool:
    """Whether later stages can run on the code; checks of attachments and bonus checks do not count."""
    attached = stage.spec.attached_checks
    return report.graded and all(check.passed or check.bonus or check.id in attached for check in report.checks)


def _with_notes(stage: StageFolders, submission: StageSubmission, report: StageReport) -> StageReport:
    """Add the notes of intake and the notes about forbidden calls to the report."""
    source = submission.source if report.digest == submission.digest else None
    calls = forbidden_call_notes(stage.spec, source or "", report.checks)
    return msgspec.structs.replace(report, notes=(*submission.notes, *report.notes, *calls))


def _is_missing(submission: StageSubmission) -> bool:
    return submission.refusal is not None and submission.refusal.reason is RefusalReason.MISSING


def _refused(stage: StageFolders, refusal: Refusal) -> tuple[CheckResult, ...]:
    """Make the results of a submission that intake refused."""
    missing = refusal.reason is RefusalReason.MISSING
    return unrun_stage(stage, refusal.message, refusal.file, Outcome.NOT_ATTEMPTED if missing else Outcome.BLOCKED)


def result_store(lab: Lab) -> ResultStore:
    """Open the lab's store of results."""
    return ResultStore(lab.build / "results")


def stage_files(lab: Lab, stage_ids: Iterable[str] = ()) -> list[StageFiles]:
    """List the files of every stage for intake, and which students owe each stage.

    Args:
        lab: the lab.
        stage_ids: the requested stages. Every student owes them; the stages that they build on are taken
            from students who have them. If empty, every student owes each stage that any student has begun.

    Raises:
        LabError: the lab has no stage with one of these ids.
    """
    requested = [lab.stage(stage_id) for stage_id in stage_ids]
    owed = {needed.id: Owed.IF_HANDED_IN for stage in requested for needed in needed_stages(lab, stage)}
    owed |= {stage.id: Owed.ALWAYS for stage in requested}
    default = Owed.NEVER if requested else Owed.ONCE_BEGUN
    return [
        StageFiles(stage.id, stage.spec.module, owed.get(stage.id, default), tuple(stage.spec.attachments.items()))
        for stage in lab.stages()
    ]
