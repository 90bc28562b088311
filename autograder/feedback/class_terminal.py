"""A class on the terminal, for instructors: the table of scores, and the class report."""

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
from autograder.feedback.class_statistics import CheckStatistics, ClassStatistics, StageStatistics
from autograder.feedback.words import counted, late_words

_WARNING = "bold yellow"
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


def print_class_report(console: Console, statistics: ClassStatistics) -> None:
    """Print distribution, checks, common mistakes, students who may need help, and the table of scores."""
    console.print(_stage_table(statistics.stages))
    for stage in statistics.stages:
        console.print(_check_table(stage))
    if statistics.mistakes:
        console.print(_mistake_table(statistics))
    if statistics.needs_help:
        console.print(_help_table(statistics))
    print_class_table(console, statistics)


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
    table = _table("Student")
    for stage in stages:
        table.add_column(_heading(stage), justify="right", no_wrap=True)
    if totals:
        table.add_column("Total", justify="right", no_wrap=True)
    for student in statistics.students:
        cells = [_cell(statistics, student, stage) for stage in stages]
        if totals:
            cells.append(Text(statistics.total(student), style="bold"))
        table.add_row(Text(log_line(student)), *cells)
    return table


def _heading(stage: StageStatistics) -> Text:
    """The stage's id, broken after underscores where it is long, over its points."""
    lines = [""]
    for word in re.findall("[^_]*_|[^_]+", log_line(stage.id)):
        if lines[-1] and len(lines[-1] + word) > _HEADING:
            lines.append("")
        lines[-1] += word
    return Text("\n".join([*lines, f"/ {stage.points}"]))


def _cell(statistics: ClassStatistics, student: str, stage: StageStatistics) -> Text:
    report = statistics.reports.get((student, stage.id))
    if report is None:
        return Text("–", style="dim")
    if report.state is ReportState.NOT_GRADED:
        return Text(report.state.value, style=_WARNING)
    if report.state is ReportState.NOT_BEGUN:
        return Text(f"{report.state.value}{', 0' if report.owed else ''}", style="dim")
    score, bonus = report.final_score, report.final_bonus
    style = "green" if score == report.points else "red" if score == 0 else ""
    cell = Text(f"{score}" + (f" +{bonus}" if bonus else ""), style=style)
    late = late_words(report)
    return cell.append(f" {late}", style=_WARNING if report.days_late else "dim") if late else cell


def _remarks(statistics: ClassStatistics) -> Iterator[tuple[str, str]]:
    """The lines below the table of scores, each with its style."""
    if statistics.not_begun:
        yield "totals count the stages that a student has begun", "dim"
    if statistics.never_begun:
        yield f"not begun by any student: {', '.join(map(log_line, statistics.never_begun))}", "dim"
    if statistics.not_graded:
        yield f"! {len(statistics.not_graded)} not graded: no number until you decide", _WARNING
        for (_, why), reports in _grouped(statistics.not_graded, lambda report: report.why_not_graded):
            yield f"    {_named(reports)}: {log_line(why)}", ""
    if statistics.unknown_times:
        number = counted(len(statistics.unknown_times), "hand-in")
        yield f"! time unknown for {number}: no penalty; state times with --times", _WARNING
        students = _grouped(statistics.unknown_times, lambda report: "")
        yield f"    {'; '.join(_named(reports) for _, reports in students)}", ""
    if IsolationLevel.NONE in statistics.isolation:
        yield (
            "! isolation none: student code could have read or changed your files, including these grades",
            _WARNING,
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


def _stage_table(stages: Sequence[StageStatistics]) -> Table:
    table = _table("Stage", title="Distribution")
    for heading in ("Graded", "Not graded", "Not begun", "Mean", "Median", "Full marks", "Points"):
        table.add_column(heading, justify="right")
    for stage in stages:
        waiting = Text(str(stage.not_graded), style=_WARNING if stage.not_graded else "dim")
        counts = (str(len(stage.scores)), waiting, Text(str(stage.not_begun), style="dim"))
        scores = (_number(stage.mean), _number(stage.median), str(stage.histogram[-1]))
        table.add_row(Text(log_line(stage.id)), *counts, *scores, str(stage.points))
    return table


def _check_table(stage: StageStatistics) -> Table:
    title = f"Checks of {log_line(stage.id)}, {stage.ran} submission{'' if stage.ran == 1 else 's'}"
    folders = dict.fromkeys(check.test.rpartition("/")[0] for check in stage.checks if check.test)
    table = _table("Check", title=f"{title}; hidden tests in {log_line(', '.join(folders))}" if folders else title)
    for heading in ("Points", "Passed", "Discrimination"):
        table.add_column(heading, justify="right", no_wrap=True)
    for check in stage.checks:
        passed = "–" if check.passed_share is None else f"{check.passed_share:.0%}"
        flag = f"{check.flag} " if check.flag else ""
        discrimination = Text.assemble((flag, _WARNING), _number(check.discrimination, 2))
        table.add_row(_check_name(check), str(check.points), passed, discrimination)
    return table


def _check_name(check: CheckStatistics) -> Text:
    """The title; below it the check's id and the file and line of its hidden test."""
    file_and_line = log_line(check.test).rpartition("/")[2]
    return Text.assemble(log_line(check.title), "\n", (f"{log_line(check.id)} {file_and_line}".rstrip(), "dim"))


def _mistake_table(statistics: ClassStatistics) -> Table:
    table = _table("Mistake", title="Common mistakes")
    table.add_column("Stage", no_wrap=True)
    table.add_column("Students", justify="right", no_wrap=True)
    for mistake in statistics.mistakes:
        table.add_row(Text(log_line(mistake.says)), Text(log_line(mistake.stage)), str(len(mistake.students)))
    return table


def _help_table(statistics: ClassStatistics) -> Table:
    table = _table("Student", title="Students who may need help")
    table.add_column("Stage", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for row in statistics.needs_help:
        for index, (stage, reason) in enumerate(row.reasons.items()):
            name = "" if index else log_line(row.student)
            table.add_row(Text(name), Text(log_line(stage)), Text(log_line(reason)))
    return table


def _table(first: str, title: str | None = None) -> Table:
    """A table whose first column takes the remaining width and wraps instead of being cut."""
    heading = Text(title, style="bold") if title else None
    table = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    return table


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
