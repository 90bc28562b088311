"""``autograder new-stage``: write the files of a stage, complete enough that ``verify`` passes at once.

The stage has one tiny exercise with solutions and mistakes. An author replaces them piece by piece.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from autograder.base.atomic_files import write_atomically
from autograder.course.lab import Lab, LabError

# The exercise of a new stage.
_EXERCISE = "double"

# Template file → its target; NAME stands for the module, STAGE for the stage's id, EXERCISE for the exercise.
_TARGETS: Mapping[str, str] = {
    "reference.py.txt": "solutions/STAGE/NAME.py",
    "lab.md": "solutions/STAGE/lab.md",
    "exercises.yml": "solutions/STAGE/exercises.yml",
    "public_tests.py.txt": "solutions/STAGE/test_NAME.py",
    "mistakes.py.txt": "solutions/STAGE/mistakes.py",
    "mistakes.lock.json": "solutions/STAGE/mistakes.lock.json",
    "checks.lock.json": "solutions/STAGE/checks.lock.json",
    "promises.yml": "solutions/STAGE/promises.yml",
    "alternative.py.txt": "solutions/STAGE/alternatives/pytorch.py",
    "hidden_tests.py.txt": "tests/hidden/STAGE/test_NAME.py",
}
_STAGE_ID = re.compile(r"\d+_[a-z][a-z0-9_]*")


def new_stage(lab: Lab, stage_id: str, module: str) -> list[Path]:
    """Write a new stage, add its entry to ``grading.yml`` and return the paths of all files written.

    Raises:
        LabError: the id or the module's name is invalid, or the stage or one of its files exists. In
            that case no file is written.
    """
    if not _STAGE_ID.fullmatch(stage_id):
        raise LabError(f"`{stage_id}` is not a stage id: use a number, an underscore and a name, as in 10_moe")
    if not module.isidentifier() or not module.islower():
        raise LabError(f"`{module}` is not a module name: use lower-case letters, digits and underscores, as in moe")
    if stage_id in lab.config.stages:
        raise LabError(f"grading.yml already has a stage `{stage_id}`; choose another id")
    paths = {name: lab.root / _fill(target, stage_id, module) for name, target in _TARGETS.items()}
    if existing := [path for path in paths.values() if path.exists()]:
        raise LabError(f"{existing[0]} already exists; remove it, or choose another id")
    for name, path in paths.items():
        write_atomically(path, filled(name, stage_id, module, _EXERCISE).encode())
    grading = lab.root / "grading.yml"
    text = grading.read_text(encoding="utf-8").rstrip("\n")
    write_atomically(grading, f"{text}\n{filled('entry.yml', stage_id, module, _EXERCISE)}".encode())
    return [*paths.values(), grading]


def filled(template: str, stage_id: str, module: str, exercise: str) -> str:
    """Return the text of a template for this stage, module and exercise."""
    text = (files(__package__) / "files" / template).read_text(encoding="utf-8")
    return _fill(text, stage_id, module).replace("EXERCISE", exercise)


def _fill(text: str, stage_id: str, module: str) -> str:
    return text.replace("STAGE", stage_id).replace("NAME", module)
