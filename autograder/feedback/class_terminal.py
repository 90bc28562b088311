"""The scores of a class on the terminal, for instructors."""

import re
from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.base.results import IsolationLevel, ReportState, StageReport
from autograder.base.sinks import log_line
from autograder.feedback.class_statistics import ClassStatistics
from autograder.feedback.grade_words import policy_words
from autograder.feedback.stage_statistics import StageStatistics
from autograder.feedback.words import counted, late_words

WARNING = "bold yellow"
_GAP = 3  # characters between two cells
_NAMES = 24  # width of the column of names, in characters; longer names wrap
_HEADING = 12  # width of a stage's heading, in characters; longer names wrap


def print_class_table(console: Console, statistics: ClassStatistics) -> None:
    """Print the points per student and stage, the reports that are not graded and the isolation levels.

    A table that is wider than the console is printed in parts, each with all students.
    """
    parts = list(_score_parts(statistics, console.width))
    for part in parts:
        console.print(_score_table(statistics, part, totals=part is parts[-1]))
    for line, style in _remarks(statistics):
        indent = len(line) - len(line.lstrip())
        console.print(Padding(Text(line.lstrip(), style=style), (0, 0, 0, indent), expand=False))


def _score_parts(statistics: ClassStatistics, width: int) -> Iterator[list[StageStatistics]]:
    """Split the stages into parts that fit beside the names and the totals."""
    part: list[StageStatistics] = []
    names = min(_NAMES, max((cell_len(log_line(student)) for student in statistics.students), default=0))
    room = free = width - names - len("100 / 100") - 2 * _GAP
    for stage in statistics.stages:
        cells = [_cell(statistics, student, stage) for student in statistics.students]
        needed = max(text.cell_len for cell in [_heading(stage), *cells] for text in cell.split()) + _GAP
        if part and needed > free:
            yield part
            part, free = [], room
        part.append(stage)
        free -= needed
    yield part


def _score_table(statistics: ClassStatistics, stages: Sequence[StageStatistics], totals: bool) -> Table:
    table = plain_table("Student")
    for stage in stages:
        table.add_column(_heading(stage, _by_hand(statistics, stage)), justify="right", no_wrap=True)
    if totals:
        table.add_column("Total", justify="right", no_wrap=True)
    for student in statistics.students:
        cells = [_cell(statistics, student, stage) for stage in stages]
        if totals:
            cells.append(Text(str(statistics.total(student)), style="bold"))
        table.add_row(Text(log_line(student)), *cells)
    return table


def _by_hand(statistics: ClassStatistics, stage: StageStatistics) -> int:
    return stage.by_hand if statistics.grades else 0


def _heading(stage: StageStatistics, by_hand: int = 0) -> Text:
    """The stage's id, broken after underscores where it is long, over its points, those of persons included."""
    lines = [""]
    for word in re.findall("[^_]*_|[^_]+", log_line(stage.id)):
        if lines[-1] and len(lines[-1] + word) > _HEADING:
            lines.append("")
        lines[-1] += word
    return Text("\n".join([*lines, f"/ {stage.points + by_hand}"]))


def _cell(statistics: ClassStatistics, student: str, stage: StageStatistics) -> Text:
    report = statistics.reports.get((student, stage.id))
    if report is None:
        return Text("–", style="dim")
    if report.state is ReportState.NOT_GRADED:
        return Text(report.state.value, style=WARNING)
    if report.state is ReportState.NOT_BEGUN:
        return Text(f"{report.state.value}{', 0' if report.owed else ''}", style="dim")
    score, bonus = statistics.points(report), report.final_bonus
    style = "green" if score == statistics.possible(report) else "red" if score == 0 else ""
    cell = Text(f"{score:g}" + (f" +{bonus}" if bonus else ""), style=style)
    if late := late_words(report):
        cell.append(f" {late}", style=WARNING if report.days_late else "dim")
    for decided in statistics.decisions(report):
        cell.append(f" {decided}", style="dim")
    return cell


def _remarks(statistics: ClassStatistics) -> Iterator[tuple[str, str]]:
    """The lines below the table of scores, each with its style."""
    policy = policy_words(statistics.policy)
    if statistics.not_begun or policy:
        yield f"totals count the stages that a student has begun{policy}", "dim"
    if any(report.counted_bonus for report in statistics.reports.values()):
        yield "totals include the points of extensions", "dim"
    if statistics.never_begun:
        yield f"not begun by any student: {', '.join(map(log_line, statistics.never_begun))}", "dim"
    if statistics.not_graded:
        yield f"! {len(statistics.not_graded)} not graded: no number until you decide", WARNING
        for (_, why), reports in _grouped(statistics.not_graded, lambda report: report.why_not_graded):
            yield f"    {_named(reports)}: {log_line(why)}", ""
    if statistics.unknown_times:
        number = counted(len(statistics.unknown_times), "hand-in")
        yield f"! time unknown for {number}: no penalty; state times with --times", WARNING
        students = _grouped(statistics.unknown_times, lambda report: "")
        yield f"    {'; '.join(_named(reports) for _, reports in students)}", ""
    if IsolationLevel.NONE in statistics.isolation:
        yield (
            "! isolation none: student code could have read or changed your files, including these grades",
            WARNING,
        )
    levels = [f"{level.value} ({counted(count, 'report')})" for level, count in statistics.isolation.items()]
    if statistics.nothing_ran:
        levels.append(f"no code ran ({counted(statistics.nothing_ran, 'report')})")
    yield f"isolation: {', '.join(levels) or 'nothing was graded'}", ""
    if statistics.pythons:
        yield f"graded with Python {', '.join(statistics.pythons)}", ""


def _grouped(
    reports: Sequence[StageReport], part: Callable[[StageReport], str]
) -> list[tuple[tuple[str, str], list[StageReport]]]:
    """Group reports by student and by ``part``, in the order of their first reports."""
    groups: dict[tuple[str, str], list[StageReport]] = {}
    for report in reports:
        groups.setdefault((report.student, part(report)), []).append(report)
    return list(groups.items())


def _named(reports: Sequence[StageReport]) -> str:
    """One student's reports: ``ada 1_kernels, 2_attention``."""
    return log_line(f"{reports[0].student} {', '.join(report.stage for report in reports)}")


def plain_table(first: str, title: str | None = None) -> Table:
    """A table whose first column takes the remaining width and wraps instead of being cut."""
    heading = Text(title, style="bold") if title else None
    table = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    return table
