"""``autograder``: the group of all commands, and the exit codes of their errors."""

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from autograder.base.console import SafeConsole
from autograder.base.results import ResultsFormatError
from autograder.cli.shared import GRADER_ERROR, WRONG_USE, LabOption
from autograder.course.config import ConfigError
from autograder.course.lab import LabError
from autograder.intake import IntakeError
from autograder.judge.errors import HiddenTestsError
from autograder.judge.pool import JudgeError

# Command → its module, imported on first use: some modules need torch and some nbgrader.
_MODULES = {
    "release": "lab",
    "grade": "grade",
    "report": "output",
    "export": "output",
    "evaluate": "evaluate",
    "leaderboard": "leaderboard",
    "verify": "verify",
    "doctor": "doctor",
    "demo": "demo",
    "new-stage": "lab",
    "schema": "lab",
}

# Errors whose message is written for the user → exit code.
_EXPLAINED: dict[type[Exception], int] = {
    ConfigError: WRONG_USE,
    LabError: WRONG_USE,
    ResultsFormatError: WRONG_USE,
    HiddenTestsError: GRADER_ERROR,
    JudgeError: GRADER_ERROR,
    IntakeError: WRONG_USE,
}


class _Commands(click.Group):
    """Prints the message of an error in ``_EXPLAINED`` without a traceback, and exits with its code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"autograder.cli.{_MODULES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except tuple(_EXPLAINED) as error:
            console = SafeConsole(stderr=True, soft_wrap=True)
            console.print(f"autograder: {error}", style="red", markup=False, highlight=False)
            sys.exit(next(code for kind, code in _EXPLAINED.items() if isinstance(error, kind)))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--lab",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    show_default="the lab around the current folder",
    help="Folder of the lab.",
)
@click.version_option(package_name="transformer-lab-autograder")
@click.pass_context
def main(ctx: click.Context, folder: Path | None) -> None:
    """Release a lab, grade a class in isolation, and file the scores in nbgrader's gradebook."""
    ctx.obj = LabOption(folder)
