"""The instructor's page about a class. It names all students and hidden tests: never hand it to students."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from autograder.base.results import IsolationLevel, Outcome, ReportState, lowest_level
from autograder.feedback.claims import Claim
from autograder.feedback.class_statistics import ClassStatistics
from autograder.feedback.grade_words import policy_words
from autograder.feedback.html import render
from autograder.feedback.item_analysis import FEWEST_OF_EACH
from autograder.feedback.stage_statistics import BINS, CheckStatistics, StageStatistics
from autograder.feedback.words import late_words

SHADES = 5
MOST_MISTAKES = 3  # of one student in the table of students who may need help

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

PROGRESS = {"good": "full marks", "plain": "begun", "open": "not begun", "ours": "not graded"}


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
    """One student's stage in the table of scores: text, shade for the share of points, state, and remarks."""

    text: str
    bonus: int = 0
    shade: int | None = None
    state: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One student's row; ``isolation`` is the weakest level of the student's reports."""

    student: str
    cells: tuple[Cell, ...]
    total: str
    days_late: int
    isolation: IsolationLevel | None


def class_page(statistics: ClassStatistics, pages: Mapping[str, str] = {}, claims: Sequence[Claim] = ()) -> str:
    """Render one self-contained HTML page about a class.

    Args:
        statistics: the statistics of the class.
        pages: student → path of the student's page, relative to the class page.
        claims: claims of students that differ from the results.
    """
    counts = [len(mistake.students) for mistake in statistics.mistakes]
    return render(
        "class.html",
        script_file="class.js",
        course=statistics.course,
        statistics=statistics,
        stages=[(stage, _histogram(stage)) for stage in statistics.stages],
        checks=[(stage, check, outcome_bars(check)) for stage in statistics.stages for check in stage.checks],
        progress=_progress(statistics.stages) if statistics.stages else "",
        progress_legend=PROGRESS,
        rows=list(_rows(statistics)),
        legend=LEGEND,
        most=max(counts, default=0),
        says={(mistake.stage, mistake.id): mistake.says for mistake in statistics.mistakes},
        most_mistakes=MOST_MISTAKES,
        fewest=FEWEST_OF_EACH,
        claims=claims,
        not_graded=sorted(statistics.not_graded, key=lambda report: (report.student, report.stage)),
        total_policy=policy_words(statistics.policy),
        unisolated=IsolationLevel.NONE in statistics.isolation,
        pages={student: quote(path) for student, path in pages.items()},
    )


def _histogram(stage: StageStatistics) -> Markup:
    """The distribution of scores as a chart."""
    from autograder.feedback.charts import histogram  # Matplotlib takes a second to import

    labels = [f"{10 * tenth}–{10 * tenth + 9} %" for tenth in range(BINS - 1)] + ["full marks"]
    counts = zip(stage.histogram, labels, strict=True)
    words = ", ".join(f"{count} at {label}" for count, label in counts if count)
    return histogram(stage.histogram, f"Scores in tenths of {stage.points} points: {words}")


def _progress(stages: Sequence[StageStatistics]) -> Markup:
    """The states of the students in each stage as a chart."""
    from autograder.feedback.charts import Series, stacked_bars  # Matplotlib takes a second to import

    full = [stage.histogram[-1] for stage in stages]
    values = {
        "good": full,
        "plain": [len(stage.scores) - count for stage, count in zip(stages, full, strict=True)],
        "open": [stage.not_begun for stage in stages],
        "ours": [stage.not_graded for stage in stages],
    }
    words = "; ".join(
        f"{stage.id}: " + ", ".join(f"{values[kind][index]} {label}" for kind, label in PROGRESS.items())
        for index, stage in enumerate(stages)
    )
    series = [Series(kind, label, tuple(values[kind])) for kind, label in PROGRESS.items()]
    return stacked_bars(tuple(stage.id for stage in stages), tuple(series), words)


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


def _rows(statistics: ClassStatistics) -> Iterator[Row]:
    for student in statistics.students:
        yield Row(
            student,
            tuple(_cell(statistics, student, stage) for stage in statistics.stages),
            str(statistics.total(student)),
            statistics.days_late(student),
            lowest_level(report.isolation for report in statistics.reports_of(student)),
        )


def _cell(statistics: ClassStatistics, student: str, stage: StageStatistics) -> Cell:
    report = statistics.reports.get((student, stage.id))
    if report is None:
        return Cell("–")
    if report.state is ReportState.NOT_GRADED:
        return Cell(report.state.value, state="ours", remarks=_remarks(late_words(report)))
    if report.state is ReportState.NOT_BEGUN:
        return Cell(f"{report.state.value}{', 0' if report.owed else ''}", state="open")
    points, possible = statistics.points(report), statistics.possible(report)
    shade = min(int((SHADES - 1) * max(points, 0) / possible), SHADES - 1) if possible else None
    remarks = _remarks(late_words(report), *statistics.decisions(report))
    return Cell(f"{points:g}", report.final_bonus, shade, remarks=remarks)


def _remarks(*remarks: str) -> tuple[str, ...]:
    return tuple(remark for remark in remarks if remark)
