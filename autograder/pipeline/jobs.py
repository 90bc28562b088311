"""The jobs of one submission: its code, and the files submitted beside it."""

from collections.abc import Mapping

from autograder.course.lab import Lab, StageFolders
from autograder.intake import Attachment, RefusedError, StageSubmission
from autograder.judge.messages import Attached, Job
from autograder.pipeline.secret import class_secret, example_seed
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
    """Make the jobs of a submission.

    Code runs on stand-ins where an earlier stage did not pass; helpers come from the student's own module even there.
    A trained model runs on the modules with which it was trained: the student's own, right or wrong.

    Args:
        lab: the lab.
        stage: the stage to judge.
        submission: the submission; a submission that intake refused has no jobs.
        passed: stage → the student's module, for earlier stages whose code passed.
        handed_in: stage → the student's module, for all earlier stages.
        secret: the course's secret.

    Returns:
        The jobs, and the names of the modules that the course stands in for.

    Raises:
        LabError: the lab lacks a stand-in that is needed.
    """
    if submission.source is None:
        return [], ()
    modules, stand_ins = modules_for(lab, stage, submission.source, passed)
    own, _ = modules_for(lab, stage, submission.source, handed_in)
    attached_checks = stage.spec.attached_checks
    code = Job(
        stage=stage.id,
        modules=modules,
        own={name: own[name] for name in stand_ins if own[name] != modules[name]},
        seed=example_seed(secret, stage.id),
        checks=stage.spec.code_checks if attached_checks else None,
    )
    if not attached_checks:
        return [code], stand_ins
    model = Job(
        stage=stage.id,
        modules=own,
        seed=code.seed,
        checks=attached_checks,
        attachments={file.name: _attached(file) for file in submission.attachments},
        class_secret=class_secret(secret, stage.id),
    )
    return [code, model], stand_ins


def _attached(file: Attachment) -> Attached:
    """Read the file's content, or the reason why it is refused."""
    try:
        return Attached(file.read())
    except RefusedError as error:
        return Attached(problem=str(error))
