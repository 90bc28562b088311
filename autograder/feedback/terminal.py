"""A student's report on the terminal."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.base.results import StageReport
from autograder.base.sinks import log_line
from autograder.feedback.views import CheckView, ExerciseView, StageView, stage_view

WIDEST = 100  # in wider output the points are too far from the titles

_STYLES = {"good": "green", "bad": "red", "open": "dim", "ours": "bold yellow"}


def print_report(console: Console, report: StageReport) -> None:
    """Print one stage of one student: points per exercise, and symptom, location and hint of each failure."""
    view = stage_view(report)
    for part in _parts(view):
        console.print(part, width=WIDEST)


def _parts(view: StageView) -> Iterator[RenderableType]:
    heading = Text.assemble((log_line(view.student), "bold"), " · ", (log_line(view.stage), "bold"))
    yield _row(heading, Text(view.score_text, style="bold" if view.score is not None else _STYLES["ours"]))
    for remark in view.remarks:
        yield Padding(Text(f"! {log_line(remark)}", style="yellow"), (0, 0, 0, 2), expand=False)
    if view.common:
        yield Text("")
        yield _line(view, view.common, view.score_text)
        yield _details(view.common)
    for exercise in view.exercises:
        yield Text("")
        yield _exercise_heading(exercise)
        if exercise.remark:
            yield Padding(Text(log_line(exercise.remark), style="dim"), (0, 0, 0, 2), expand=False)
        for check in exercise.checks:
            yield _line(view, check, check.score_text)
            if not view.common and check.details:
                yield _details(check)
    yield Text("")


def _exercise_heading(exercise: ExerciseView) -> Table:
    name = Text(log_line(exercise.name), style="bold")
    return _row(name.append(" (bonus)" if exercise.bonus else "", style="dim"), Text(exercise.score_text))


def _line(view: StageView, check: CheckView, score: str) -> Table:
    style = _STYLES[check.tone]
    title = log_line(check.short_title)
    words = Text.assemble((f"{check.mark} ", style), (f"{log_line(view.stage)} · ", "dim"), title)
    return _row(words, Text(score, style="" if check.tone == "good" else style))


def _row(left: Text, right: Text) -> Table:
    """Text on the left, points at the right edge; the text wraps within its column."""
    row = Table.grid(expand=True, padding=(0, 2, 0, 0))
    row.add_column(ratio=1, overflow="fold")
    row.add_column(justify="right", no_wrap=True)
    row.add_row(left, right)
    return row


def _details(check: CheckView) -> Padding:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for part, text in check.details:
        table.add_row(part, Text(log_line(text), style="bold" if check.named and part == "what" else ""))
    return Padding(table, (0, 0, 0, 4), expand=False)
