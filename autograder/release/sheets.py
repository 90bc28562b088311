"""Lab sheet → notebook: Markdown cells, graded cells of exercises, and questions that a person grades."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from autograder.course.config import Stage
from autograder.course.lab import StageFolders
from autograder.release.errors import ReleaseError

if TYPE_CHECKING:
    from nbformat import NotebookNode

# The line that a release fills in, in the script that becomes every sheet's first code cell.
_STAGE_LINE = '\nSTAGE = ""\n'
# Text in italics at the beginning of a cell.
_DESCRIPTION = re.compile(r"\*([^*]+)\*")
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def check_id(exercise: str) -> str:
    """The grade id of the cell that carries an exercise's points."""
    return f"check_{exercise}"


def build_notebook(stage: StageFolders) -> str:
    """The stage's notebook as JSON, the same bytes for the same sheet.

    Code cells marked ``exercise="NAME"`` become locked, graded cells; Markdown cells marked
    ``question="ID"`` become answers that a person grades. Points come from ``grading.yml``; an
    extension's cell has 0 points, because its points are filed as extra credit.

    Raises:
        ReleaseError: an exercise or question does not have exactly one cell, or ``grading.yml`` does not list
            the exercise or question of a cell.
    """
    taken: Counter[str] = Counter()
    cells = [_cell(cell, _role(cell, stage), taken) for cell in _read_cells(stage)]
    _check_complete(cells, stage)
    _describe_figures(cells)
    first = next((index for index, cell in enumerate(cells) if cell["cell_type"] == "code"), len(cells))
    cells[first:first] = _bootstrap_cell(stage)
    notebook = {"cells": cells, "metadata": {"kernelspec": _KERNEL}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _describe_figures(cells: list[dict[str, Any]]) -> None:
    """Make the description in italics below a cell the alternative text of its figure, where nbconvert reads it."""
    for cell, below in pairwise(cells):
        text = " ".join("".join(below["source"]).split())
        if cell["cell_type"] == "code" and below["cell_type"] == "markdown" and (found := _DESCRIPTION.match(text)):
            cell["metadata"]["alt"] = found[1]


def _bootstrap_cell(stage: StageFolders) -> list[dict[str, Any]]:
    """The cell that fetches the repository if a sheet is opened alone; empty if the lab lacks its script."""
    script = stage.root / "solutions" / "student_repository" / "lab" / "bootstrap.py"
    if not script.is_file():
        return []
    source = script.read_text(encoding="utf-8")
    if source.count(_STAGE_LINE) != 1:
        raise ReleaseError(
            f"{script}: the line `{_STAGE_LINE.strip()}` must occur exactly once, because a release fills it in"
        )
    source = source.replace(_STAGE_LINE, f'\nSTAGE = "{stage.id}"\n').replace("  # noqa: E402", "").rstrip()
    cell: dict[str, Any] = {"cell_type": "code", "id": "bootstrap", "outputs": [], "execution_count": None}
    # Collapsed in Jupyter and on Colab: it is not part of the lesson.
    metadata = {"jupyter": {"source_hidden": True}, "cellView": "form"}
    return [{**cell, "metadata": metadata, "source": source.splitlines(keepends=True)}]


def question_cells(stage: StageFolders) -> dict[str, str]:
    """Map each question to the text of its cell, as students receive it, in the order of ``grading.yml``.

    Raises:
        ReleaseError: the sheet is missing, or does not have exactly one cell per question.
    """
    return _marked_cells("question", stage.spec.questions, stage)


def _marked_cells(kind: str, names: Iterable[str], stage: StageFolders) -> dict[str, str]:
    found = [(cell.metadata[kind], cell.source) for cell in _read_cells(stage) if kind in cell.metadata]
    counts = Counter(name for name, _ in found)
    for name in names:
        _expect_one(kind, name, counts[name], stage)
    sources = dict(found)
    return {name: sources[name] for name in names}


def _read_cells(stage: StageFolders) -> list["NotebookNode"]:
    try:
        text = stage.sheet.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ReleaseError(f"{stage.sheet} is missing: every stage needs its lab sheet") from None
    import jupytext  # half a second; a release without changes reads no sheet

    return [_without_dropped(cell, stage) for cell in jupytext.reads(text, fmt="md").cells]


def _without_dropped(cell: "NotebookNode", stage: StageFolders) -> "NotebookNode":
    """The cell; in place of a dropped exercise's, a sentence for students."""
    name = cell.metadata.get("exercise")
    exercise = stage.spec.exercises.get(name)
    if exercise is None or not exercise.dropped:
        return cell
    where = "" if exercise.attachments else f" `{stage.spec.module}.py` already contains it."
    text = f"**Nothing to do here:** `{name}` is not part of your course.{where}"
    return type(cell)(cell_type="markdown", metadata={}, source=text)


def _role(cell: "NotebookNode", stage: StageFolders) -> dict[str, Any] | None:
    """The nbgrader metadata of a sheet's cell, without checksum; None for a cell that is not graded."""
    for key, kind in (("exercise", "code"), ("question", "markdown")):
        name = cell.metadata.get(key)
        if name is not None and cell.cell_type != kind:
            mark = f'{key}="{name}" marks a {cell.cell_type} cell'
            raise ReleaseError(f"{stage.sheet}: {mark}; mark a {kind} cell with it")
    if (name := cell.metadata.get("exercise")) is not None:
        _refuse_hidden_checks(cell.source, name, stage)
        if name in stage.spec.exercises and f"%check {name}" not in cell.source.splitlines():
            raise ReleaseError(f"{stage.sheet}: the cell of exercise `{name}` must have the line `%check {name}`")
        return {"grade_id": check_id(name), "grade": True, "solution": False, "locked": True, **_points(stage, name)}
    if (name := cell.metadata.get("question")) is not None:
        question = stage.spec.questions.get(name)
        if question is None:
            raise ReleaseError(f"{stage.sheet}: grading.yml lists no question `{name}` in {stage.id}")
        return {"grade_id": name, "grade": True, "solution": True, "locked": False, "points": question.points}
    return None


def _points(stage: StageFolders, name: str) -> dict[str, int]:
    exercise = stage.spec.exercises.get(name)
    if exercise is None:
        raise ReleaseError(f"{stage.sheet}: grading.yml lists no exercise `{name}` in {stage.id}")
    return {"points": 0 if exercise.bonus else exercise.points}


def _refuse_hidden_checks(source: str, name: str, stage: StageFolders) -> None:
    for check in stage.spec.check_ids:
        if check in source:
            raise ReleaseError(f"{stage.sheet}: the cell of exercise `{name}` names the hidden check `{check}`")


def _cell(cell: "NotebookNode", role: dict[str, Any] | None, taken: Counter[str]) -> dict[str, Any]:
    """The cell in the notebook format: no outputs, a stable id, and nbgrader's metadata if it is graded."""
    metadata: dict[str, Any] = {}
    if role is not None:
        marks = {"schema_version": 3, "cell_type": cell.cell_type, "task": False, **role}
        marks["checksum"] = _checksum(cell, marks)
        # Jupyter reads these flags: a graded cell cannot be edited or deleted, an answer cannot be deleted.
        metadata = {"nbgrader": marks, "deletable": False, **({"editable": False} if marks["locked"] else {})}
    node = {
        "cell_type": cell.cell_type,
        "id": _cell_id(cell, role, taken),
        "metadata": metadata,
        "source": cell.source.splitlines(keepends=True),
    }
    return {**node, "outputs": [], "execution_count": None} if cell.cell_type == "code" else node


def _checksum(cell: "NotebookNode", marks: dict[str, Any]) -> str:
    """The checksum that nbgrader itself computes: a cell that still has it was not answered."""
    parts = (
        cell.source,
        cell.cell_type,
        *(str(marks[key]) for key in ("grade", "solution", "locked")),
        marks["grade_id"],
        str(float(marks["points"])),
    )
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def _cell_id(cell: "NotebookNode", role: dict[str, Any] | None, taken: Counter[str]) -> str:
    """An id that depends only on the cell's text, not on the cells before it."""
    if role is not None:
        return re.sub(r"[^\w-]", "-", role["grade_id"])[
            :64
        ]  # the characters and length that the notebook format allows
    name = f"{cell.cell_type}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
    taken[name] += 1
    return name if taken[name] == 1 else f"{name}-{taken[name]}"


def _check_complete(cells: list[dict[str, Any]], stage: StageFolders) -> None:
    counts = Counter(cell["metadata"]["nbgrader"]["grade_id"] for cell in cells if "nbgrader" in cell["metadata"])
    for kind, name, grade_id in _expected(stage.spec):
        _expect_one(kind, name, counts[grade_id], stage)


def _expect_one(kind: str, name: str, count: int, stage: StageFolders) -> None:
    if count != 1:
        cells = f"{count} cells" if count else "no cell"
        raise ReleaseError(f'{stage.sheet}: {kind} `{name}` has {cells}; mark exactly one with {kind}="{name}"')


def _expected(stage: Stage) -> list[tuple[str, str, str]]:
    """Kind, name and grade id of every cell that ``grading.yml`` requires."""
    exercises = [("exercise", name, check_id(name)) for name in stage.graded]
    return exercises + [("question", name, name) for name in stage.questions]
