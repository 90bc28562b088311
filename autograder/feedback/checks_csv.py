"""Every check of every report as CSV, for the instructor's own analysis. It holds hidden tests: not for students."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograder.base.results import StageReport
from autograder.base.sinks import csv_table

COLUMNS = (
    *("student", "stage", "state", "exercise", "check", "title", "test", "bonus", "outcome", "score", "points"),
    *("mistake", "what", "where", "stand_ins", "seconds", "handed_in", "days_late", "isolation"),
)


def checks_csv(reports: Sequence[StageReport], locations: Mapping[tuple[str, str], str] = {}) -> bytes:
    """One row per student and check; the points are those of the check alone, before penalties.

    Args:
        reports: the reports.
        locations: stage and check id → file and line of the hidden test.
    """
    rows = (row for report in reports for row in _rows(report, locations))
    return csv_table([COLUMNS, *([row[name] for name in COLUMNS] for row in rows)])


def _rows(report: StageReport, locations: Mapping[tuple[str, str], str]) -> Iterator[dict[str, Any]]:
    shared = {
        "student": report.student,
        "stage": report.stage,
        "state": report.state.value,
        "handed_in": report.handed_in.isoformat() if report.handed_in else "",
        "days_late": "" if report.days_late is None else report.days_late,
        "isolation": report.isolation or "",
    }
    for check in report.checks:
        yield {
            **shared,
            "exercise": check.exercise,
            "check": check.id,
            "title": check.title,
            "test": locations.get((report.stage, check.id), ""),
            "bonus": int(check.bonus),
            "outcome": check.outcome.value,
            "score": check.score if report.graded else "",
            "points": check.points,
            "mistake": check.mistake or "",
            "what": check.what,
            "where": check.where,
            "stand_ins": " ".join(check.stand_ins),
            "seconds": round(check.seconds, 3),
        }
