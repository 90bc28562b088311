"""A student's notebook → its answers → the released notebook with those answers in it.

Only the text of the questions that a person grades is taken from a student's notebook. Cells may
be missing, doubled, moved, split or of another kind, metadata changed, outputs huge, the JSON
broken: the result always has exactly the released cells.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from autograder.base.text import printable

LARGEST_NOTEBOOK = 20 * 1024 * 1024  # outputs with pictures are kept in it
LARGEST_ANSWER = 50_000  # characters
_MOST_NOTES = 20

_BETWEEN_ANSWERS = "\n\n---\n\n"


@dataclass(frozen=True)
class Answers:
    """The texts of a notebook's cells by their name, and what the instructor should know about it.

    A cell's name is its nbgrader grade id, or its plain cell id where an editor threw the metadata
    away. A name that several cells bear has several texts, in the notebook's order.
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
    """What a student wrote into the named cells of a notebook; None is a notebook that is not there."""
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
    return Answers({name: tuple(found) for name, found in texts.items()}, tuple(notes[:_MOST_NOTES]))


def _unread(note: str) -> Answers:
    return Answers(notes=(note,))


def _cells(raw: bytes) -> list[msgspec.Raw]:
    """The notebook's cells, each to be decoded by itself: a broken one costs only itself.

    Raises:
        ValueError: not JSON, or no notebook.
        RecursionError: nested deeper than any notebook is.
    """
    try:
        return msgspec.json.decode(raw, type=_Notebook).cells
    except msgspec.DecodeError:
        # Python writes NaN and half characters, which JSON does not have, and reads other encodings.
        lenient = json.loads(raw, parse_constant=lambda name: None)
        whole = json.dumps(lenient, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.decode(whole, type=_Notebook).cells


def graft(released: str, submitted: bytes | None) -> Grafted:
    """Put a student's answers into the released notebook.

    Args:
        released: the released notebook's JSON, trusted.
        submitted: the student's notebook as it was handed in; None when there is none.

    Returns:
        A notebook with exactly the released cells, whatever was submitted.
    """
    return graft_answers(released, read_answers(submitted))


def graft_answers(released: str, answers: Answers) -> Grafted:
    """The same for answers that were read before."""
    notebook = json.loads(released)
    notes = list(answers.notes)
    for cell in notebook["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        if not marks.get("solution"):
            continue
        grade_id = marks["grade_id"]
        given = "".join(cell["source"])
        texts = answers.texts.get(grade_id) or answers.texts.get(cell.get("id", ""), ())
        written = list(dict.fromkeys(text for text in texts if text.strip() != given.strip()))
        if not texts and answers is not NO_ANSWERS:
            notes.append(f"the cell of question `{grade_id}` is missing from the notebook")
        if len(written) > 1:
            notes.append(f"question `{grade_id}` is answered in {len(written)} cells; their texts are put together")
        if written:
            cell["source"] = _BETWEEN_ANSWERS.join(written)[:LARGEST_ANSWER].splitlines(keepends=True)
    return Grafted(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n", tuple(notes))


def _names(cell: msgspec.Raw) -> list[str]:
    """The grade id and the cell id, each only where it is a text."""
    marks = _decode(cell, _CellMetadata)
    own = _decode(cell, _CellId)
    names = [marks.metadata.nbgrader.grade_id if marks else None, own.id if own else None]
    return list(dict.fromkeys(name for name in names if name))


def _text(cell: msgspec.Raw) -> tuple[str | None, str]:
    """The cell's source, and what is odd about it."""
    content = _decode(cell, _CellText)
    if content is None:
        return None, "its text is not a text"
    source = content.source if isinstance(content.source, str) else "".join(content.source)
    if len(source) > LARGEST_ANSWER:
        return source[:LARGEST_ANSWER], f"its text has {len(source)} characters; {LARGEST_ANSWER} of them are kept"
    if content.attachments:
        return source, "pictures pasted into the answer are left out; see the student's own notebook"
    return source, ""


def _decode(cell: msgspec.Raw, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(cell, type=kind)
    except (ValueError, RecursionError):
        return None
