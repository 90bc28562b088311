"""Commands for those who write the lab: ``release``, ``new-stage``, ``schema``."""

import click
import msgspec
from rich.console import Console

from autograder.authoring.scaffold import new_stage as write_stage
from autograder.base.atomic_files import write_atomically
from autograder.cli.shared import LabOption, pass_lab
from autograder.course.config import schema as config_schema
from autograder.course.exercise_texts import schema as texts_schema
from autograder.integrations.nbgrader import register_release
from autograder.release import release as make_release


@click.command()
@pass_lab
def release(option: LabOption) -> None:
    """Make ``assignments`` from ``solutions``, and register the stages in the gradebook.

    What students receive is made, never edited by hand. Files there that no release made stay, and are named.
    """
    console = Console(soft_wrap=True, highlight=False)
    made = make_release(option.lab)
    console.print(f"assignments: {made.files} files, {len(made.written)} new or changed, {len(made.removed)} removed")
    register_release(option.lab)
    for name in made.strangers:
        console.print(f"  [yellow]kept, though no release made it:[/] {name}")


@click.command()
@pass_lab
def schema(option: LabOption) -> None:
    """Write the JSON Schemas of grading.yml and exercises.yml, for editors, to docs/."""
    console = Console(soft_wrap=True, highlight=False)
    for name, content in (("grading", config_schema()), ("exercises", texts_schema())):
        path = option.lab.root / "docs" / f"{name}.schema.json"
        write_atomically(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        console.print(f"{path} is written")


@click.command("new-stage")
@click.argument("stage_id")
@click.argument("module")
@pass_lab
def new_stage(option: LabOption, stage_id: str, module: str) -> None:
    """Begin a stage: STAGE_ID is its folder, like 10_moe; MODULE the file students fill in, like moe.

    Writes solutions/STAGE_ID, tests/hidden/STAGE_ID and the entry in grading.yml, with one tiny exercise
    that `autograder verify` accepts; replace it piece by piece.
    """
    console = Console(soft_wrap=True, highlight=False)
    for path in write_stage(option.lab, stage_id, module):
        console.print(path.relative_to(option.lab.root).as_posix())
    console.print(f"next: python -m autograder.authoring.try_stage {stage_id}")
