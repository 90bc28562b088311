"""Sentences and phrases about a report, for all renderers."""

from collections.abc import Iterable

from autograder.base.results import IsolationLevel, ReportState, StageReport
from autograder.base.sinks import one_line

NOT_ISOLATED = "graded without isolation: these points are provisional"
GRADER_FAILED = "no score yet: the grader failed, not your code"
NOT_GRADED = "no score yet: your instructor decides"


def remarks(report: StageReport) -> Iterable[str]:
    """What a student reads about the report as a whole, one sentence each."""
    if report.state is ReportState.NOT_GRADED:
        yield GRADER_FAILED if report.grader_failed or not report.checks else NOT_GRADED
    if report.state is ReportState.NOT_BEGUN:
        yield report.checks[0].what
        if report.owed:
            yield f"the stage counts 0 of {report.points} points"
    if report.state is ReportState.GRADED:
        yield from _lateness(report)
    if report.attempts_allowed is not None and report.state is not ReportState.NOT_BEGUN:
        left = max(report.attempts_allowed - report.attempts, 0)
        yield f"attempts: {report.attempts} of {report.attempts_allowed} used, {left} left"
    if report.isolation is IsolationLevel.NONE:
        yield NOT_ISOLATED
    if report.stand_ins:
        names = ", ".join(one_line(name) for name in report.stand_ins)
        yield f"run on the course's own {names}, because yours did not pass everything"


def _lateness(report: StageReport) -> Iterable[str]:
    if report.days_late is None:
        yield "the time of the hand-in is unknown: no points are deducted for lateness"
    elif report.days_late:
        days = f"{counted(report.days_late, 'day')} late"
        earned = f"{report.score + report.bonus} points were earned"
        days += f", {counted(report.free_days, 'free late day')} used" if report.free_days else ""
        yield f"{days}: {counted(report.points_lost, 'point')} deducted; {earned}" if report.points_lost else days


def late_words(report: StageReport) -> str:
    """The lateness of a report in a cell of a table: ``2 d late``, ``time unknown``, or nothing."""
    if report.days_late is None:
        return "time unknown"
    return f"{report.days_late} d late" if report.days_late else ""


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 day``, ``2 days``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
