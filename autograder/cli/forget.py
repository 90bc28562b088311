"""``autograder forget``: delete what is stored about a student or a stage."""

import click

from autograder.base.run_lock import only_run
from autograder.cli.endings import OutputConsole
from autograder.cli.shared import LabOption, pass_lab
from autograder.feedback.words import counted
from autograder.intake.students import known_id, readable
from autograder.integrations.forget import Traces

_MOST_SHOWN = 20


@click.command()
@click.argument("student", required=False)
@click.option("--stage", "stage_id", metavar="STAGE", help="Delete this stage only; without STUDENT, of every student.")
@click.option("--yes", is_flag=True, help="Delete; without it, the command only lists what it would delete.")
@pass_lab
def forget(option: LabOption, student: str | None, stage_id: str | None, yes: bool) -> None:
    """Delete what is stored about STUDENT, about a stage, or about both.

    Results, attempts, filed hand-ins, entries to the speedrun and rows of the gradebook are deleted, with points that
    were given by hand. The class folder, pages and exports that you wrote elsewhere, and grading.yml stay.
    """
    lab, console = option.lab, OutputConsole(highlight=False, soft_wrap=True)
    if student is None and stage_id is None:
        raise click.UsageError("STUDENT or --stage is required")
    student = known_id(student) if student is not None else None
    for name in filter(None, (student, stage_id)):
        if readable(name) != name:  # not a pattern, and no path to another folder
            raise click.UsageError(f"`{name}` is not the id of a student or a stage")
    with only_run(lab.gradebook.parent, "autograder forget"):
        traces = Traces(lab, student, stage_id)
        paths, rows = traces.paths(), traces.rows()
        for path in paths[:_MOST_SHOWN]:
            console.print(f"  {path.relative_to(lab.build.parent)}", markup=False)
        if len(paths) > _MOST_SHOWN:
            console.print(f"  and {len(paths) - _MOST_SHOWN} more")
        what = f"{counted(len(paths), 'file or folder')}, {counted(len(rows), 'submission')} in the gradebook"
        if not paths and not rows:
            console.print("nothing is stored about this")
            return
        if not yes:
            console.print(f"found: {what}. Pass --yes to delete them")
            return
        traces.delete()
        console.print(f"deleted: {what}")
    policies = lab.config.policies
    if student is not None and (student in policies.extensions or student in policies.overrides):
        console.print(f"grading.yml still names {student}: remove the entries by hand", markup=False)
