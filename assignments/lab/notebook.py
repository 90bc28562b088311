"""The companion in a lab sheet: ``%check softmax`` checks an exercise in the notebook's own process."""

import html
import importlib
import logging
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from lab.checking import check as check_exercises
from lab.course import CompanionError, Course, Exercise, Stage
from lab.in_process import ThisProcess
from lab.progress import Progress, selected
from lab.show_checks import show_checks
from lab.show_remarks import show_remarks
from lab.solutions import Solution, released_solution
from lab.terminal import make_console, save_progress

# Seconds that one test may take: a notebook does nothing else meanwhile.
_TIME_LIMIT = 10.0
# For a sheet on paper, exported as HTML: long lines of code are wrapped instead of cut off, and the cell with this
# style, which sets the sheet up, is left out.
PRINT_STYLE = """<style class="lab-print">@media print {
pre { white-space: pre-wrap !important; overflow-wrap: anywhere; }
.jp-CodeCell:has(.lab-print) { display: none; }
}</style>"""


def register() -> None:
    """Make ``%check`` available in this notebook, and let it print well; outside a notebook, do nothing."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    if ipython is not None and (shell := ipython.get_ipython()) is not None:
        shell.register_magic_function(lambda line: check(*line.split()), "line", "check")
        importlib.import_module("IPython.display").display_html(PRINT_STYLE, raw=True)
        _shorten_reload_errors(importlib.import_module("IPython.extensions.autoreload"))


def _shorten_reload_errors(autoreload: Any) -> None:
    """Let IPython's autoreload say in one line that a module cannot be loaded; it prints two long tracebacks."""
    logging.getLogger("autoreload").setLevel(logging.CRITICAL)

    def print_reason(*_: object, **__: object) -> None:
        error = sys.exc_info()[1]
        print(f"Your change cannot be loaded: {type(error).__name__}: {error}. Cells use your code from before.")

    autoreload.print = print_reason  # its only use of `print`


def check(*names: str) -> None:
    """Run the public tests of the named exercises, or of the next exercise, and show the results below the cell.

    Names of exercises are those of this folder's stage first. The result counts in ``lab status``.
    """
    console = make_console()
    with console:  # one output for the whole result
        try:
            course = Course.find()
            progress = Progress.load(course.root)
            exercises = selected(course, progress, [_in_this_stage(course, name) for name in names])
            results = check_exercises(course, exercises, progress, process=ThisProcess(course.root), limit=_TIME_LIMIT)
        except CompanionError as error:
            console.print(f"[bad]{escape(str(error))}[/]", soft_wrap=True)
            return
        show_checks(console, course, results)
        started = [result.exercise for result in results if result.is_started]
        show_remarks(console, course, _stages(course, started))
        save_progress(console, course, progress)
        for result in results:
            if result.can_have_a_hint:
                console.print(f"Stuck? In a terminal: [name]lab hint {result.exercise.name}[/]", style="quiet")
    if console.is_jupyter:
        _show_solutions(console, course, [result.exercise for result in results if result.problem is None])


def _show_solutions(console: Console, course: Course, exercises: list[Exercise]) -> None:
    """Show the solutions that the course has released, folded."""
    output = importlib.import_module("IPython.display")
    for exercise in exercises:
        try:
            solution = released_solution(course, exercise)
        except CompanionError as error:
            console.print(f"[bad]{escape(str(error))}[/]", soft_wrap=True)
            return
        if solution is not None:
            output.display(output.HTML(solution_html(solution)))


def solution_html(solution: Solution) -> str:
    """Return both versions of an exercise side by side, folded."""
    name = html.escape(solution.exercise.name)
    parts = "".join(
        f'<div style="flex: 1 1 20em; min-width: 0"><b>{label}</b>'
        f'<pre style="white-space: pre-wrap; word-break: normal; font-size: 85%">{_lines_html(code)}</pre></div>'
        for label, code in (("yours", solution.yours), ("the course's", solution.ours))
    )
    summary = f"<summary>The course's solution of <code>{name}</code>, beside yours</summary>"
    return f'<details>{summary}<div style="display: flex; flex-wrap: wrap; gap: 1em">{parts}</div></details>'


def _lines_html(code: str) -> str:
    """Return the lines of a code; what follows in a line that is too long is indented further than the line."""
    lines = []
    for line in code.split("\n"):
        indent = len(line) - len(line.lstrip()) + 4
        style = f"display: block; padding-left: {indent}ch; text-indent: -{indent}ch"
        lines.append(f'<span style="{style}">{html.escape(line) or " "}</span>')
    return "".join(lines)


def _stages(course: Course, exercises: list[Exercise]) -> list[Stage]:
    return [course.stage(stage_id) for stage_id in dict.fromkeys(exercise.stage for exercise in exercises)]


def _in_this_stage(course: Course, name: str) -> str:
    """Return the full name of an exercise of the stage in whose folder the notebook runs; other names as they are."""
    key = f"{Path.cwd().name}/{name}"
    return key if any(exercise.key.casefold() == key.casefold() for exercise in course.exercises) else name
