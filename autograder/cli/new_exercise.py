"""``autograder new-exercise``: add a small exercise to a stage."""

import click

from autograder.authoring.scaffold.exercise import new_exercise as write_exercise
from autograder.cli.endings import OutputConsole
from autograder.cli.shared import LabOption, pass_lab


@click.command("new-exercise")
@click.argument("stage_id")
@click.argument("name")
@pass_lab
def new_exercise(option: LabOption, stage_id: str, name: str) -> None:
    """Add a small exercise to a stage.

    NAME is the function that students write. The command adds it to every file that lists exercises: the reference,
    its texts, tests, mistakes, promises and alternatives, the lab sheet and grading.yml. `autograder verify` accepts
    the result; replace it piece by piece.
    """
    console = OutputConsole(soft_wrap=True, highlight=False)
    for path in write_exercise(option.lab, stage_id, name):
        console.print(path.relative_to(option.lab.root).as_posix(), markup=False)
    console.print(f"next: python -m autograder.authoring.try_stage {stage_id}")
