"""Points, decisions of a person and lateness: the only place where the final grade of a stage is decided."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from autograder.base.results import CheckResult, ReportState, StageReport
from autograder.course.config import Config, Stage
from autograder.course.policy import days_late, points_lost
from autograder.intake import StageSubmission


def with_time(report: StageReport, submission: StageSubmission) -> StageReport:
    """The report with the time of its submission, and whether the submission is owed."""
    owed = submission.owed and not report.begun
    return msgspec.structs.replace(
        report, handed_in=submission.handed_in, time_source=submission.time_source.value, owed=owed
    )


class FreeDays:
    """The free late days that students have left; each is spent in the first stage, in order, that needs it.

    Attributes:
        days: the days that every student has in all.
    """

    def __init__(self, config: Config) -> None:
        self.days = config.policies.late.free_days
        self._spent: Counter[str] = Counter()

    def left(self, student: str) -> int:
        """The days that a student has left."""
        return self.days - self._spent[student]

    def spend(self, report: StageReport) -> StageReport:
        """Note the days that a report has used; returns the report."""
        self._spent[report.student] += report.free_days
        return report


def with_rules(report: StageReport, config: Config, free_days: int) -> StageReport:
    """The report with the points, overrides and penalties of ``grading.yml`` as it is now."""
    return with_decisions(with_points(report, config), config, free_days)


def with_points(report: StageReport, config: Config) -> StageReport:
    """The report with the points of its checks, and without those of dropped exercises.

    A check that the stage no longer has keeps its points.
    """
    stage = config.stages.get(report.stage)
    if stage is None:
        return report
    report = _without_dropped(report, stage)
    points = stage.points_of_checks
    if all(points.get(check.id, check.points) == check.points for check in report.checks):
        return report
    return _with_checks(report, lambda check: {"points": points.get(check.id, check.points)})


def _without_dropped(report: StageReport, stage: Stage) -> StageReport:
    """The report with the checks of the exercises that are dropped now, and of no others, set aside."""
    names = stage.exercises.keys() - stage.graded.keys()
    if not report.dropped and names.isdisjoint(check.exercise for check in report.checks):
        return report
    order = {check: index for index, check in enumerate(stage.check_ids)}
    every = sorted((*report.checks, *report.dropped), key=lambda check: order.get(check.id, len(order)))
    kept = tuple(check for check in every if check.exercise not in names)
    return msgspec.structs.replace(
        report, checks=kept, dropped=tuple(check for check in every if check.exercise in names)
    )


def with_decisions(report: StageReport, config: Config, free_days: int) -> StageReport:
    """The report with overrides and penalty, but with the points with which it was stored."""
    decided = config.policies.overrides.get(report.student, {}).get(report.stage, {})

    def decision(check: CheckResult) -> dict[str, Any]:
        override = decided.get(check.id)
        if override is None:
            return {"given": None, "given_because": ""}
        return {"given": override.points, "given_because": override.reason}

    if decided or any(check.given is not None for check in report.checks):
        report = _with_checks(report, decision)
    return with_penalty(report, config, free_days)


def _with_checks(report: StageReport, values: Callable[[CheckResult], dict[str, Any]]) -> StageReport:
    checks = tuple(msgspec.structs.replace(check, **values(check)) for check in report.checks)
    return msgspec.structs.replace(report, checks=checks)


def with_attempts(report: StageReport, config: Config, attempts: Iterable[str]) -> StageReport:
    """The report with the number of attempts, given by the digests of the hand-ins, where the course limits them."""
    most = config.policies.attempts
    count = len(set(attempts)) if most else 0
    if (report.attempts, report.attempts_allowed) == (count, most):
        return report
    return msgspec.structs.replace(report, attempts=count, attempts_allowed=most)


def with_penalty(report: StageReport, config: Config, free_days: int) -> StageReport:
    """The report with its days late and the points that they cost, by the policy of ``grading.yml``.

    ``free_days`` are the free late days that the student has left. A report whose time is unknown loses nothing. A
    stage without a score, or without a due date, is not late.
    """
    policies, stage = config.policies, config.stages.get(report.stage)
    days: int | None = 0
    if stage is not None and stage.due is not None and report.state is ReportState.GRADED:
        extension = policies.extensions.get(report.student, {}).get(report.stage, 0)
        days = None
        if report.handed_in is not None:
            days = days_late(policies.late, due=stage.due, handed_in=report.handed_in, extension_days=extension)
    free = min(days or 0, free_days)
    lost = 0
    if days:
        counted = report.score + (report.bonus if policies.count_bonus else 0)
        lost = points_lost(counted, policies.late, days - free)
    before = (report.days_late, report.free_days, report.points_lost, report.bonus_counts)
    if before == (days, free, lost, policies.count_bonus):
        return report
    return msgspec.structs.replace(
        report, days_late=days, free_days=free, points_lost=lost, bonus_counts=policies.count_bonus
    )
