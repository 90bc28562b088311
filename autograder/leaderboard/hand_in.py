"""Trained models of single students, evaluated as in grading: on the student's own modules and the class's text."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from autograder.base.text import printable
from autograder.course.config import ModelLimits
from autograder.course.lab import Lab, LabError, StageFolders
from autograder.course.surroundings import surroundings
from autograder.intake import RefusedError, StageSubmission
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.process import Template, WorkerLimits
from autograder.isolation.proxy import Student
from autograder.isolation.worker import Worker
from autograder.leaderboard.entry import Entry
from autograder.models import MODEL_FAILED, RECORD_FILE, WEIGHTS_FILE, Evaluation, TrainedModelError, evaluate_gpt
from autograder.models.corpora.plays import plays_of
from autograder.models.record import read_record
from autograder.pipeline.secret import class_secret, course_secret
from autograder.pipeline.stand_ins import modules_for

# The largest model reads the held-out text twice in about twenty seconds of CPU time.
LIMITS = WorkerLimits(call_cpu_seconds=15.0, worker_cpu_seconds=120.0)
LONGEST_PROBLEM = 300
GRADER_FAILED = "the grader failed on this entry, not the student's code; evaluate it alone, and report the error"


def evaluate_hand_in(
    lab: Lab, stage: StageFolders, submissions: Iterable[StageSubmission], template: Template
) -> Entry:
    """Evaluate the model that a student handed in to be graded.

    Args:
        lab: the lab.
        stage: the stage of the model.
        submissions: the student's submissions: of this stage and, if any, of the stages that it needs.
        template: forks the workers that run the model.

    Raises:
        LabError: a stand-in is needed that the lab does not have.
    """
    by_stage = {submission.stage: submission for submission in submissions}
    submission = by_stage[stage.id]
    student = submission.student
    if submission.source is None:
        return Entry(student, problem=submission.why_refused.message)
    own = {name: needed.source for name, needed in by_stage.items() if needed.source is not None}
    modules, _ = modules_for(lab, stage, submission.source, own)
    files = {attachment.name: attachment for attachment in submission.attachments}
    missing = [name for name in (WEIGHTS_FILE, RECORD_FILE) if name not in files]
    if missing:
        return Entry(student, problem=f"not handed in: {', '.join(missing)}")
    secret, limits = class_secret(course_secret(lab), stage.id), model_limits(stage)
    try:
        record, weights = files[RECORD_FILE].read(), files[WEIGHTS_FILE].read()
        declared = read_record(record, limits)
        evaluation = evaluate_on_modules(lab, stage, modules, record, weights, secret, template)
        return Entry(student, declared, evaluation)
    except (SubmissionError, WorkerDied):
        return Entry(student, problem=MODEL_FAILED)
    except (RefusedError, TrainedModelError) as error:
        return Entry(student, problem=printable(str(error), LONGEST_PROBLEM))
    except Exception:  # one hand-in, whatever is in it, must not stop the evaluation of the others
        return Entry(student, problem=GRADER_FAILED)


def evaluate_on_modules(
    lab: Lab,
    stage: StageFolders,
    modules: Mapping[str, str],
    record: bytes,
    weights: bytes,
    secret: bytes,
    template: Template,
) -> Evaluation:
    """Evaluate a model with the modules that it runs on, by name, on text that the secret draws.

    Raises:
        TrainedModelError: the files or the model cannot be evaluated.
        SubmissionError, WorkerDied: the model fails.
    """
    with loaded_twice(lab, template, modules, stage.spec.module) as (student, twin):
        limits, plays = model_limits(stage), plays_of(lab.root)
        return evaluate_gpt(Student(student), Student(twin), record, weights, limits, plays, secret)


def model_limits(stage: StageFolders) -> ModelLimits:
    """Return the limits on the stage's trained model.

    Raises:
        LabError: grading.yml sets none.
    """
    if stage.spec.model_limits is None:
        raise LabError(f"grading.yml: stages.{stage.id} has no `model_limits`, which a trained model needs")
    return stage.spec.model_limits


@contextmanager
def loaded_twice(
    lab: Lab, template: Template, modules: Mapping[str, str], main: str
) -> Iterator[tuple[Worker, Worker]]:
    """Yield two workers that have loaded the same modules and cannot reach each other.

    Raises:
        SubmissionError, WorkerDied: the modules cannot be imported.
    """
    workers = (template.spawn(LIMITS), template.spawn(LIMITS))
    try:
        for worker in workers:
            worker.request("surround", **surroundings(lab))
            worker.request("load", modules=dict(modules), main=main)
        yield workers
    finally:
        for worker in workers:
            worker.kill()
