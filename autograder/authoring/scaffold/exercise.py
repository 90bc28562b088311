"""``autograder new-exercise``: add a small exercise to a stage, in every file that must list it.

The texts are those of a new stage. The files are changed in memory first: if one of them cannot take the exercise, no
file is written.
"""

import ast
import json
import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from autograder.authoring.scaffold import filled
from autograder.base.atomic_files import write_atomically
from autograder.course.lab import Lab, LabError, StageFolders
from autograder.course.lock_files import LOCK_VERSION
from autograder.course.python_source import parse_python

_SOLUTION = "return x + x"  # the mistakes replace it, so it occurs once


def new_exercise(lab: Lab, stage_id: str, name: str) -> list[Path]:
    """Add an exercise to a stage, and return the paths of all files written.

    Raises:
        LabError: the stage is unknown, the name is invalid or taken, or a file has a form that cannot be extended. In
            that case no file is written.
    """
    stage = lab.stage(stage_id)
    _check_name(stage, name)
    texts = _changed_texts(stage, name)
    for path, text in texts.items():
        write_atomically(path, text.encode())
    return list(texts)


def _check_name(stage: StageFolders, name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise LabError(f"`{name}` is not the name of a function: use letters, digits and underscores, as in rescale")
    reference, hidden = stage.reference_source(), _hidden_test(stage, name)
    if name in stage.spec.exercises or re.search(rf"^(def|class) {name}\b", reference, re.MULTILINE):
        raise LabError(f"{stage.id} already has `{name}`; choose another name")
    if hidden.exists():
        raise LabError(f"{hidden} already exists; remove it, or choose another name")
    if _SOLUTION in reference:
        raise LabError(f"{stage.reference} still holds an exercise as it was added (`{_SOLUTION}`): replace that first")


def _changed_texts(stage: StageFolders, name: str) -> dict[Path, str]:
    """The new text of each file of the stage."""

    def part(template: str, begin: str, end: str = r"\Z") -> str:
        """The part of a template between two patterns, filled in."""
        text = filled(template, stage.id, stage.spec.module, name)
        match = re.search(rf"^{begin}.*?(?={end})", text, re.MULTILINE | re.DOTALL)
        assert match is not None, f"{template} has no part that begins like {begin}"
        return match[0].rstrip("\n") + "\n"

    function, sections = part("reference.py.txt", "def "), part("lab.md", "## ", "<!-- #region")
    public_file = stage.folder / f"test_{stage.spec.module}.py"
    public = _with_imports(_read(public_file), f"import {stage.spec.module}", "import torch")
    texts = {
        stage.root / "grading.yml": _in_grading(stage, part("entry.yml", f"      {name}:", "    questions")),
        stage.reference: _with_imports(_read(stage.reference), "from torch import Tensor") + "\n\n" + function,
        stage.exercises_file: _read(stage.exercises_file) + "\n" + part("exercises.yml", f"{name}:"),
        public_file: public + "\n\n" + part("public_tests.py.txt", "def test_"),
        stage.sheet: _before_questions(_read(stage.sheet), sections.replace("## Twice", f"## {name}", 1)),
        stage.mistakes: _in_catalogue(stage, part("mistakes.py.txt", '    "', "^}")),
        stage.promises: _read(stage.promises) + part("promises.yml", f"  {name}:"),
        _hidden_test(stage, name): filled("hidden_tests.py.txt", stage.id, stage.spec.module, name),
    }
    for path in stage.alternatives:
        texts[path] = _read(path) + "\n\n" + part("alternative.py.txt", "def ")
    for path, key in ((stage.mistakes_lock, "mistakes"), (stage.checks_lock, "checks")):
        texts[path] = _in_lock(path, key, json.loads(filled(path.name, stage.id, stage.spec.module, name)))
    return texts


def _hidden_test(stage: StageFolders, name: str) -> Path:
    return stage.hidden_tests / f"test_{name.lower()}.py"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n") + "\n"
    except FileNotFoundError:
        raise LabError(f'{path} is missing: every stage needs it (see "Add a stage" in CONTRIBUTING.md)') from None


def _in_grading(stage: StageFolders, entry: str) -> str:
    """``grading.yml`` with the entry below the stage's last exercise; comments and blanks stay."""
    text = _read(stage.root / "grading.yml")
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in ("stages", stage.id, "exercises"):
        node = next(value for name, value in node.value if name.value == key)
    if node.flow_style:
        raise LabError(f"grading.yml: write the exercises of {stage.id} one a line, without braces")
    lines = text.splitlines(keepends=True)
    after = _last_line(node) + 1
    return "".join([*lines[:after], entry, *lines[after:]])


def _last_line(node: yaml.Node) -> int:
    """The last line (from 0) of a node's content."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return _last_line(node.value[-1])
    return int(node.end_mark.line)


def _in_catalogue(stage: StageFolders, entry: str) -> str:
    """``mistakes.py`` with the entry at the end of ``MISTAKES``."""
    text = _read(stage.mistakes)
    lines = text.splitlines(keepends=True)
    for node in parse_python(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            end = (node.value.end_lineno or 0) - 1
            if ast.unparse(node.targets[0]) == "MISTAKES" and lines[end] == "}\n" and lines[end - 1].endswith(",\n"):
                return "".join([*lines[:end], entry, *lines[end:]])
    raise LabError(f"{stage.mistakes}: MISTAKES must end with a comma and a brace on its own line")


def _in_lock(path: Path, key: str, added: Mapping[str, Any]) -> str:
    lock: dict[str, Any] = json.loads(_read(path)) if path.is_file() else {"format_version": LOCK_VERSION, key: {}}
    return json.dumps({**lock, key: {**lock[key], **added[key]}}, indent=2) + "\n"


def _with_imports(text: str, *wanted: str) -> str:
    """The module with these imports; one whose name the module binds already is not repeated."""
    nodes = [node for node in parse_python(text).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    bound = {alias.asname or alias.name for node in nodes for alias in node.names}
    missing = "".join(f"{line}\n" for line in wanted if line.rpartition(" ")[2] not in bound)
    lines = text.splitlines(keepends=True)
    after = (nodes[-1].end_lineno or 0) if nodes else 0
    return "".join([*lines[:after], missing, *lines[after:]])


def _before_questions(text: str, section: str) -> str:
    """The lab sheet with the section before its first question, or at its end."""
    before, mark, after = text.partition('<!-- #region question="')
    return f"{before.rstrip()}\n\n{section}" + (f"\n{mark}{after}" if mark else "")
