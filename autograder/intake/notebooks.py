"""A student's notebooks → the texts of their cells, as far as they can be read.

A notebook's cells may be missing, duplicated, moved, split or of the wrong type; its metadata may be changed, its
outputs huge, its JSON broken.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from autograder.base.text import printable
from autograder.intake.limited import limited
from autograder.intake.refusals import RefusedError

LARGEST_NOTEBOOK = 20 * 1024 * 1024  # it includes outputs with images
LARGEST_ANSWER = 50_000  # characters
_MOST_NOTES = 20
_CONFLICT = b"<<<<<<< "


@dataclass(frozen=True)
class SheetCell:
    """A cell's text and its names: its nbgrader grade id and its plain cell id, as far as they exist."""

    names: tuple[str, ...]
    text: str
    is_prose: bool


@dataclass(frozen=True)
class Answers:
    """The cells of a student's notebooks.

    Attributes:
        sheets: The cells of each notebook that was read; the notebook with the right name comes first.
        notes: For the instructor.
        unread: The reasons why files that may hold answers were not read: a person must look at them.
    """

    sheets: tuple[tuple[SheetCell, ...], ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def texts(self) -> Mapping[str, tuple[str, ...]]:
        """The texts of the named cells of all notebooks; a name that several cells have has several texts."""
        texts: dict[str, list[str]] = defaultdict(list)
        for cell in (cell for sheet in self.sheets for cell in sheet):
            for name in cell.names:
                texts[name].append(cell.text)
        return {name: tuple(copies) for name, copies in texts.items()}

    @property
    def handed_in(self) -> bool:
        """Whether a notebook was handed in, readable or not."""
        return any(self.sheets) or bool(self.unread)


NO_ANSWERS = Answers(notes=("no notebook was handed in",))


class _Marks(msgspec.Struct):
    grade_id: str | None = None


class _Metadata(msgspec.Struct):
    nbgrader: _Marks = msgspec.field(default_factory=_Marks)


class _CellId(msgspec.Struct):
    id: str | None = None


class _CellType(msgspec.Struct):
    cell_type: str = "code"


class _CellMetadata(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _CellText(msgspec.Struct):
    source: str | list[str]
    attachments: dict[str, msgspec.Raw] = {}


class _OldCode(msgspec.Struct):
    """A code cell of the notebook formats 2 and 3."""

    input: str | list[str]


class _Worksheet(msgspec.Struct):
    cells: list[msgspec.Raw]


class _Notebook(msgspec.Struct):
    """A notebook; formats 2 and 3 have worksheets of cells."""

    cells: list[msgspec.Raw] | None = None
    worksheets: list[_Worksheet] | None = None

    def all_cells(self) -> list[msgspec.Raw]:
        if self.cells is not None:
            return self.cells
        if self.worksheets is None:
            raise ValueError("it has no cells")
        return [cell for sheet in self.worksheets for cell in sheet.cells]


def read_answers(raw: bytes | None, name: str = "the notebook") -> Answers:
    """Read the cells of a notebook; None stands for a missing notebook, ``name`` names it in notes."""
    if raw is None:
        return NO_ANSWERS
    if len(raw) > LARGEST_NOTEBOOK:
        return unread(f"{name} is larger than {LARGEST_NOTEBOOK // 1024**2} MB and was not read")
    try:
        return limited(name, parse_notebook, raw, name)
    except RefusedError as error:
        return unread(error.refusal.message)


def parse_notebook(raw: bytes, name: str) -> Answers:
    """Read the cells of a notebook; runs in the limited process."""
    try:
        raw_cells = _cells(raw)
    except (ValueError, RecursionError) as error:
        return unread(f"{name} cannot be read: {_why_unreadable(raw, error)}")
    notes: list[str] = []
    cells: list[SheetCell] = []
    for number, cell in enumerate(raw_cells, 1):
        names = _names(cell)
        text, problem = _text(cell)
        if problem and names:
            notes.append(f"cell {number} of {name}: {problem}")
        if text is not None:
            kind = _decode(cell, _CellType)
            cells.append(SheetCell(tuple(names), text, kind is not None and kind.cell_type != "code"))
    if not cells:
        why = f"{name} has no cells with text"
        return Answers(notes=(why, *notes[:_MOST_NOTES]), unread=(why,))
    return Answers((tuple(cells),), tuple(notes[:_MOST_NOTES]))


def unread(why: str) -> Answers:
    """The answers of a file that was not read."""
    return Answers(notes=(why,), unread=(why,))


def _why_unreadable(raw: bytes, error: Exception) -> str:
    conflict = raw.find(_CONFLICT)
    if conflict >= 0 and (conflict == 0 or raw[conflict - 1 : conflict] == b"\n"):
        line = raw.count(b"\n", 0, conflict) + 1
        return f"it has unresolved merge conflicts, the first in line {line}"
    return printable(str(error), 200)


def _cells(raw: bytes) -> list[msgspec.Raw]:
    """The notebook's cells, undecoded, so that a broken cell does not affect other cells.

    Raises:
        ValueError: The bytes are not JSON, or not a notebook.
        RecursionError: The JSON is nested too deeply.
    """
    try:
        return msgspec.json.decode(raw, type=_Notebook).all_cells()
    except msgspec.DecodeError:
        # Python's json module writes NaN and lone surrogates, which are not valid JSON, and reads other encodings.
        lenient = json.loads(raw, parse_constant=lambda name: None)
        strict = json.dumps(lenient, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.decode(strict, type=_Notebook).all_cells()


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
        old = _decode(cell, _OldCode)
        return (_joined(old.input), "") if old is not None else (None, "its source is not text")
    source = _joined(content.source)
    if len(source) > LARGEST_ANSWER:
        return source[:LARGEST_ANSWER], f"its text has {len(source)} characters; the first {LARGEST_ANSWER} are kept"
    if content.attachments:
        return source, "images pasted into the answer are omitted; see the student's own notebook"
    return source, ""


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _decode(cell: msgspec.Raw, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(cell, type=kind)
    except (ValueError, RecursionError):
        return None
