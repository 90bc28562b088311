"""The pipeline: submissions in, one report per student and stage out.

Students are independent of each other. A student's stages are graded in order, because a later stage runs
on the student's own earlier modules if these passed, and on the course's modules if they did not.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from autograder.base.parallel_map import parallel_map
from autograder.base.results import CheckResult, IsolationLevel, Outcome, ReportState, StageReport
from autograder.base.text import printable
from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.course.python_versions import grading_version
from autograder.intake import Owed, Refusal, RefusalReason, StageFiles, StageSubmission
from autograder.judge.evidence import forbidden_call_notes
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.unrun import GRADER_FAILED, unrun_stage
from autograder.pipeline.fingerprint import result_key, stage_fingerprint
from autograder.pipeline.jobs import jobs_for
from autograder.pipeline.lateness import with_penalty, with_time
from autograder.pipeline.secret import course_secret
from autograder.pipeline.store import StoredResult, claimed_digest, distrust_line
from autograder.pipeline.stored_reports import result_store
from autograder.pipeline.untouched import ReleasedStage

_LONGEST_REASON = 500
_NOT_BEGUN = (RefusalReason.MISSING, RefusalReason.NOT_BEGUN)
_UNDECIDED = (RefusalReason.MISNAMED, RefusalReason.AMBIGUOUS, RefusalReason.ARCHIVE, RefusalReason.UNREADABLE)


class Judges(Protocol):
    """Judges of jobs: processes on this machine, or workers of a cluster."""

    @property
    def level(self) -> IsolationLevel:
        """The isolation level of submissions."""

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job; called from several threads."""

    def stop(self) -> None:
        """Judge nothing more: jobs that are being judged raise an error."""


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
    """Grades submissions with the given judges, and stores the results.

    Attributes:
        finished: what is graded so far; its results are stored, also if the run is stopped now.
    """

    def __init__(self, lab: Lab, judges: Judges, reuse: Reuse = Reuse()) -> None:
        self._lab = lab
        self._judges = judges
        self._reuse = reuse
        self._store = result_store(lab)
        self.finished: list[Graded] = []
        self._secret = course_secret(lab)
        self._fingerprint = functools.cache(lambda stage_id: stage_fingerprint(lab, lab.stage(stage_id)))
        self._released = functools.cache(lambda stage_id: ReleasedStage(lab.stage(stage_id)))

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

        def grade_whole_student(submissions: Iterable[StageSubmission]) -> list[Graded]:
            return list(self.grade_student(submissions))

        def report_student(stages: Iterable[Graded]) -> None:
            for graded in stages:
                on_done(graded)

        students = parallel_map(grade_whole_student, by_student.values(), workers, report_student, self._judges.stop)
        return [graded for stages in students for graded in stages]

    def distrusted(self) -> str:
        """One line about the stored results that were not believed; empty if all were."""
        return distrust_line(self._store.distrusted, f"judged again (the old files are in {self._store.set_aside})")

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
            self.finished.append(graded)
            yield graded

    def _grade_stage(
        self, submission: StageSubmission, passed: Mapping[str, str], handed_in: Mapping[str, str]
    ) -> Graded:
        stage = self._lab.stage(submission.stage)
        submission = self._without_stub(stage, submission)
        jobs, stand_ins = jobs_for(
            self._lab, stage, submission, passed=passed, handed_in=handed_in, secret=self._secret
        )
        judged = [modules for job in jobs for modules in (job.modules, job.own)]
        key = result_key(self._fingerprint(stage.id), submission.student, submission.digest, judged)
        stored = self._store.get(submission.student, stage.id)
        why = self._why_kept(stored, key, submission) if stored is not None else None
        if stored is not None and why is not None:
            report, key = msgspec.structs.replace(stored.report, notes=why), stored.key
        else:
            report = msgspec.structs.replace(self._judged(stage, submission, jobs), stand_ins=stand_ins)
        if report.digest == submission.digest:
            report = with_time(report, submission)
        report = with_penalty(_with_notes(stage, submission, report), self._lab.config)
        if lost := self._lost_result(submission):
            report = msgspec.structs.replace(report, not_graded=lost)
        else:
            self._keep(key, report, submission)
        return Graded(submission, report, cached=why is not None)

    def _lost_result(self, submission: StageSubmission) -> str:
        """Why the stage is not graded, if an earlier result would stand but is not believed; empty otherwise."""
        distrust = self._store.distrusted.get((submission.student, submission.stage))
        if distrust is None or submission.refusal is None or submission.refusal.reason not in _NOT_BEGUN:
            return ""
        if claimed_digest(distrust) == submission.digest:  # the earlier result was "not begun" too
            return ""
        return f"nothing was handed in, and the stored result {distrust.reason}: grade the earlier hand-in again"

    def _without_stub(self, stage: StageFolders, submission: StageSubmission) -> StageSubmission:
        """The submission; if it is still the released stub without an answer, a submission that was not begun."""
        if submission.source is None or submission.attachments:
            return submission
        released = self._released(stage.id)
        if not released.is_stub(submission.source) or not released.is_unanswered(submission.answers):
            return submission
        file = f"{stage.id}/{stage.spec.module}.py"
        refusal = Refusal(RefusalReason.NOT_BEGUN, f"not begun: {file} is still as it was released", file)
        return replace(submission, source=None, refusal=refusal)

    def _keep(self, key: str, report: StageReport, submission: StageSubmission) -> None:
        """Store the report, unless an earlier result stands in for it."""
        if report.state is ReportState.NOT_GRADED:
            self._store.put_waiting(report)
        elif report.digest == submission.digest:
            self._store.put(key, report, is_attempt=submission.source is not None)
        else:
            self._store.settle(report.student, report.stage)

    def _why_kept(self, stored: StoredResult, key: str, submission: StageSubmission) -> tuple[str, ...] | None:
        """Notes on why a stored result is reused, possibly empty; None if it is not reused."""
        same_files = self._reuse.unchanged_submissions and stored.digest == submission.digest
        if (stored.key == key or same_files) and not self._reuse.nothing and self._is_trusted(stored):
            return ()
        if submission.refusal is not None and submission.refusal.reason in _NOT_BEGUN and stored.attempts:
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
        if submission.refusal is not None:
            return self._refused(stage, submission, submission.refusal)
        notes: list[str] = []
        results = {check.id: check for job in jobs for check in self._results(stage, job, notes)}
        report = StageReport(
            student=submission.student,
            stage=stage.id,
            checks=tuple(results[check] for check in stage.spec.check_ids),
            isolation=self._judges.level,
            notes=tuple(notes),
            digest=submission.digest,
            python=grading_version(),
        )
        why = next((check.what for check in report.checks if check.outcome is Outcome.NOT_GRADED), "")
        return msgspec.structs.replace(report, not_graded=why or report.why_not_graded)

    def _refused(self, stage: StageFolders, submission: StageSubmission, refusal: Refusal) -> StageReport:
        """Make the report of a submission without source: no code ran."""
        begun = refusal.reason not in _NOT_BEGUN or not self._released(stage.id).is_unanswered(submission.answers)
        waits = _needs_a_person(stage, refusal)
        outcome = Outcome.NOT_GRADED if waits else Outcome.BLOCKED
        if refusal.reason in _NOT_BEGUN:
            outcome = Outcome.NOT_ATTEMPTED
        return StageReport(
            student=submission.student,
            stage=stage.id,
            checks=unrun_stage(stage, refusal.message, refusal.file, outcome),
            isolation=None,
            digest=submission.digest,
            not_graded=refusal.message if waits else "",
            begun=begun,
        )

    def _results(self, stage: StageFolders, job: Job, notes: list[str]) -> tuple[CheckResult, ...]:
        """Judge one job, and add a note for the instructor to ``notes`` if the judge failed."""
        reply = self._judges.judge(job)
        if isinstance(reply, Judged):
            notes += [f"the judge: {printable(note.strip(), _LONGEST_REASON)}" for note in reply.notes]
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


def _needs_a_person(stage: StageFolders, refusal: Refusal) -> bool:
    """Whether a person must decide about a refused submission.

    That is so if another file than the refused file may hold the work, or if the module was never looked at: the
    reason concerns an archive or a folder.
    """
    if refusal.reason in _NOT_BEGUN:
        return False
    return refusal.reason in _UNDECIDED or refusal.file.rpartition("/")[2] != f"{stage.spec.module}.py"


def stage_files(lab: Lab, stage_ids: Iterable[str] = ()) -> list[StageFiles]:
    """List the files of every stage for intake, and which students owe each stage.

    Args:
        lab: the lab.
        stage_ids: the requested stages. Every student owes them; the stages that they build on are taken
            from students who have them. If empty, each stage that any student has begun is listed for all students,
            and counts for those who have begun it.

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
