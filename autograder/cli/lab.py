"""Commands for those who write the lab: ``release``, ``new-stage``, ``schema``."""

import click
import msgspec
from rich.console import Console

from autograder.cli.shared import LabOption, pass_lab
from autograder.config import schema as config_schema
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
    for name in made.strangers:
        console.print(f"  [yellow]kept, though no release made it:[/] {name}")


@click.command()
@pass_lab
def schema(option: LabOption) -> None:
    """Write the JSON Schema of grading.yml, for editors, to docs/grading.schema.json."""
    path = option.lab.root / "docs" / "grading.schema.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(config_schema()), indent=2) + b"\n")
    Console(soft_wrap=True, highlight=False).print(f"{path} is written")
