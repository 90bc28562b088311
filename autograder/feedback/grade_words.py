"""What persons decided about a grade, in words."""

from autograder.base.results import StageReport
from autograder.feedback.words import counted
from autograder.integrations.grades import Grade


def by_hand_words(grade: Grade | None) -> str:
    """What persons gave and must still give, in a cell of a table: ``+2 by hand``, ``by hand: open``, or nothing."""
    if grade is None:
        return ""
    given = f"{grade.by_hand:+g} by hand" if grade.by_hand else ""
    waiting = "by hand: open" if grade.waits else ""
    return ", ".join(filter(None, (given, waiting)))


def override_words(report: StageReport) -> str:
    """The number of checks whose points a person decided in ``grading.yml``; empty without one."""
    count = sum(check.given is not None for check in report.checks)
    return counted(count, "override") if count else ""


def by_hand_remark(grade: Grade) -> str:
    """The same for the student; empty if no person has a part in the grade."""
    if grade.points is None or not (grade.by_hand or grade.waits):
        return ""
    points = f"{grade.points:g} of {grade.possible:g} points with those that your instructor gave"
    return f"{points}; some answers are not graded yet" if grade.waits else points
