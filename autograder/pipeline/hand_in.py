"""The job that judged a student's stage, made again from the hand-in."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from autograder.base.results import StageReport
from autograder.course.lab import Lab, StageFolders
from autograder.intake import StageSubmission, take_in_student
from autograder.judge.messages import Job
from autograder.pipeline.grade import code_passed, stage_files
from autograder.pipeline.jobs import jobs_for
from autograder.pipeline.secret import course_secret
from autograder.pipeline.stored_reports import result_store


class HandInError(Exception):
    """The hand-in that a result is about cannot be read; the message says what to do."""


def filed_hand_in(lab: Lab, student: str) -> list[StageSubmission]:
    """Read the student's hand-in as it was filed in nbgrader's folder; attachments are not filed.

    Raises:
        HandInError: nothing is filed for the student.
    """
    folder: Path = lab.build / "nbgrader" / "submitted" / student
    if not folder.is_dir():
        raise HandInError(f"no hand-in of {student} is filed in {folder.parent}; pass it with --from PATH")
    return take_in_student(folder, student, stage_files(lab))


def judged_job(
    lab: Lab, stage: StageFolders, check: str, submissions: Sequence[StageSubmission]
) -> tuple[Job, StageReport]:
    """Make the job again in which a check of a student was judged, and read its stored report.

    Args:
        lab: the lab.
        stage: the stage.
        check: the id of the check.
        submissions: the student's submissions, in the order of ``grading.yml``.

    Raises:
        HandInError: the stage is not graded, or the submission is not the one that was graded.
    """
    store = result_store(lab)
    passed, handed_in = {}, {}
    for submission in submissions:
        stored = store.get(submission.student, submission.stage)
        if submission.source is None or submission.stage == stage.id:
            continue
        handed_in[submission.stage] = submission.source
        is_graded = stored is not None and stored.digest == submission.digest
        if stored is not None and is_graded and code_passed(lab.stage(submission.stage), stored.report):
            passed[submission.stage] = submission.source
    own = next((submission for submission in submissions if submission.stage == stage.id), None)
    stored = store.get(own.student, stage.id) if own is not None else None
    if own is None or own.source is None or stored is None:
        raise HandInError(f"{stage.id} has no graded hand-in of this student")
    if not stage.spec.attachments and stored.digest != own.digest:
        raise HandInError(f"this hand-in of {stage.id} differs from the graded one; pass that with --from PATH")
    jobs, _ = jobs_for(lab, stage, own, passed=passed, handed_in=handed_in, secret=course_secret(lab))
    job = next(job for job in jobs if job.checks is None or check in job.checks)
    return msgspec.structs.replace(job, checks=frozenset({check})), stored.report
