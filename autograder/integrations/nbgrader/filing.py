"""One serial pass that files results in nbgrader's gradebook.

Earlier results are overwritten, each submission in one transaction: a run that is killed and started
again leaves the same gradebook as an undisturbed run. Manual scores and comments are never changed; if
the graded work has changed, the cell is marked for manual grading again.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from nbgrader.utils import parse_utc

from autograder.base.results import ReportState, StageReport
from autograder.course.lab import Lab, StageFolders
from autograder.intake import Grafted, StageSubmission, graft_answers
from autograder.intake.notebooks import NO_ANSWERS
from autograder.integrations.filing_report import FilingReport
from autograder.integrations.nbgrader.compare import changed_cells, compare_gradebook
from autograder.integrations.nbgrader.course import LOCK_SECONDS, open_gradebook
from autograder.integrations.nbgrader.folders import FiledAnswers, remove_shown, write_autograded, write_submitted
from autograder.integrations.nbgrader.grades import gradebook_grades
from autograder.integrations.nbgrader.notebooks import (
    add_results,
    answers_in,
    make_safe,
    read_notebook,
    released_notebook,
)
from autograder.integrations.nbgrader.penalties import grant_extension, set_penalty
from autograder.integrations.nbgrader.register import register_release
from autograder.integrations.nbgrader.rows import SubmissionRows
from autograder.integrations.nbgrader.scores import automatic_score, extra_credit
from autograder.pipeline.grade import Graded
from autograder.release import check_id


@dataclass(frozen=True)
class _Result:
    """A result to file, with its stage and its notebook resolved once.

    Attributes:
        submission: the submission.
        report: the report about it, or about an earlier submission that stands.
        stage: the stage.
        released: the stage's released notebook, as JSON.
    """

    submission: StageSubmission
    report: StageReport
    stage: StageFolders
    released: str

    @functools.cached_property
    def grafted(self) -> Grafted:
        """The released notebook with the student's answers."""
        return graft_answers(self.released, self.submission.answers)

    @property
    def earlier_stands(self) -> bool:
        """Whether the report is about an earlier submission."""
        return self.report.digest != self.submission.digest

    @property
    def counts_nothing(self) -> bool:
        """Whether the stage was not begun and does not count 0 either."""
        return self.report.state is ReportState.NOT_BEGUN and not self.report.owed

    def notes(self) -> list[str]:
        """The unexpected properties of the submitted notebook, one line each."""
        if self.submission.answers == NO_ANSWERS:
            return []
        return [f"{self.submission.student} {self.stage.id}: {note}" for note in self.grafted.notes]


def file_results(
    lab: Lab,
    graded: Iterable[Graded],
    people: Mapping[str, Mapping[str, str]] = {},
    *,
    on_done: Callable[[Graded], None] = lambda graded: None,
    lock_seconds: int = LOCK_SECONDS,
) -> FilingReport:
    """File every result, then compare the gradebook with the results.

    A stage that a student has not begun gets no entry, unless it was requested by name: then it counts 0.

    Args:
        lab: the lab.
        graded: the results.
        people: student → ``last_name``, ``first_name`` and ``email``, as far as they are known; formgrader shows them.
        on_done: called for each result once it is filed.
        lock_seconds: how long to wait while another program locks the gradebook.

    Raises:
        GradebookError: the gradebook or the release cannot be used. Results filed before the error stay filed.
    """
    register_release(lab, lock_seconds)
    released = functools.cache(lambda stage_id: released_notebook(lab, lab.stage(stage_id)))
    reports: list[StageReport] = []
    notes: list[str] = []
    removed: list[str] = []
    corrected: list[str] = []
    for item in graded:
        stage = lab.stage(item.submission.stage)
        result = _Result(item.submission, item.report, stage, released(stage.id))
        with open_gradebook(lab, lock_seconds) as gradebook:
            student = item.submission.student
            gradebook.update_or_create_student(student, **people.get(student, {}))
            if not item.report.graded and (points := _filed_points(gradebook, item.submission)):
                removed.append(
                    f"{item.report.student} {item.report.stage} had {points:g} points from an earlier hand-in"
                )
            corrected += _corrected(lab, gradebook, item)
            if _file(lab, gradebook, result):
                reports.append(item.report)
                notes += result.notes()
        on_done(item)
    withheld = tuple(_why_withheld(report) for report in reports if not report.graded)
    return FilingReport(
        filed=len(reports) - len(withheld),
        withheld=withheld,
        removed=tuple(removed),
        corrected=tuple(corrected),
        differences=tuple(compare_gradebook(lab, reports, lock_seconds)),
        notes=tuple(notes),
        grades=tuple(gradebook_grades(lab, lock_seconds).values()),
    )


def _why_withheld(report: StageReport) -> str:
    return f"{report.student} {report.stage}: {report.why_not_graded}"


def _filed_points(gradebook: Any, submission: StageSubmission) -> float:
    """The automatic points of a submission in the gradebook."""
    assignment = _find_submitted(gradebook, submission)
    notebooks = assignment.notebooks if assignment is not None else ()
    grades = [grade for notebook in notebooks for grade in notebook.grades]
    return float(sum((grade.auto_score or 0) + (grade.extra_credit or 0) for grade in grades))


