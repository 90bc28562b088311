"""The scores of a graded cell, from the checks of its exercise."""

from autograder.base.results import CheckResult, StageReport
from autograder.course.lab import Lab


def checks_of(report: StageReport, exercise: str) -> list[CheckResult]:
    """The checks of a graded cell's exercise."""
    return [check for check in report.checks if check.exercise == exercise]


def automatic_score(report: StageReport, exercise: str) -> float | None:
    """The cell's automatic score: 0 for an extension, whose points are extra credit; None without a number."""
    if not report.graded:
        return None
    return float(sum(check.score for check in checks_of(report, exercise) if not check.bonus))


def extra_credit(lab: Lab, report: StageReport, exercise: str) -> float | None:
    """The extra credit of an extension's cell; None without a number, or if the course does not count bonus points."""
    if not (report.graded and lab.config.policies.count_bonus):
        return None
    return float(sum(check.score for check in checks_of(report, exercise) if check.bonus))
