"""``autograder new-stage``: the three parts of a stage, complete enough that ``verify`` passes at once.

What it writes is one tiny exercise, right and wrong, to be replaced piece by piece.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from autograder.base.atomic_files import write_atomically
from autograder.course.lab import Lab, LabError

# Template file → where it goes; NAME stands for the module, STAGE for the stage's id.
_PLACES: Mapping[str, str] = {
    "reference.py.txt": "solutions/STAGE/NAME.py",
    "lab.md": "solutions/STAGE/lab.md",
    "exercises.yml": "solutions/STAGE/exercises.yml",
    "public_tests.py.txt": "solutions/STAGE/test_NAME.py",
    "mistakes.py.txt": "solutions/STAGE/mistakes.py",
    "mistakes.lock.json": "solutions/STAGE/mistakes.lock.json",
    "alternative.py.txt": "solutions/STAGE/alternatives/pytorch.py",
    "hidden_tests.py.txt": "tests/hidden/STAGE/test_NAME.py",
}
_STAGE_ID = re.compile(r"\d+_[a-z][a-z0-9_]*")


def new_stage(lab: Lab, stage_id: str, module: str) -> list[Path]:
    """Write a new stage and add its entry to ``grading.yml``; every path written.

    Raises:
        LabError: the id or the module's name cannot be used, or something is there already. Nothing
            is written then.
    """
    if not _STAGE_ID.fullmatch(stage_id):
        raise LabError(f"`{stage_id}` is no stage id: a number, an underscore and a name, like 10_moe")
    if not module.isidentifier() or not module.islower():
        raise LabError(f"`{module}` is no module name: lower-case letters, digits and underscores, like moe")
    if stage_id in lab.config.stages:
        raise LabError(f"grading.yml has a stage `{stage_id}` already")
    places = {_template(name): lab.root / _fill(place, stage_id, module) for name, place in _PLACES.items()}
    if there := [path for path in places.values() if path.exists()]:
        raise LabError(f"{there[0]} is there already; remove it, or choose another id")
    for template, path in places.items():
        write_atomically(path, _fill(template, stage_id, module).encode())
    grading = lab.root / "grading.yml"
    text = grading.read_text(encoding="utf-8").rstrip("\n")
    write_atomically(grading, f"{text}\n{_fill(_template('entry.yml'), stage_id, module)}".encode())
    return [*places.values(), grading]


def _template(name: str) -> str:
    return (files(__package__) / "files" / name).read_text(encoding="utf-8")


def _fill(text: str, stage_id: str, module: str) -> str:
    return text.replace("STAGE", stage_id).replace("NAME", module)
