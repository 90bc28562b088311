"""The points of a class as they leave this program: those of the checks, of persons, and after penalties."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from autograder.base.results import ReportState, StageReport
from autograder.course.lab import Lab
from autograder.integrations.gradebook_server import has_gradebook


@dataclass(frozen=True, kw_only=True)
class Grade:
    """The points of one student in one stage.

    Attributes:
        student: id of the student.
        stage: id of the stage.
        raw: points before the penalty for lateness, those of persons and of extensions included; None without a number.
        lost: points that lateness costs.
        possible: points possible without extensions, those of the stage's questions included.
        by_hand: the part of ``raw`` that persons gave or took.
        waits: whether a person must still grade a question or look at a score again.
        handed_in: the time of the hand-in, with its zone; None if it is unknown.
    """

    student: str
    stage: str
    raw: float | None
    lost: float = 0.0
    possible: float
    by_hand: float = 0.0
    waits: bool = False
    handed_in: datetime | None = None

    @property
    def points(self) -> float | None:
        """Final points; None without a number."""
        return None if self.raw is None else self.raw - self.lost


def final_grades(lab: Lab, reports: Iterable[StageReport], stage_ids: Collection[str] = ()) -> list[Grade]:
    """Return a grade for each report, from the gradebook where it has an entry.

    Args:
        lab: the lab.
        reports: the stored reports.
        stage_ids: the stages to return; all if empty.

    Raises:
        GradebookError: the gradebook cannot be read.
    """
    chosen = [report for report in reports if not stage_ids or report.stage in stage_ids]
    filed = _gradebook_grades(lab)
    return [filed.get((report.student, report.stage)) or _grade(lab, report) for report in chosen]


def _gradebook_grades(lab: Lab) -> dict[tuple[str, str], Grade]:
    if not has_gradebook(lab):
        return {}
    from autograder.integrations.nbgrader import gradebook_grades  # takes a second to import

    return gradebook_grades(lab)


def _grade(lab: Lab, report: StageReport) -> Grade:
    """The grade of a report that is not in the gradebook; the stage's questions have no points yet."""
    spec = lab.config.stages.get(report.stage)
    return grade_of(report, sum(question.points for question in spec.questions.values()) if spec else 0)


def grade_of(report: StageReport, of_questions: int = 0) -> Grade:
    """The grade that follows from a report alone.

    Args:
        report: the report.
        of_questions: points possible for the stage's questions, which are not graded yet.
    """
    bonus = report.bonus if report.bonus_counts else 0
    final = report.final
    return Grade(
        student=report.student,
        stage=report.stage,
        raw=None if final is None else float(report.score + bonus),
        lost=0.0 if final is None else float(report.score + bonus - final),
        possible=float(report.points + of_questions),
        waits=of_questions > 0 and report.state is ReportState.GRADED,
        handed_in=report.handed_in,
    )


def differences(lab: Lab, reports: Sequence[StageReport], grades: Sequence[Grade]) -> list[str]:
    """List where the points of the checks, or the points possible, are not those of the results, one line each.

    Args:
        lab: the lab.
        reports: the stored reports.
        grades: the grade of each report.
    """
    lines = []
    for report, grade in zip(reports, grades, strict=True):
        own = _grade(lab, report)
        automatic = None if grade.raw is None else grade.raw - grade.by_hand
        for quantity, filed, expected in (
            ("points of the checks", automatic, own.raw),
            ("points possible", grade.possible, own.possible),
        ):
            if filed != expected:
                values = f"{_number(filed)} in the gradebook, {_number(expected)} in the results"
                lines.append(f"{report.student} {report.stage}: {quantity} {values}; grade again")
    return lines


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
