"""The instructor's page about a class. It names all students and hidden tests: never hand it to students."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from autograder.base.results import IsolationLevel, Outcome, ReportState
from autograder.feedback.class_statistics import BINS, CheckStatistics, ClassStatistics, StageStatistics
from autograder.feedback.html import render
from autograder.feedback.words import late_words

SHADES = 5

_KINDS = {
    Outcome.PASSED: "good",
    Outcome.UNPAID: "open",
    Outcome.FAILED: "bad",
    Outcome.ERROR: "stop",
    Outcome.TIMEOUT: "stop",
    Outcome.OUT_OF_MEMORY: "stop",
    Outcome.BLOCKED: "stop",
    Outcome.NOT_ATTEMPTED: "open",
}
LEGEND = {
    "good": "passed",
    "bad": "wrong answer",
    "stop": "stopped: error, time or memory",
    "open": "not attempted, or no points yet",
}


@dataclass(frozen=True)
class Bar:
    """One bar of a figure; ``start`` and ``size`` are percentages, ``kind`` is the colour class."""

    kind: str
    start: float
    size: float
    count: int
    label: str


@dataclass(frozen=True)
class Cell:
    """One student's stage in the table of scores: text, shade for the share of points, state, and lateness."""

    text: str
    bonus: int = 0
    shade: int | None = None
    state: str = ""
    late: str = ""


@dataclass(frozen=True)
class Row:
    """One student's row; ``page`` is the path of the student's page, or None."""

    student: str
    page: str | None
    cells: tuple[Cell, ...]
    total: str


def class_page(statistics: ClassStatistics, pages: Mapping[str, str] = {}) -> str:
    """Render one self-contained HTML page about a class.

    Args:
        statistics: the statistics of the class.
        pages: student → path of the student's page, relative to the class page.
    """
    counts = [len(mistake.students) for mistake in statistics.mistakes]
    return render(
        "class.html",
        course=statistics.course,
        statistics=statistics,
        stages=[
            (stage, histogram(stage), [(check, outcome_bars(check)) for check in stage.checks])
            for stage in statistics.stages
        ],
        rows=list(_rows(statistics, pages)),
        legend=LEGEND,
        most=max(counts, default=0),
        not_graded=sorted(statistics.not_graded, key=lambda report: (report.student, report.stage)),
        unisolated=IsolationLevel.NONE in statistics.isolation,
        pages={student: quote(path) for student, path in pages.items()},
    )


def histogram(stage: StageStatistics) -> list[Bar]:
    """The distribution of scores; sizes are heights, and the fullest bin has height 100."""
    counts = stage.histogram
    most = max(counts) or 1
    labels = [f"{10 * tenth}–{10 * tenth + 9} %" for tenth in range(BINS - 1)] + ["full marks"]
    kinds = ["plain"] * (BINS - 1) + ["good"]
    return [
        Bar(kind, round(100 * index / BINS, 3), round(100 * count / most, 3), count, label)
        for index, (kind, count, label) in enumerate(zip(kinds, counts, labels, strict=True))
    ]


def outcome_bars(check: CheckStatistics) -> list[Bar]:
    """The outcomes of a check over the class, as parts of one bar; sizes are widths."""
    total = sum(check.outcomes.values())
    bars, start = [], 0.0
    for kind, label in LEGEND.items():
        count = sum(number for outcome, number in check.outcomes.items() if _KINDS[outcome] == kind)
        size = 100 * count / total
        bars.append(Bar(kind, round(start, 3), round(size, 3), count, label))
        start += size
    return bars


def _rows(statistics: ClassStatistics, pages: Mapping[str, str]) -> Iterator[Row]:
    for student in statistics.students:
        cells = tuple(_cell(statistics, student, stage) for stage in statistics.stages)
        page = pages.get(student)
        yield Row(student, quote(page) if page else None, cells, statistics.total(student))


def _cell(statistics: ClassStatistics, student: str, stage: StageStatistics) -> Cell:
    report = statistics.reports.get((student, stage.id))
    if report is None:
        return Cell("–")
    late = late_words(report)
    if report.state is ReportState.NOT_GRADED:
        return Cell(report.state.value, state="ours", late=late)
    if report.state is ReportState.NOT_BEGUN:
        return Cell(f"{report.state.value}{', 0' if report.owed else ''}", state="open")
    shade = (SHADES - 1) * report.final_score // report.points if report.points else None
    return Cell(str(report.final_score), report.final_bonus, shade, late=late)
