"""The pipeline: submissions in, one report per student and stage out.

Students are independent of each other. A student's stages are graded in order, because a later stage runs
on the student's own earlier modules if these passed, and on the course's modules if they did not.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from autograder.base.parallel_map import parallel_map
from autograder.base.results import IsolationLevel, ReportState, StageReport
from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.intake import Owed, Refusal, RefusalReason, StageFiles, StageSubmission
from autograder.judge.evidence import forbidden_call_notes
from autograder.judge.messages import Job
from autograder.pipeline.final_grade import FreeDays, with_attempts, with_rules, with_time
from autograder.pipeline.fingerprint import result_key, stage_fingerprint
from autograder.pipeline.jobs import jobs_for
from autograder.pipeline.judging import NOT_BEGUN, Judges, judged_report, refused_report
from autograder.pipeline.regrade import never_lower
from autograder.pipeline.secret import course_secret
from autograder.pipeline.store import StoredResult, claimed_digest, distrust_line
from autograder.pipeline.stored_reports import result_store
from autograder.pipeline.untouched import ReleasedStage


@dataclass(frozen=True)
class Graded:
    """A report, its submission, whether the report came from the store, and the report of earlier runs."""

    submission: StageSubmission
    report: StageReport
    cached: bool
    before: StageReport | None = None

    @property
    def is_unchanged(self) -> bool:
        """Whether every check has the points that an earlier run stored."""
        before = {check.id: check.score for check in self.before.checks} if self.before is not None else {}
        return self.cached and before == {check.id: check.score for check in self.report.checks}

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


@dataclass(frozen=True)
class Regrading:
    """How results replace those of earlier runs.

    Attributes:
        dry_run: change no result and no gradebook; what must be judged is kept for the real run.
        never_lower: a check that a hand-in passed before the course was changed stays passed.
    """

    dry_run: bool = False
    never_lower: bool = False


class Grader:
    """Grades submissions with the given judges, and stores the results.

    Attributes:
        finished: what is graded so far; its results are stored, also if the run is stopped now.
    """

    def __init__(self, lab: Lab, judges: Judges, reuse: Reuse = Reuse(), regrading: Regrading = Regrading()) -> None:
        self._lab = lab
        self._regrading = regrading
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
        free, earlier = FreeDays(self._lab.config), iter(self._lab.config.stages)
        for submission in submissions:
            self._spend_before(submission, earlier, free)
            graded = self._grade_stage(submission, passed, handed_in, free.left(submission.student))
            free.spend(graded.report)
            source = graded.judged_source
            if source is not None:
                handed_in[submission.stage] = source
                if code_passed(self._lab.stage(submission.stage), graded.report):
                    passed[submission.stage] = source
            self.finished.append(graded)
            yield graded

    def _grade_stage(
        self, submission: StageSubmission, passed: Mapping[str, str], handed_in: Mapping[str, str], free_days: int
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
        (before, _), cached = self._store.shown(submission.student, stage.id), True
        if stored is not None and why is not None:
            report, key = msgspec.structs.replace(stored.report, notes=why), stored.key
        elif (spare := self._spare(submission, key)) is not None:
            report = spare
        else:
            report, cached = self._judged(stage, submission, jobs), False
            report = msgspec.structs.replace(report, stand_ins=stand_ins)
            if self._regrading.dry_run and report.state is not ReportState.NOT_GRADED:
                self._store.put_spare(key, report)
        if self._regrading.never_lower and stored is not None and stored.digest == report.digest:
            report = never_lower(report, stored.report)
        if report.digest == submission.digest:
            report = with_time(report, submission)
        report = with_rules(_with_notes(stage, submission, report), self._lab.config, free_days)
        attempts = list(stored.attempts) if stored is not None else []
        if submission.source is not None and report.digest == submission.digest and report.ran:
            attempts.append(submission.digest)
        report = with_attempts(self._best(stored, key, report, free_days), self._lab.config, attempts)
        if lost := self._lost_result(submission):
            report = msgspec.structs.replace(report, not_graded=lost)
        elif not self._regrading.dry_run:
            self._keep(key, report, submission)
        return Graded(submission, report, cached, before)

    def _spend_before(self, submission: StageSubmission, stages: Iterator[str], free: FreeDays) -> None:
        """Spend the free late days of the stored results of earlier stages that are not graded in this run."""
        for stage in stages:
            if stage == submission.stage:
                return
            stored, _ = self._store.shown(submission.student, stage) if free.days else (None, None)
            if stored is not None:
                free.spend(with_rules(stored, self._lab.config, free.left(submission.student)))

    def _best(self, stored: StoredResult | None, key: str, report: StageReport, free_days: int) -> StageReport:
        """The report of the attempt that counts: this one, or by the policy an earlier one that earned more."""
        if self._lab.config.policies.counts != "best" or stored is None or stored.digest == report.digest:
            return report
        earlier = with_rules(stored.report, self._lab.config, free_days)
        if not report.graded or (earlier.final or 0) <= (report.final or 0):
            return report
        if not self._regrading.dry_run:
            self._store.put_spare(key, report)  # it need not be judged again
            if report.ran:
                self._store.add_attempt(report.student, report.stage, report.digest)
        note = f"an earlier attempt earned {earlier.final} points, this one {report.final}: the earlier one counts"
        return msgspec.structs.replace(earlier, notes=(*report.notes, note))

    def _spare(self, submission: StageSubmission, key: str) -> StageReport | None:
        """The report that a dry run judged with the same key; None if there is none."""
        spare = self._store.spare(submission.student, submission.stage)
        usable = spare is not None and spare.key == key and not self._reuse.nothing and self._is_trusted(spare)
        return spare.report if spare is not None and usable else None

    def _judged(self, stage: StageFolders, submission: StageSubmission, jobs: Sequence[Job]) -> StageReport:
        if submission.refusal is not None:
            return refused_report(stage, submission, self._released(stage.id).is_unanswered)
        return judged_report(stage, submission, jobs, self._judges)

    def _lost_result(self, submission: StageSubmission) -> str:
        """Why the stage is not graded, if an earlier result would stand but is not believed; empty otherwise."""
        distrust = self._store.distrusted.get((submission.student, submission.stage))
        if distrust is None or submission.refusal is None or submission.refusal.reason not in NOT_BEGUN:
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
            # A module that cannot be loaded costs no attempt: its student learns nothing from hidden tests.
            self._store.put(key, report, is_attempt=submission.source is not None and report.ran)
        else:
            self._store.settle(report.student, report.stage)

    def _why_kept(self, stored: StoredResult, key: str, submission: StageSubmission) -> tuple[str, ...] | None:
        """Notes on why a stored result is reused, possibly empty; None if it is not reused."""
        same_files = self._reuse.unchanged_submissions and stored.digest == submission.digest
        if (stored.key == key or same_files) and not self._reuse.nothing and self._is_trusted(stored):
            return ()
        if submission.refusal is not None and submission.refusal.reason in NOT_BEGUN and stored.attempts:
            # An earlier submission stays valid when a later folder lacks it.
            return ("missing from this submission: the earlier result stands",)
        most = self._lab.config.policies.attempts
        if most is not None and submission.digest not in stored.attempts and len(stored.attempts) >= most:
            return (f"all {most} attempts were used: the earlier result stands",)
        return None

    def _is_trusted(self, stored: StoredResult) -> bool:
        """Whether to trust the result: without isolation, a submission could have changed its own result."""
        return stored.report.isolation is not IsolationLevel.NONE or self._judges.level is IsolationLevel.NONE


def code_passed(stage: StageFolders, report: StageReport) -> bool:
    """Whether later stages can run on the code; checks of attachments and bonus checks do not count."""
    attached = stage.spec.attached_checks
    checks = (*report.checks, *report.dropped)
    return report.graded and all(check.passed or check.bonus or check.id in attached for check in checks)


def _with_notes(stage: StageFolders, submission: StageSubmission, report: StageReport) -> StageReport:
    """Add the notes of intake and the notes about forbidden calls to the report."""
    source = submission.source if report.digest == submission.digest else None
    calls = forbidden_call_notes(stage.spec, source or "", report.checks)
    return msgspec.structs.replace(report, notes=(*submission.notes, *report.notes, *calls))


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
