"""``autograder bundle``: what a platform needs to run this grader."""

from pathlib import Path

import click

from autograder.base.atomic_files import write_atomically
from autograder.cli.endings import OutputConsole
from autograder.cli.shared import LabOption, pass_lab, stage_option
from autograder.course.lab import Lab, StageFolders
from autograder.integrations.bundles.classroom50 import classroom50_bundle
from autograder.integrations.bundles.gradescope import gradescope_bundle
from autograder.pipeline.secret import course_secret
from autograder.release.folders import replace_folder


@click.group()
def bundle() -> None:
    """Write what a platform needs to run this grader."""


@bundle.command("classroom50")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@stage_option
@pass_lab
def classroom50(option: LabOption, folder: Path, stage_ids: tuple[str, ...]) -> None:
    """Write the autograder of a Classroom 50 assignment to FOLDER: public tests only.

    Every student can read such a bundle, so it is refused if it holds anything hidden. Copy FOLDER to
    CLASSROOM/autograders/SLUG; FOLDER/README.md says how. Files that FOLDER holds already are replaced.
    """
    files = classroom50_bundle(option.lab, _chosen(option.lab, stage_ids))
    replace_folder(folder, files)
    size = sum(len(file.content) for file in files.values())
    OutputConsole(highlight=False, soft_wrap=True).print(f"{folder}: {len(files)} files, {size} bytes", markup=False)


@bundle.command("gradescope")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@stage_option
@pass_lab
def gradescope(option: LabOption, file: Path, stage_ids: tuple[str, ...]) -> None:
    """Write the autograder of a Gradescope assignment to FILE, a zip.

    It holds the hidden tests, the solutions and the course's secret: upload it to Gradescope, and keep it
    secret. A stage that a student has not begun counts 0.
    """
    stages = _chosen(option.lab, stage_ids)
    content = gradescope_bundle(option.lab, stages, course_secret(option.lab))
    write_atomically(file, content)
    file.chmod(0o600)
    OutputConsole(highlight=False, soft_wrap=True).print(
        f"{file}: {len(content)} bytes, to be kept secret", markup=False
    )


def _chosen(lab: Lab, stage_ids: tuple[str, ...]) -> list[StageFolders]:
    return [lab.stage(stage_id) for stage_id in stage_ids] or lab.stages()
