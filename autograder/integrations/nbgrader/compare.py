"""The gradebook against the results: every difference, in words."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nbgrader.api import MissingEntry

from autograder.base.results import StageReport
from autograder.course.lab import Lab
from autograder.integrations.nbgrader.course import LOCK_SECONDS, open_gradebook
from autograder.integrations.nbgrader.penalties import penalty
from autograder.integrations.nbgrader.scores import automatic_score, extra_credit
from autograder.pipeline.store import ResultStore
from autograder.release import check_id


def compare_gradebook(lab: Lab, reports: Sequence[StageReport], lock_seconds: int = LOCK_SECONDS) -> list[str]:
    """Every place where the gradebook does not say what the reports say.

    A score that was changed behind the grader's back shows here, and so does one of these stages
    that no stored result stands behind. What people entered (manual scores, comments) is theirs.
    """
    with open_gradebook(lab, lock_seconds) as gradebook:
        found = [line for report in reports for line in _differences(lab, gradebook, report)]
        covered = {(report.student, report.stage) for report in reports}
        stages = dict.fromkeys(report.stage for report in reports)
        return found + [line for stage in stages for line in _unbacked(lab, gradebook, stage, covered)]


def _differences(lab: Lab, gradebook: Any, report: StageReport) -> Iterator[str]:
    stage = lab.stage(report.stage)
    who = f"{report.student} {report.stage}"
    try:
        notebook = gradebook.find_submission_notebook(stage.spec.module, stage.id, report.student)
    except MissingEntry:
        yield f"{who}: not in the gradebook"
        return
    grades = {grade.name: grade for grade in notebook.grades}
    for name, exercise in stage.spec.exercises.items():
        grade = grades.get(check_id(name))
        if grade is None:
            yield f"{who}: the gradebook has no cell {check_id(name)}"
            continue
        yield from _told(f"{who} {name}", "score", automatic_score(report, name), grade.auto_score)
        if exercise.bonus:
            yield from _told(f"{who} {name}", "extra credit", extra_credit(lab, report, name), grade.extra_credit)
    yield from _told(who, "late penalty", penalty(lab, notebook), notebook.late_submission_penalty)


def _told(where: str, what: str, expected: float | None, found: float | None) -> Iterable[str]:
    if found != expected:
        yield f"{where}: {what} {_number(found)} in the gradebook, {_number(expected)} by the results"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _unbacked(lab: Lab, gradebook: Any, stage: str, covered: set[tuple[str, str]]) -> Iterator[str]:
    """Entries with automatic scores that no stored result stands behind."""
    store = ResultStore(lab.build / "results")
    for submission in gradebook.assignment_submissions(stage):
        student = submission.student.id
        if (student, stage) in covered or store.get(student, stage) is not None:
            continue
        if any(grade.auto_score for notebook in submission.notebooks for grade in notebook.grades):
            yield f"{student} {stage}: scores in the gradebook, but no stored result; grade it again"
