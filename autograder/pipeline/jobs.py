"""What there is to judge of one submission: its code, and what was handed in beside it."""

from collections.abc import Mapping

from autograder.course.lab import Lab, StageFolders
from autograder.intake import Attachment, RefusedError, StageSubmission
from autograder.judge.messages import Attached, Job
from autograder.pipeline.fingerprint import class_secret, example_seed
from autograder.pipeline.stand_ins import modules_for


def jobs_for(
    lab: Lab,
    stage: StageFolders,
    submission: StageSubmission,
    *,
    passed: Mapping[str, str],
    handed_in: Mapping[str, str],
    secret: bytes,
) -> tuple[list[Job], tuple[str, ...]]:
    """The jobs that a submission takes, and which of the course's modules stand in.

    Code runs on stand-ins where an earlier stage did not pass. What was trained runs on what it was
    trained with: the student's own modules, right or wrong.

    Args:
        lab: the lab.
        stage: the stage to judge.
        submission: the hand-in; one that intake refused takes no job.
        passed: the student's modules of earlier stages that passed everything, by stage.
        handed_in: all the student's modules of earlier stages, by stage.
        secret: the course's.

    Raises:
        LabError: a stand-in is needed that the lab does not have.
    """
    if submission.source is None:
        return [], ()
    modules, stand_ins = modules_for(lab, stage, submission.source, passed)
    attached_checks = stage.spec.attached_checks
    code = Job(
        stage=stage.id,
        modules=modules,
        seed=example_seed(secret, stage.id, modules),
        checks=stage.spec.code_checks if attached_checks else None,
    )
    if not attached_checks:
        return [code], stand_ins
    own, _ = modules_for(lab, stage, submission.source, handed_in)
    model = Job(
        stage=stage.id,
        modules=own,
        seed=code.seed,
        checks=attached_checks,
        attachments={one.name: _attached(one) for one in submission.attachments},
        class_secret=class_secret(secret, stage.id),
    )
    return [code, model], stand_ins


def _attached(file: Attachment) -> Attached:
    """The file's content, or what is wrong with it."""
    try:
        return Attached(file.read())
    except RefusedError as error:
        return Attached(problem=str(error))
