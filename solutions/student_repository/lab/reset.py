"""``lab reset``: restores the stub of an exercise or a whole stage, and keeps a copy of the student's code."""

import codecs
from collections.abc import Sequence
from pathlib import Path

from lab.code import Module, put_back
from lab.course import Course, Exercise, Stage
from lab.progress import STATE_FOLDER, Progress, now, read_module, write_whole


def reset(course: Course, exercises: Sequence[Exercise], progress: Progress) -> Path | None:
    """Restore stubs in a stage's module.

    Args:
        course: the course.
        exercises: one exercise, or all of a stage; all resets the whole module, even if it is not valid Python.
        progress: the checks of these exercises are forgotten; the caller saves it.

    Returns:
        Path of the copy of the old module; None if there was no module.

    Raises:
        CompanionError: the module is not valid Python, so a single exercise cannot be found in it, or the exercise
            is not a function or class of this stage.
    """
    stage = course.stage(exercises[0].stage)
    file = course.root / stage.file
    if len(exercises) == len(stage.exercises):
        text = stage.stub
    else:
        text = _with_stubs(course, stage, exercises)
    backup = _back_up(course.root, stage)
    file.parent.mkdir(exist_ok=True)
    old = file.read_bytes() if backup is not None else b""
    ending = "\r\n" if b"\r\n" in old else "\n"  # every other line stays as it is
    start = codecs.BOM_UTF8 if old.startswith(codecs.BOM_UTF8) else b""
    write_whole(file, start + text.replace("\n", ending).encode())
    for exercise in exercises:
        progress.checks.pop(exercise.key, None)
    return backup


def _with_stubs(course: Course, stage: Stage, exercises: Sequence[Exercise]) -> str:
    module, stub = read_module(course.root, stage), Module.parse(stage.stub, stage.file.as_posix())
    for exercise in exercises:
        module = Module.parse(put_back(module, stub, exercise.name), module.file)
    return module.text


def _back_up(root: Path, stage: Stage) -> Path | None:
    """Copy the module, byte for byte, to a file name that is not in use."""
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
