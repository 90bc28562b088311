"""A student's notebook → its answers → the released notebook with these answers.

Only the answers to manually graded questions are copied from a student's notebook. Its cells may
be missing, duplicated, moved, split or of the wrong type; its metadata may be changed, its outputs huge, its JSON
broken. The result always has exactly the released cells.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from autograder.base.text import printable

LARGEST_NOTEBOOK = 20 * 1024 * 1024  # it includes outputs with images
LARGEST_ANSWER = 50_000  # characters
_MOST_NOTES = 20

_BETWEEN_ANSWERS = "\n\n---\n\n"


@dataclass(frozen=True)
class Answers:
    """The texts of a notebook's cells by cell name, and notes for the instructor.

    A cell's name is its nbgrader grade id, or its plain cell id if an editor removed the metadata.
    If several cells have the same name, the name has several texts, in the notebook's order.
    """

    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


NO_ANSWERS = Answers(notes=("no notebook was handed in",))


@dataclass(frozen=True)
class Grafted:
    """A notebook as JSON with exactly the released cells, and notes for the instructor."""

    notebook: str
    notes: tuple[str, ...]


class _Marks(msgspec.Struct):
    grade_id: str | None = None


class _Metadata(msgspec.Struct):
    nbgrader: _Marks = msgspec.field(default_factory=_Marks)


class _CellId(msgspec.Struct):
    id: str | None = None


class _CellMetadata(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _CellText(msgspec.Struct):
    source: str | list[str]
    attachments: dict[str, msgspec.Raw] = {}


class _Notebook(msgspec.Struct):
    cells: list[msgspec.Raw]


def read_answers(raw: bytes | None) -> Answers:
    """Read the texts of the named cells of a notebook; None stands for a missing notebook."""
    if raw is None:
        return NO_ANSWERS
    if len(raw) > LARGEST_NOTEBOOK:
        return _unread(f"the notebook is larger than {LARGEST_NOTEBOOK // 1024**2} MB and was not read")
    try:
        cells = _cells(raw)
    except (ValueError, RecursionError) as error:
        return _unread(f"the notebook cannot be read: {printable(str(error), 200)}")
    texts: dict[str, list[str]] = defaultdict(list)
    notes: list[str] = []
    for number, cell in enumerate(cells, 1):
        names = _names(cell)
        if not names:
            continue
        text, problem = _text(cell)
        if problem:
            notes.append(f"cell {number} of the notebook: {problem}")
        if text is not None:
            for name in names:
                texts[name].append(text)
    return Answers({name: tuple(copies) for name, copies in texts.items()}, tuple(notes[:_MOST_NOTES]))


def _unread(note: str) -> Answers:
    return Answers(notes=(note,))


def _cells(raw: bytes) -> list[msgspec.Raw]:
    """The notebook's cells, undecoded, so that a broken cell does not affect other cells.

    Raises:
        ValueError: The bytes are not JSON, or not a notebook.
        RecursionError: The JSON is nested too deeply.
    """
    try:
        return msgspec.json.decode(raw, type=_Notebook).cells
    except msgspec.DecodeError:
        # Python's json module writes NaN and lone surrogates, which are not valid JSON, and reads other encodings.
        lenient = json.loads(raw, parse_constant=lambda name: None)
        strict = json.dumps(lenient, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.decode(strict, type=_Notebook).cells


def graft(released: str, submitted: bytes | None) -> Grafted:
    """Copy a student's answers into the released notebook.

    Args:
        released: The released notebook's JSON, trusted.
        submitted: The student's notebook as handed in; None if it is missing.

    Returns:
        A notebook with exactly the released cells, for any content of ``submitted``.
    """
    return graft_answers(released, read_answers(submitted))


def graft_answers(released: str, answers: Answers) -> Grafted:
    """Copy answers that were read by ``read_answers`` into the released notebook."""
    notebook = json.loads(released)
    notes = list(answers.notes)
    for cell in notebook["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        if not marks.get("solution"):
            continue
        grade_id = marks["grade_id"]
        released_text = "".join(cell["source"])
        texts = answers.texts.get(grade_id) or answers.texts.get(cell.get("id", ""), ())
        written = list(dict.fromkeys(text for text in texts if text.strip() != released_text.strip()))
        if not texts and answers is not NO_ANSWERS:
            notes.append(f"the cell of question `{grade_id}` is missing from the notebook")
        if len(written) > 1:
            notes.append(f"question `{grade_id}` is answered in {len(written)} cells; their texts are joined")
        if written:
            cell["source"] = _BETWEEN_ANSWERS.join(written)[:LARGEST_ANSWER].splitlines(keepends=True)
    return Grafted(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n", tuple(notes))


def _names(cell: msgspec.Raw) -> list[str]:
    """The grade id and the cell id, as far as they are strings."""
    marks = _decode(cell, _CellMetadata)
    own = _decode(cell, _CellId)
    names = [marks.metadata.nbgrader.grade_id if marks else None, own.id if own else None]
    return list(dict.fromkeys(name for name in names if name))


def _text(cell: msgspec.Raw) -> tuple[str | None, str]:
    """The cell's source, and a description of its problem, if any."""
    content = _decode(cell, _CellText)
    if content is None:
        return None, "its source is not text"
    source = content.source if isinstance(content.source, str) else "".join(content.source)
    if len(source) > LARGEST_ANSWER:
        return source[:LARGEST_ANSWER], f"its text has {len(source)} characters; the first {LARGEST_ANSWER} are kept"
    if content.attachments:
        return source, "images pasted into the answer are omitted; see the student's own notebook"
    return source, ""


def _decode(cell: msgspec.Raw, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(cell, type=kind)
    except (ValueError, RecursionError):
        return None
