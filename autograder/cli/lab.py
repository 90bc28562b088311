"""Commands for authors of the lab: ``release``, ``new-stage``, ``schema``."""

from datetime import UTC, datetime

import click
import msgspec

from autograder.authoring.scaffold import new_stage as write_stage
from autograder.base.atomic_files import write_atomically
from autograder.base.run_lock import only_run
from autograder.cli.endings import OutputConsole
from autograder.cli.shared import LabOption, pass_lab
from autograder.course.config import schema as config_schema
from autograder.course.exercise_texts import schema as texts_schema
from autograder.course.promises import schema as promises_schema
from autograder.integrations.gradebook import register_release
from autograder.release import refuse_open_stages
from autograder.release import release as make_release


@click.command()
@click.option(
    "--with-solutions",
    "solved",
    multiple=True,
    metavar="STAGE",
    help="Give students the solutions of this stage; may be given several times. Later releases keep them.",
)
@pass_lab
def release(option: LabOption, solved: tuple[str, ...]) -> None:
    """Build `assignments` from `solutions`, and register the stages in the gradebook.

    Edit the files in `solutions`, not in `assignments`: a release replaces every file that it wrote.
    Files in `assignments` that no release wrote are kept and listed.
    """
    console = OutputConsole(soft_wrap=True, highlight=False)
    with only_run(option.lab.gradebook.parent, "autograder release"):
        refuse_open_stages(option.lab, solved, datetime.now(UTC))
        made = make_release(option.lab, solved)
        counts = f"{made.files} files, {len(made.written)} new or changed, {len(made.removed)} removed"
        console.print(f"assignments: {counts}")
        register_release(option.lab)
    for name in made.strangers:
        console.print(f"  [yellow]kept, not written by a release:[/] {name}")


@click.command()
@pass_lab
def schema(option: LabOption) -> None:
    """Write the JSON Schemas that editors use to docs/.

    They are those of grading.yml, exercises.yml and promises.yml.
    """
    console = OutputConsole(soft_wrap=True, highlight=False)
    schemas = {"grading": config_schema(), "exercises": texts_schema(), "promises": promises_schema()}
    for name, content in schemas.items():
        path = option.lab.root / "docs" / f"{name}.schema.json"
        write_atomically(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        console.print(f"wrote {path}")


@click.command("new-stage")
@click.argument("stage_id")
@click.argument("module")
@pass_lab
def new_stage(option: LabOption, stage_id: str, module: str) -> None:
    """Write a new stage with one small exercise.

    STAGE_ID is the folder of the stage, such as 10_moe. MODULE is the file that students fill in, such as
    moe. The command writes solutions/STAGE_ID, tests/hidden/STAGE_ID and the entry in grading.yml.
    `autograder verify` accepts the result; replace it piece by piece.
    """
    console = OutputConsole(soft_wrap=True, highlight=False)
    for path in write_stage(option.lab, stage_id, module):
        console.print(path.relative_to(option.lab.root).as_posix())
    console.print(f"next: python -m autograder.authoring.try_stage {stage_id}")
