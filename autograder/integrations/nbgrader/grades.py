"""The points of the whole class, read from the gradebook with one query: nbgrader's own objects need several each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from nbgrader import api
from sqlalchemy import select

from autograder.course.lab import Lab
from autograder.integrations.grades import Grade
from autograder.integrations.nbgrader.course import LOCK_SECONDS, open_gradebook
from autograder.integrations.nbgrader.penalties import late_penalty


@dataclass
class _Sums:
    """The sums over the graded cells of a submission."""

    raw: float = 0.0
    by_hand: float = 0.0
    possible: float = 0.0
    waits: bool = False
    is_ungraded: bool = False

    def add(self, cell: Any) -> None:
        """Add a cell, by nbgrader's rule: a manual score replaces the automatic score, extra credit needs either."""
        self.possible += cell.max_score
        self.waits = self.waits or cell.needs_manual_grade
        points = cell.auto_score if cell.manual_score is None else cell.manual_score
        if points is None:
            # An answer without a manual score counts 0, so it is not ungraded.
            self.is_ungraded = self.is_ungraded or cell.cell_type == "code"
            return
        self.raw += points + (cell.extra_credit or 0.0)
        if cell.manual_score is not None:
            self.by_hand += cell.manual_score - (cell.auto_score or 0.0)


def gradebook_grades(lab: Lab, lock_seconds: int = LOCK_SECONDS) -> dict[tuple[str, str], Grade]:
    """Return the grade of each submission in the gradebook, by student and stage; penalties are computed again.

    Raises:
        GradebookError: the gradebook cannot be read.
    """
    with open_gradebook(lab, lock_seconds) as gradebook:
        return {(grade.student, grade.stage): grade for grade in submitted_grades(lab, gradebook)}


def submitted_grades(lab: Lab, gradebook: Any) -> Iterator[Grade]:
    """Yield the grade of each submission in an open gradebook."""
    sums: dict[str, _Sums] = {}
    for cell in gradebook.db.execute(_CELLS):
        sums.setdefault(cell.submission, _Sums()).add(cell)
    for submission in gradebook.db.query(api.SubmittedAssignment):
        found = sums.get(submission.id, _Sums())
        moment = submission.timestamp
        yield Grade(
            student=submission.student_id,
            stage=submission.assignment.name,
            raw=None if found.is_ungraded else found.raw,
            lost=0.0 if found.is_ungraded else late_penalty(lab, submission, found.raw) or 0.0,
            possible=found.possible,
            by_hand=found.by_hand,
            waits=found.waits,
            handed_in=moment.replace(tzinfo=UTC) if moment is not None else None,
        )


_CELLS = (
    select(
        api.SubmittedNotebook.assignment_id.label("submission"),
        api.Grade.auto_score,
        api.Grade.manual_score,
        api.Grade.extra_credit,
        api.Grade.needs_manual_grade,
        api.GradeCell.max_score,
        api.GradeCell.cell_type,
    )
    .join(api.Grade, api.Grade.notebook_id == api.SubmittedNotebook.id)
    .join(api.GradeCell, api.GradeCell.id == api.Grade.cell_id)
)
