"""What persons decided about a grade, in words."""

from autograder.base.results import StageReport
from autograder.course.policy import TotalPolicy
from autograder.feedback.words import counted
from autograder.integrations.grades import Grade
from autograder.integrations.totals import Total


def by_hand_words(grade: Grade | None) -> str:
    """What persons gave and must still give, in a cell of a table: ``+2 by hand``, ``by hand: open``, or nothing."""
    if grade is None:
        return ""
    given = f"{grade.by_hand:+g} by hand" if grade.by_hand else ""
    waiting = "by hand: open" if grade.waits else ""
    return ", ".join(filter(None, (given, waiting)))


def policy_words(policy: TotalPolicy) -> str:
    """What the course's policy does to every total, in words that follow a comma; empty if it does nothing."""
    words = ""
    if policy.drop_lowest:
        count = policy.drop_lowest
        words += f", without {'the stage' if count == 1 else f'the {count} stages'} with the lowest share of points"
    if policy.at_most is not None:
        words += f", and at most {100 * policy.at_most:g} % of the points possible"
    return words


def override_words(report: StageReport) -> str:
    """The number of checks whose points a person decided in ``grading.yml``; empty without one."""
    count = sum(check.given is not None for check in report.checks)
    return counted(count, "override") if count else ""


def total_remarks(total: Total) -> tuple[str, ...]:
    """What the course's policy takes out of a student's total, a sentence each."""
    remarks = []
    if total.dropped:
        stages = ", ".join(f"{grade.stage} ({grade.points:g} of {grade.possible:g})" for grade in total.dropped)
        which = "the stage with the lowest share" if len(total.dropped) == 1 else "the stages with the lowest shares"
        remarks.append(f"not counted, as {which} of points: {stages}")
    if total.over and total.points is not None:
        remarks.append(f"the total is at most {total.points:g} points: {total.over:g} more do not count")
    return tuple(remarks)


def by_hand_remark(grade: Grade) -> str:
    """The same for the student; empty if no person has a part in the grade."""
    if grade.points is None or not (grade.by_hand or grade.waits):
        return ""
    points = f"{grade.points:g} of {grade.possible:g} points with those that your instructor gave"
    return f"{points}; some answers are not graded yet" if grade.waits else points
