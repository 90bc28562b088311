"""``autograder``: the group of all commands."""

import importlib
from pathlib import Path
from typing import Any

import click

from autograder.cli.endings import ended_with_a_sentence
from autograder.cli.shared import LabOption

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


class _Commands(click.Group):
    """The commands; ``autograder.cli.endings`` decides how each error ends."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"autograder.cli.{_MODULES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with ended_with_a_sentence(debug=False):  # the help text may be printed here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with ended_with_a_sentence(debug=ctx.params["debug"]):
            return super().invoke(ctx)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--lab",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    show_default="the lab around the current folder",
    help="Folder of the lab.",
)
@click.option("--debug", is_flag=True, envvar="AUTOGRADER_DEBUG", help="Print the traceback of an error.")
@click.version_option(package_name="transformer-lab-autograder")
@click.pass_context
def main(ctx: click.Context, folder: Path | None, debug: bool) -> None:
    """Release a lab, grade a class in isolation, and file the scores in nbgrader's gradebook."""
    ctx.obj = LabOption(folder)
