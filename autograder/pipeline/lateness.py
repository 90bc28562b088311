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

    A report whose time is unknown loses nothing. A stage that was not begun, or was removed from ``grading.yml``, is
    not late.
    """
    stage = config.stages.get(report.stage)
    if stage is None or stage.due is None or report.state is ReportState.NOT_BEGUN:
        return msgspec.structs.replace(report, days_late=0, points_lost=0)
    if report.handed_in is None:
        return msgspec.structs.replace(report, days_late=None, points_lost=0)
    policies = config.policies
    extension = policies.extensions.get(report.student, {}).get(report.stage, 0)
    days = days_late(policies.late, due=stage.due, handed_in=report.handed_in, extension_days=extension)
    counted = report.score + (report.bonus if policies.count_bonus else 0)
    return msgspec.structs.replace(
        report, days_late=days, points_lost=points_lost(counted, policies.late, days) if report.graded else 0
    )
