"""The cost of lateness in a report: the only place where the final grade of a stage is decided."""

import msgspec

from autograder.base.results import ReportState, StageReport
from autograder.course.config import Config
from autograder.course.policy import days_late, points_lost
from autograder.intake import StageSubmission


def with_time(report: StageReport, submission: StageSubmission) -> StageReport:
    """The report with the time of its submission, and whether the submission is owed."""
    owed = submission.owed and not report.begun
    return msgspec.structs.replace(
        report, handed_in=submission.handed_in, time_source=submission.time_source.value, owed=owed
    )


def with_penalty(report: StageReport, config: Config) -> StageReport:
    """The report with its days late and the points that they cost, by the policy of ``grading.yml``.

    A report whose time is unknown loses nothing. A stage without a score, or without a due date, is not late.
    """
    policies, stage = config.policies, config.stages.get(report.stage)
    days: int | None = 0
    if stage is not None and stage.due is not None and report.state is ReportState.GRADED:
        extension = policies.extensions.get(report.student, {}).get(report.stage, 0)
        days = None
        if report.handed_in is not None:
            days = days_late(policies.late, due=stage.due, handed_in=report.handed_in, extension_days=extension)
    counted = report.score + (report.bonus if policies.count_bonus else 0)
    lost = points_lost(counted, policies.late, days) if days else 0
    return msgspec.structs.replace(report, days_late=days, points_lost=lost, bonus_counts=policies.count_bonus)
