"""A class of the tiny lab: its submissions, the judge's results, and the gradebook."""

import html
import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from tiny_lab import MODULE, QUESTION, STAGE, solution

from autograder.base.results import IsolationLevel, Outcome, StageReport
from autograder.course.lab import Lab
from autograder.intake import StageSubmission, read_answers
from autograder.intake.notebooks import NO_ANSWERS
from autograder.integrations.nbgrader import file_results
from autograder.integrations.nbgrader.course import open_gradebook, step_folder
from autograder.integrations.nbgrader.filing import FilingReport
from autograder.judge.unrun import unrun_stage
from autograder.pipeline.grade import Graded
from autograder.pipeline.stored_reports import result_store

IN_TIME = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
CHECKS = (
    "test_double_multiplies_by_two",
    "test_double_keeps_the_dtype",
    "test_total_adds_along_the_axis",
    "test_total_counts_axes_from_the_end",
    "test_halve_divides_by_two",
)


class Classroom:
    """The class of one lab with one stage."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def submission(
        self, student: str, *, answer: str | None = None, at: datetime | None = IN_TIME, **more: Any
    ) -> StageSubmission:
        """A submission as intake returns it; without an answer, its notebook is the released notebook."""
        fields = {"source": solution(double="return 2 * x"), "answers": read_answers(self.notebook(answer)), **more}
        return StageSubmission(student, STAGE, handed_in=at, **fields)

    def missing(self, student: str, refusal: Any, **more: Any) -> StageSubmission:
        """A submission as intake returns it for a student who did not submit this stage."""
        return StageSubmission(student, STAGE, None, refusal, answers=NO_ANSWERS, **more)

    def notebook(self, answer: str | None = None) -> bytes:
        """The released notebook with an answer to its question."""
        notebook = json.loads(self.released())
        for cell in notebook["cells"]:
            if answer is not None and cell["metadata"].get("nbgrader", {}).get("grade_id") == QUESTION:
                cell["source"] = answer
        return json.dumps(notebook).encode()

    def released(self) -> str:
        return (step_folder(self.lab, "source") / STAGE / f"{MODULE}.ipynb").read_text(encoding="utf-8")

    def graded(
        self,
        submission: StageSubmission,
        passes: Collection[str] = CHECKS,
        outcome: Outcome = Outcome.FAILED,
        **more: Any,
    ) -> Graded:
        """The submission with a report that passes some checks, stored as the pipeline does."""
        stage = self.lab.stage(STAGE)
        failed = unrun_stage(stage, "not the sum", "tiny.py:9", outcome, "which axis vanishes?")
        passed = unrun_stage(stage, "", "", Outcome.PASSED)
        checks = tuple(good if good.id in passes else bad for good, bad in zip(passed, failed, strict=True))
        report = StageReport(
            student=submission.student,
            stage=STAGE,
            checks=checks,
            isolation=IsolationLevel.NONE,
            digest=submission.digest,
            **more,
        )
        if report.graded:
            result_store(self.lab).put("key", report)
        return Graded(submission, report, cached=False)

    def file(self, *graded: Graded, **more: Any) -> FilingReport:
        """File these results."""
        return file_results(self.lab, graded, **more)

    def grades(self, student: str) -> dict[str, tuple[Any, ...]]:
        """A student's cells in the gradebook: automatic, manual and extra points, and whether manual grading is due."""
        with open_gradebook(self.lab) as gradebook:
            notebook = gradebook.find_submission_notebook(MODULE, STAGE, student)
            return {
                grade.name: (grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade)
                for grade in notebook.grades
            }

    def score(self, student: str) -> tuple[float, float]:
        """The score and penalty that nbgrader itself computes."""
        with open_gradebook(self.lab) as gradebook:
            submission = gradebook.find_submission(STAGE, student)
            return submission.score, submission.late_submission_penalty

    def grade_by_hand(self, student: str, cell: str, points: float, comment: str | None = None) -> None:
        """Enter points and a comment as formgrader does."""
        with open_gradebook(self.lab) as gradebook:
            grade = gradebook.find_grade(cell, MODULE, STAGE, student)
            grade.manual_score, grade.needs_manual_grade = points, False
            if comment is not None:
                gradebook.find_comment(cell, MODULE, STAGE, student).manual_comment = comment
            gradebook.db.commit()

    def comment(self, student: str, cell: str = QUESTION) -> str | None:
        """The comment that feedback shows."""
        with open_gradebook(self.lab) as gradebook:
            text: str | None = gradebook.find_comment(cell, MODULE, STAGE, student).comment
            return text

    def shown(self, student: str) -> dict[str, Any]:
        """The notebook that formgrader shows."""
        path = step_folder(self.lab, "autograded") / student / STAGE / f"{MODULE}.ipynb"
        notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return notebook

    def shown_text(self, student: str) -> str:
        """That notebook as text, with the characters that its character references show."""
        return html.unescape(json.dumps(self.shown(student), ensure_ascii=False))
