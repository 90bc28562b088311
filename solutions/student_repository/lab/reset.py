"""``lab reset``: an exercise or a whole stage as it was handed out, with what you wrote kept beside."""

from collections.abc import Sequence
from pathlib import Path

from lab.code import Module, put_back
from lab.course import Course, Exercise, Stage
from lab.progress import STATE_FOLDER, Progress, now, read_module


def reset(course: Course, exercises: Sequence[Exercise], progress: Progress) -> Path | None:
    """Put stubs back into a stage's module.

    Args:
        course: the course.
        exercises: one exercise, or all of a stage; all means the whole module, broken or not.
        progress: checks of these exercises are forgotten.

    Returns:
        where the module is kept as it was; None when there was none.

    Raises:
        LabError: the module is not Python, so that no single exercise can be found in it, or the exercise
            is none of its functions.
    """
    stage = course.stage(exercises[0].stage)
    file = course.root / stage.file
    if len(exercises) == len(stage.exercises):
        text = stage.stub
    else:
        text = _without(course, stage, exercises)
    backup = _keep(course.root, stage)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")
    for exercise in exercises:
        progress.checks.pop(exercise.key, None)
    progress.save(course.root)
    return backup


def _without(course: Course, stage: Stage, exercises: Sequence[Exercise]) -> str:
    module, stub = read_module(course.root, stage), Module.parse(stage.stub, stage.file.as_posix())
    for exercise in exercises:
        module = Module.parse(put_back(module, stub, exercise.name), module.file)
    return module.text


def _keep(root: Path, stage: Stage) -> Path | None:
    """A copy of the module, byte for byte, under a name of its own."""
    file = root / stage.file
    if not file.exists():
        return None
    folder = root / STATE_FOLDER / "backups" / stage.id
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{stage.module}-{now():%Y%m%d-%H%M%S}"
    backup = folder / f"{name}.py"
    count = 1
    while backup.exists():
        count += 1
        backup = folder / f"{name}-{count}.py"
    backup.write_bytes(file.read_bytes())
    return backup
