"""What a student reads about one hand-in on a platform: one row per check, and what persons and lateness changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autograder.base.results import Outcome, ReportState, StageReport
from autograder.feedback.platforms import number
from autograder.feedback.views import CheckView, ExerciseView, StageView, stage_view
from autograder.feedback.words import counted
from autograder.integrations.grades import Grade


@dataclass(frozen=True)
class PlatformRow:
    """One row: a check, the points of persons, or a remark, which has no points."""

    group: str
    title: str
    score: float
    possible: float
    passed: bool
    details: tuple[tuple[str, str], ...] = ()


def platform_rows(reports: Sequence[StageReport], grades: Sequence[Grade]) -> list[PlatformRow]:
    """The rows about one student's reports; their points add up to those of the grades, plus the late penalties.

    Args:
        reports: the student's reports.
        grades: the grade of each report.
    """
    return [row for report, grade in zip(reports, grades, strict=True) for row in _rows(report, grade)]


def _rows(report: StageReport, grade: Grade) -> Iterator[PlatformRow]:
    view = stage_view(report)
    for remark in view.remarks:
        yield PlatformRow(view.stage, remark, 0.0, 0.0, passed=False)
    if report.state is ReportState.NOT_GRADED:
        return
    automatic = 0.0
    for exercise in view.exercises:
        counts = report.bonus_counts or not exercise.bonus
        for check in exercise.checks:
            row = _check(view, exercise, check, counts=counts)
            automatic += row.score
            yield row
    yield from _by_hand(view, grade, automatic)


def _check(view: StageView, exercise: ExerciseView, check: CheckView, *, counts: bool) -> PlatformRow:
    return PlatformRow(
        group=f"{view.stage}.{exercise.name}",
        title=f"{check.title}{' (bonus)' if exercise.bonus else ''}",
        score=float(check.score) if counts else 0.0,
        possible=float(check.points) if counts else 0.0,
        passed=check.outcome is Outcome.PASSED,
        details=tuple(check.details),
    )


def _by_hand(view: StageView, grade: Grade, automatic: float) -> Iterator[PlatformRow]:
    """The points that persons gave or took, so that the rows add up to the grade before the late penalty."""
    given = (grade.raw or 0.0) - automatic
    possible = max(grade.possible - view.points, 0.0)
    if given or possible:
        waiting = " (some answers are not graded yet)" if grade.waits else ""
        title = f"points by hand: {number(given)}{waiting}"
        yield PlatformRow(view.stage, title, given, max(possible, given), passed=bool(given) and given >= possible)
    if grade.lost:
        text = f"late: {counted_points(grade.lost)} deducted from {counted_points(grade.raw or 0.0)}"
        yield PlatformRow(view.stage, text, 0.0, 0.0, passed=False)


def counted_points(points: float) -> str:
    """``1 point``, ``7.5 points``."""
    return counted(int(points), "point") if points == int(points) else f"{number(points)} points"
