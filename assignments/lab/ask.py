"""What ``lab submit`` asks at the terminal."""

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.markup import escape

from lab.course import CompanionError, Course, Stage
from lab.sheet import read_answers


def ask_id() -> str:
    """Ask for the student's id.

    Raises:
        CompanionError: the input ended.
    """
    try:
        return str(click.prompt("Your id in the course"))
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise CompanionError("no id was given; type: lab submit --student ID") from None
        raise  # Ctrl-C


def confirm_answers(console: Console, course: Course, stages: Sequence[Stage]) -> bool:
    """Name the questions without an answer; at a terminal, ask before an untouched sheet is packed."""
    answers = [read_answers(course.root, stage) for stage in stages]
    for sentence in (sentence for sheet in answers for sentence in sheet.sentences()):
        console.print(f"[warn]question[/] {escape(sentence)}", soft_wrap=True)
    untouched = [sheet.stage.sheet.as_posix() for sheet in answers if sheet.untouched]
    if not untouched or not is_terminal():
        return True
    return click.confirm(f"No question is answered in {', '.join(untouched)}. Pack it all the same?")


def is_terminal() -> bool:
    """Whether a person can answer."""
    return sys.stdin is not None and sys.stdin.isatty()
