"""One serial pass that files results in nbgrader's gradebook.

Whatever was filed before is overwritten, each submission in one transaction: a run that is killed
and started again ends with the gradebook of an undisturbed one. What people wrote (manual scores,
comments) is never touched; where something they judged has changed, the cell asks for them again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Comment, Grade, MissingEntry

from autograder.base.results import StageReport
from autograder.course.lab import Lab, StageFolders
from autograder.intake import RefusalReason, StageSubmission, graft_answers
from autograder.intake.notebooks import NO_ANSWERS
from autograder.integrations.nbgrader.compare import compare_gradebook
from autograder.integrations.nbgrader.course import LOCK_SECONDS, open_gradebook
from autograder.integrations.nbgrader.folders import FiledAnswers, remove_shown, write_autograded, write_submitted
from autograder.integrations.nbgrader.notebooks import (
    add_results,
    answered_notebook,
    answers_in,
    make_safe,
    released_notebook,
)
from autograder.integrations.nbgrader.penalties import grant_extension, set_penalty
from autograder.integrations.nbgrader.register import register_release
from autograder.integrations.nbgrader.scores import automatic_score, extra_credit
from autograder.pipeline.grade import Graded
from autograder.release import check_id


@dataclass(frozen=True)
class FilingReport:
    """What came of a filing pass.

    ``withheld`` are submissions without a number, because the grader failed on them; ``differences``
    are places where the gradebook does not say what the results say; ``notes`` are about notebooks
    that did not look as they should. One line each.
    """

    filed: int
    withheld: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """The whole report in words."""
        lines = [f"gradebook: {self.filed} filed, {len(self.withheld)} withheld, {len(self.differences)} differences"]
        lines += [f"  no number: {line}" for line in self.withheld]
        lines += [f"  differs: {line}" for line in self.differences]
        lines += [f"  notebook: {line}" for line in self.notes]
        return "\n".join(lines)


def file_results(
    lab: Lab,
    graded: Iterable[Graded],
    *,
    on_done: Callable[[Graded], None] = lambda one: None,
    lock_seconds: int = LOCK_SECONDS,
) -> FilingReport:
    """File every result, then compare the gradebook with the results.

    A stage that a student never handed in gets no entry; nbgrader exports it as 0.

    Raises:
        GradebookError: the gradebook or the release cannot be used. What was filed stays filed.
    """
    register_release(lab, lock_seconds)
    filed: list[Graded] = []
    for one in graded:
        with open_gradebook(lab, lock_seconds) as gradebook:
            gradebook.update_or_create_student(one.submission.student)
            if _file(lab, gradebook, one.submission, one.report):
                filed.append(one)
        on_done(one)
    reports = [one.report for one in filed]
    withheld = tuple(_why_withheld(report) for report in reports if not report.graded)
    return FilingReport(
        filed=len(filed) - len(withheld),
        withheld=withheld,
        differences=tuple(compare_gradebook(lab, reports, lock_seconds)),
        notes=tuple(note for one in filed for note in _notes(lab, one.submission)),
    )


def _why_withheld(report: StageReport) -> str:
    notes = f" ({'; '.join(report.notes)})" if report.notes else ""
    return f"{report.student} {report.stage}: the grader failed, not the student{notes}"


def _notes(lab: Lab, submission: StageSubmission) -> list[str]:
    """What is odd about a notebook that was handed in."""
    if submission.answers == NO_ANSWERS:
        return []
    grafted = graft_answers(released_notebook(lab, lab.stage(submission.stage)), submission.answers)
    return [f"{submission.student} {submission.stage}: {note}" for note in grafted.notes]


def _file(lab: Lab, gradebook: Any, submission: StageSubmission, report: StageReport) -> bool:
    """File one result; whether there was one to file."""
    entry = _find_entry(gradebook, submission)
    an_earlier_one_stands = report.digest != submission.digest
    if entry is not None and an_earlier_one_stands:
        # The time, the answers and the notebook in the gradebook are those of that hand-in.
        file_scores(lab, gradebook, entry, report)
    elif entry is not None or an_earlier_one_stands or not _never_handed_in(submission):
        _file_whole(lab, gradebook, submission, report)
    else:
        return False
    return True


def _file_whole(lab: Lab, gradebook: Any, submission: StageSubmission, report: StageReport) -> None:
    """File scores in the gradebook, and the notebooks that nbgrader shows beside them.

    Where the grader failed, what an earlier grading left is taken back: nbgrader would show a
    missing score as 0, and an older one is of another hand-in.
    """
    stage = lab.stage(submission.stage)
    notebook = answered_notebook(lab, submission)
    write_submitted(lab, stage, submission, notebook)
    submitted = gradebook.update_or_create_submission(stage.id, submission.student, timestamp=submission.handed_in)
    file_scores(lab, gradebook, submitted, report, notebook)
    if report.graded:
        write_autograded(lab, stage, submission, show(notebook, stage, report, submission))
    else:
        remove_shown(lab, stage, submission.student)


def file_scores(
    lab: Lab, gradebook: Any, submitted: Any, report: StageReport, notebook: NotebookNode | None = None
) -> None:
    """Write a report's scores into a submission's entry, in one transaction.

    Args:
        lab: the lab.
        gradebook: the open gradebook.
        submitted: its ``SubmittedAssignment``.
        report: the result.
        notebook: the released notebook with the student's answers; None leaves what is filed of them.
    """
    stage = lab.stage(report.stage)
    (entry,) = (one for one in submitted.notebooks if one.name == stage.spec.module)
    grades, comments = _complete(gradebook, entry)
    grant_extension(lab, submitted)
    for name, exercise in stage.spec.exercises.items():
        grade = grades[check_id(name)]
        _file_score(grade, automatic_score(report, name))
        if exercise.bonus:
            grade.extra_credit = extra_credit(lab, report, name)
    answers = answers_in(notebook) if notebook is not None else {}
    filed = FiledAnswers(lab, stage, report.student)
    changed = filed.differ(answers)
    for question, answer in answers.items():
        _file_question(grades[question], answered=answer is not None, changed=question in changed)
        comments[question].auto_comment = None if answer is not None else "No response."
    set_penalty(lab, entry)
    gradebook.db.commit()
    if notebook is not None:
        filed.keep(answers)


def show(
    notebook: NotebookNode, stage: StageFolders, report: StageReport, submission: StageSubmission
) -> NotebookNode:
    """Complete a notebook for graders and students: results, the module, and answers that are safe to render."""
    add_results(notebook, stage, report, submission.source if report.digest == submission.digest else None)
    make_safe(notebook)
    return notebook


def take_back_scores(lab: Lab, entry: Any) -> None:
    """Leave a ``SubmittedNotebook`` without automatic scores; the caller commits."""
    stage = lab.stage(entry.assignment.name)
    grades = {grade.name: grade for grade in entry.grades}
    for name, exercise in stage.spec.exercises.items():
        if (grade := grades.get(check_id(name))) is not None:
            _file_score(grade, None)
            if exercise.bonus:
                grade.extra_credit = None
    set_penalty(lab, entry)


def _file_score(grade: Any, score: float | None) -> None:
    """Set an automatic score; a person's own score stays, and is asked for again once it overrides another."""
    overrides = grade.manual_score is not None
    grade.needs_manual_grade = score is None or (overrides and (grade.needs_manual_grade or grade.auto_score != score))
    grade.auto_score = score


def _file_question(grade: Any, *, answered: bool, changed: bool) -> None:
    grade.auto_score = None if answered else 0.0
    if grade.manual_score is None:
        grade.needs_manual_grade = answered
    else:
        grade.needs_manual_grade = grade.needs_manual_grade or changed


def _complete(gradebook: Any, entry: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entry's grades and comments by cell, those of cells that were registered later included."""
    grades = {grade.name: grade for grade in entry.grades}
    comments = {comment.name: comment for comment in entry.comments}
    for cell in entry.notebook.grade_cells:
        if cell.name not in grades:
            grades[cell.name] = Grade(cell=cell, notebook=entry)
    for cell in entry.notebook.solution_cells:
        if cell.name not in comments:
            comments[cell.name] = Comment(cell=cell, notebook=entry)
    gradebook.db.add_all([*grades.values(), *comments.values()])
    return grades, comments


def _find_entry(gradebook: Any, submission: StageSubmission) -> Any:
    try:
        return gradebook.find_submission(submission.stage, submission.student)
    except MissingEntry:
        return None


def _never_handed_in(submission: StageSubmission) -> bool:
    refusal = submission.refusal
    return refusal is not None and refusal.reason is RefusalReason.MISSING and not submission.answers.texts
