"""The report of one submission: what the judges found, or why no code ran."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from autograder.base.results import CheckResult, IsolationLevel, Outcome, StageReport
from autograder.base.text import printable
from autograder.course.lab import StageFolders
from autograder.course.python_versions import grading_version
from autograder.intake import Answers, Refusal, RefusalReason, StageSubmission
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.unrun import GRADER_FAILED, unrun_stage

NOT_BEGUN = (RefusalReason.MISSING, RefusalReason.NOT_BEGUN)
_LONGEST_REASON = 500
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


def judged_report(stage: StageFolders, submission: StageSubmission, jobs: Sequence[Job], judges: Judges) -> StageReport:
    """Judge a submission's jobs."""
    notes: list[str] = []
    results = {check.id: check for job in jobs for check in _results(stage, job, judges, notes)}
    report = StageReport(
        student=submission.student,
        stage=stage.id,
        checks=tuple(results[check] for check in stage.spec.check_ids),
        isolation=judges.level,
        notes=tuple(notes),
        digest=submission.digest,
        python=grading_version(),
    )
    why = next((check.what for check in report.checks if check.outcome is Outcome.NOT_GRADED), "")
    return msgspec.structs.replace(report, not_graded=why or report.why_not_graded)


def refused_report(
    stage: StageFolders, submission: StageSubmission, is_unanswered: Callable[[Answers], bool]
) -> StageReport:
    """Make the report of a submission without source: no code runs.

    Args:
        stage: the stage.
        submission: the submission.
        is_unanswered: whether a lab sheet holds no answer.
    """
    refusal = submission.why_refused
    begun = refusal.reason not in NOT_BEGUN or not is_unanswered(submission.answers)
    waits = _needs_a_person(stage, refusal)
    outcome = Outcome.NOT_GRADED if waits else Outcome.BLOCKED
    if refusal.reason in NOT_BEGUN:
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


def _results(stage: StageFolders, job: Job, judges: Judges, notes: list[str]) -> tuple[CheckResult, ...]:
    """Judge one job, and add a note for the instructor to ``notes`` if the judge failed."""
    reply = judges.judge(job)
    if isinstance(reply, Judged):
        notes += [f"the judge: {printable(note.strip(), _LONGEST_REASON)}" for note in reply.notes]
        return reply.checks
    notes.append(f"the judge failed: {printable(reply.reason.strip(), _LONGEST_REASON)}")
    return unrun_stage(stage, GRADER_FAILED, "", Outcome.GRADER_ERROR, only=job.checks)


def _needs_a_person(stage: StageFolders, refusal: Refusal) -> bool:
    """Whether a person must decide about a refused submission.

    That is so if another file than the refused file may hold the work, or if the module was never looked at: the
    reason concerns an archive or a folder.
    """
    if refusal.reason in NOT_BEGUN:
        return False
    return refusal.reason in _UNDECIDED or refusal.file.rpartition("/")[2] != f"{stage.spec.module}.py"
