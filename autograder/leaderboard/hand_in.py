"""Trained models measured one by one, as grading measures them: on the student's own modules, on the class's text."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from autograder.base.text import printable
from autograder.course.lab import Lab, StageFolders
from autograder.intake import RefusedError, StageSubmission
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.process import Template, WorkerLimits
from autograder.isolation.proxy import Student
from autograder.isolation.worker import Worker
from autograder.models import RECORD_FILE, WEIGHTS_FILE, ModelResult, TrainedModelError, grade_model
from autograder.models.corpora.held_out import plays_of
from autograder.pipeline.fingerprint import class_secret, course_secret
from autograder.pipeline.stand_ins import modules_for

# The largest model reads the hidden text twice in about twenty seconds of CPU time.
LIMITS = WorkerLimits(call_cpu_seconds=15.0, worker_cpu_seconds=120.0)
_LONGEST_PROBLEM = 300


@dataclass(frozen=True)
class Measurement:
    """What came of one student's model: figures, or why there are none."""

    student: str
    result: ModelResult | None = None
    problem: str = ""


def measure_hand_in(
    lab: Lab, stage: StageFolders, submissions: Iterable[StageSubmission], template: Template
) -> Measurement:
    """Measure the model that a student handed in.

    Args:
        lab: the lab.
        stage: whose model it is.
        submissions: the student's, of this stage and, as far as there are any, of those that it builds on.
        template: forks the workers that run the model.

    Raises:
        LabError: a stand-in is needed that the lab does not have.
    """
    by_stage = {one.stage: one for one in submissions}
    submission = by_stage[stage.id]
    if submission.source is None:
        return Measurement(submission.student, problem=submission.why_refused.message)
    own = {name: one.source for name, one in by_stage.items() if one.source is not None}
    modules, _ = modules_for(lab, stage, submission.source, own)
    files = {one.name: one for one in submission.attachments}
    missing = [name for name in (WEIGHTS_FILE, RECORD_FILE) if name not in files]
    if missing:
        return Measurement(submission.student, problem=f"not handed in: {', '.join(missing)}")
    secret = class_secret(course_secret(lab), stage.id)
    try:
        record, weights = files[RECORD_FILE].read(), files[WEIGHTS_FILE].read()
        result = measure_model(lab, stage, modules, record, weights, secret, template)
    except (RefusedError, SubmissionError, WorkerDied, TrainedModelError) as error:
        return Measurement(submission.student, problem=printable(str(error), _LONGEST_PROBLEM))
    return Measurement(submission.student, result)


def measure_model(
    lab: Lab,
    stage: StageFolders,
    modules: Mapping[str, str],
    record: bytes,
    weights: bytes,
    secret: bytes,
    template: Template,
) -> ModelResult:
    """Measure a model with the modules that it runs on, by name, on text that the secret draws.

    Raises:
        TrainedModelError: the files or the model are not fit to be measured.
        SubmissionError, WorkerDied: the model fails.
    """
    with loaded_twice(template, modules, stage.spec.module) as (student, twin):
        return grade_model(Student(student), Student(twin), record, weights, plays_of(lab.root), secret)


@contextmanager
def loaded_twice(template: Template, modules: Mapping[str, str], main: str) -> Iterator[tuple[Worker, Worker]]:
    """Two workers that have loaded the same modules and know nothing of each other.

    Raises:
        SubmissionError, WorkerDied: the modules cannot be imported.
    """
    workers = (template.spawn(LIMITS), template.spawn(LIMITS))
    try:
        for worker in workers:
            worker.request("load", modules=dict(modules), main=main)
        yield workers
    finally:
        for worker in workers:
            worker.kill()