def _corrected(lab: Lab, gradebook: Any, item: Graded) -> list[str]:
    """The scores in the gradebook that were not filed from this result, which is unchanged since the last run."""
    if not (item.is_unchanged and item.report.graded):
        return []
    assignment = _find_submitted(gradebook, item.submission)
    notebooks = assignment.notebooks if assignment is not None else ()
    return [line for notebook in notebooks for line in changed_cells(lab, notebook, item.report)]


def _file(lab: Lab, gradebook: Any, result: _Result) -> bool:
    """File one result; False if there is nothing to file."""
    if result.counts_nothing:
        return False
    assignment = _find_submitted(gradebook, result.submission)
    if assignment is not None and result.earlier_stands:
        # The time, the answers and the notebook in the gradebook are those of the earlier submission.
        file_scores(lab, SubmissionRows.of(gradebook, result.stage, assignment), result.report)
    else:
        _file_whole(lab, gradebook, result, assignment)
    return True


def _file_whole(lab: Lab, gradebook: Any, result: _Result, assignment: Any) -> None:
    """File scores in the gradebook, and the notebooks that nbgrader shows with them.

    If the stage is not graded, the results of an earlier grading are removed: nbgrader would show a missing score
    as 0, and the older score belongs to another submission.

    Args:
        lab: the lab.
        gradebook: the open gradebook.
        result: the result.
        assignment: the ``SubmittedAssignment``; None if the gradebook has none yet.
    """
    submission, stage, report = result.submission, result.stage, result.report
    notebook = read_notebook(result.grafted.notebook)
    write_submitted(lab, stage, submission, notebook)
    if assignment is None:
        assignment = gradebook.add_submission(stage.id, submission.student, timestamp=submission.handed_in)
    else:
        assignment.timestamp = parse_utc(submission.handed_in)
    file_scores(lab, SubmissionRows.of(gradebook, stage, assignment), report, notebook)
    if report.graded:
        write_autograded(lab, stage, submission, show(notebook, stage, report, submission))
    else:
        remove_shown(lab, stage, submission.student)


def file_scores(lab: Lab, rows: SubmissionRows, report: StageReport, notebook: NotebookNode | None = None) -> None:
    """Write a report's scores into a submission's rows, in one transaction.

    Args:
        lab: the lab.
        rows: the submission's rows in the gradebook.
        report: the result.
        notebook: the released notebook with the student's answers; if None, filed answers stay as they are.
    """
    grant_extension(lab, rows.assignment)
    for name, exercise in rows.stage.spec.graded.items():
        grade = rows.grades[check_id(name)]
        _file_score(grade, automatic_score(report, name))
        if exercise.bonus:
            grade.extra_credit = extra_credit(lab, report, name)
    answers = answers_in(notebook) if notebook is not None else {}
    filed = FiledAnswers(lab, rows.stage, report.student)
    changed = filed.differ(answers)
    for question, answer in answers.items():
        # If the stage is not graded, the lab sheet may be among the files that could not be read.
        waits = answer is not None or not report.graded
        _file_question(rows.grades[question], waits=waits, changed=question in changed)
        rows.comments[question].auto_comment = None if waits else "No response."
    set_penalty(lab, rows.notebook)
    rows.gradebook.db.commit()
    if notebook is not None:
        filed.keep(answers)


def show(notebook: NotebookNode, stage: StageFolders, report: StageReport, submission: StageSubmission) -> NotebookNode:
    """Complete a notebook for graders and students: results, the module, and answers that are safe to render."""
    add_results(notebook, stage, report, submission.source if report.digest == submission.digest else None)
    make_safe(notebook)
    return notebook


def take_back_scores(lab: Lab, notebook: Any) -> None:
    """Remove the automatic scores of a ``SubmittedNotebook``; the caller commits."""
    stage = lab.stage(notebook.assignment.name)
    grades = {grade.name: grade for grade in notebook.grades}
    for name, exercise in stage.spec.graded.items():
        if (grade := grades.get(check_id(name))) is not None:
            _file_score(grade, None)
            if exercise.bonus:
                grade.extra_credit = None
    set_penalty(lab, notebook)


def _file_score(grade: Any, score: float | None) -> None:
    """Set an automatic score. A manual score stays, and is marked for a new look if it overrides a changed score."""
    overrides = grade.manual_score is not None
    grade.needs_manual_grade = score is None or (overrides and (grade.needs_manual_grade or grade.auto_score != score))
    grade.auto_score = score


def _file_question(grade: Any, *, waits: bool, changed: bool) -> None:
    grade.auto_score = None if waits else 0.0
    if grade.manual_score is None:
        grade.needs_manual_grade = waits
    else:
        grade.needs_manual_grade = grade.needs_manual_grade or changed


def _find_submitted(gradebook: Any, submission: StageSubmission) -> Any:
    """The ``SubmittedAssignment`` of a submission; None if the gradebook has none."""
    try:
        return gradebook.find_submission(submission.stage, submission.student)
    except MissingEntry:
        return None
