"""The differences between the gradebook and the results, one line each."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nbgrader.api import MissingEntry

from autograder.base.results import StageReport
from autograder.course.config import Exercise
from autograder.course.lab import Lab
from autograder.integrations.nbgrader.course import LOCK_SECONDS, open_gradebook
from autograder.integrations.nbgrader.penalties import penalty
from autograder.integrations.nbgrader.scores import automatic_score, extra_credit
from autograder.pipeline.final_grade import with_decisions
from autograder.pipeline.store import ResultStore
from autograder.pipeline.stored_reports import result_store
from autograder.release import check_id


def compare_gradebook(lab: Lab, reports: Sequence[StageReport], lock_seconds: int = LOCK_SECONDS) -> list[str]:
    """List every difference between the gradebook and the reports.

    The differences include scores that another program changed, also those of other students in these stages, and
    scores without a stored result. Manual scores and comments are not compared.

    Args:
        lab: the lab.
        reports: the reports that were filed.
        lock_seconds: how long to wait while another program locks the gradebook.

    Raises:
        GradebookError: the gradebook cannot be used.
    """
    with open_gradebook(lab, lock_seconds) as gradebook:
        lines = [line for report in reports for line in _differences(lab, gradebook, report)]
        covered = {(report.student, report.stage) for report in reports}
        stages = dict.fromkeys(report.stage for report in reports)
        return lines + [line for stage in stages for line in _unbacked(lab, gradebook, stage, covered)]


def _differences(lab: Lab, gradebook: Any, report: StageReport) -> Iterator[str]:
    stage = lab.stage(report.stage)
    subject = f"{report.student} {report.stage}"
    try:
        notebook = gradebook.find_submission_notebook(stage.spec.module, stage.id, report.student)
    except MissingEntry:
        yield f"{subject}: not in the gradebook"
        return
    grades = {grade.name: grade for grade in notebook.grades}
    for name, exercise in stage.spec.graded.items():
        grade = grades.get(check_id(name))
        if grade is None:
            yield f"{subject}: the gradebook has no cell {check_id(name)}"
            continue
        yield from _difference(f"{subject} {name}", "score", automatic_score(report, name), grade.auto_score)
        yield from _other_maximum(f"{subject} {name}", exercise, grade)
        if exercise.bonus:
            filed = grade.extra_credit
            yield from _difference(f"{subject} {name}", "extra credit", extra_credit(lab, report, name), filed)
    yield from _difference(subject, "late penalty", penalty(lab, notebook), notebook.late_submission_penalty)


def _other_maximum(subject: str, exercise: Exercise, grade: Any) -> Iterator[str]:
    """A line if the points of an exercise were changed in grading.yml after the release."""
    points = 0.0 if exercise.bonus else float(exercise.points)
    if grade.cell.max_score != points:
        values = f"{_number(grade.cell.max_score)} in the gradebook, {_number(points)} in grading.yml"
        yield f"{subject}: points possible {values}; run `autograder release`, then grade again"


def changed_scores(lab: Lab, lock_seconds: int = LOCK_SECONDS) -> list[str]:
    """List the automatic scores in the gradebook that differ from the stored results, one line each.

    Submissions without a stored result are not compared: stored results may be removed and made again.

    Raises:
        GradebookError: the gradebook cannot be used.
    """
    store = result_store(lab)
    with open_gradebook(lab, lock_seconds) as gradebook:
        submissions = [entry for stage in lab.stages() for entry in _submissions(gradebook, stage.id)]
        return [line for submission in submissions for line in _changed(lab, submission, store)]


def _submissions(gradebook: Any, stage: str) -> Any:
    try:
        return gradebook.assignment_submissions(stage)
    except MissingEntry:
        return []


def _changed(lab: Lab, submission: Any, store: ResultStore) -> Iterator[str]:
    stored = store.get(submission.student.id, submission.assignment.name)
    if stored is not None:
        report = with_decisions(stored.report, lab.config, stored.report.free_days)
        for notebook in submission.notebooks:
            for line in changed_cells(lab, notebook, report):
                yield f"{line}; grade the submission again"


def changed_cells(lab: Lab, notebook: Any, report: StageReport) -> Iterator[str]:
    """Yield a line for each automatic score of a ``SubmittedNotebook`` that differs from a report; skip empty cells."""
    grades = {grade.name: grade for grade in notebook.grades}
    for name, exercise in lab.stage(report.stage).spec.graded.items():
        grade = grades.get(check_id(name))
        if grade is None or grade.auto_score is None:
            continue
        subject = f"{report.student} {report.stage} {name}"
        yield from _difference(subject, "score", automatic_score(report, name), grade.auto_score)
        if exercise.bonus:
            yield from _difference(subject, "extra credit", extra_credit(lab, report, name), grade.extra_credit)


def _difference(subject: str, quantity: str, expected: float | None, filed: float | None) -> Iterable[str]:
    if filed != expected:
        yield f"{subject}: {quantity} {_number(filed)} in the gradebook, {_number(expected)} in the results"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _unbacked(lab: Lab, gradebook: Any, stage: str, covered: set[tuple[str, str]]) -> Iterator[str]:
    """Submissions of other students whose automatic scores differ from the stored result, or have none."""
    store = result_store(lab)
    for submission in gradebook.assignment_submissions(stage):
        student = submission.student.id
        if (student, stage) in covered:
            continue
        if store.get(student, stage) is not None:
            yield from _changed(lab, submission, store)
            continue
        if any(grade.auto_score for notebook in submission.notebooks for grade in notebook.grades):
            yield f"{student} {stage}: scores in the gradebook, but no stored result; grade the submission again"
