"""``autograder``: the group of all commands."""

import importlib
from pathlib import Path
from typing import Any

import click

from autograder.cli.endings import ended_with_a_sentence
from autograder.cli.shared import LabOption

# Command → its module, imported when the command runs because some modules take seconds to import, and its line in the
# list of commands, which is the first sentence of its help.
_COMMANDS = {
    "release": ("lab", "Build `assignments` from `solutions`, and register the stages in the gradebook."),
    "intake": ("intake", "Show what `autograder grade` would find in PATHS, without judging anything."),
    "grade": ("grade", "Grade PATHS: folders, zips or clones of one student or a whole class."),
    "regrade": (
        "regrade",
        "Grade again after a change of the course, and show whose points change, and why.",
    ),
    "explain": ("explain", "Show why CHECK of STUDENT failed."),
    "commitment": ("replay", "Write digests of what the hidden tests draw to FILE, for students."),
    "replay": ("replay", "Compare the lab with the commitments in FILE; with PATHS, judge the hand-ins again."),
    "report": ("report", "Show scores, checks, common mistakes and students who may need help."),
    "export": ("export", "Write scores in another program's format."),
    "bundle": ("bundle", "Write what a platform needs to run this grader."),
    "forget": ("forget", "Delete what is stored about STUDENT, about a stage, or about both."),
    "evaluate": ("evaluate", "Evaluate trained models on held-out text, and print them by their loss."),
    "leaderboard": ("leaderboard", "Evaluate the entries to the speedrun on held-out text, and rank them."),
    "similarity": ("similarity", "List hand-ins that share passages."),
    "verify": ("verify", "Prove that the lab grades correctly."),
    "doctor": ("doctor", "Show whether this machine can grade."),
    "demo": ("demo", "Grade a sample class and compare each score with its design."),
    "new-stage": ("lab", "Write a new stage with one small exercise."),
    "new-exercise": ("new_exercise", "Add a small exercise to a stage."),
    "schema": ("lab", "Write the JSON Schemas that editors use to docs/."),
}


class _Commands(click.Group):
    """The commands; ``autograder.cli.endings`` decides how each error ends."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"autograder.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

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
