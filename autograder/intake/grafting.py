"""The released notebook with a student's answers.

Only the answers to manually graded questions are copied from a student's notebooks. The result always has exactly
the released cells. A question whose answer may exist but was not found gets a text that says so: its cell then
counts as answered, so a person grades it.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autograder.intake.notebooks import LARGEST_ANSWER, NO_ANSWERS, Answers, SheetCell, read_answers

_BETWEEN_ANSWERS = "\n\n---\n\n"


@dataclass(frozen=True)
class Grafted:
    """A notebook as JSON with exactly the released cells, and notes for the instructor."""

    notebook: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """The answer to one question in one notebook: its texts, and a note; ``sought`` says why a person must look."""

    texts: tuple[str, ...] = ()
    note: str = ""
    sought: str = ""


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
    sheets = [_Sheet(notebook["cells"], cells) for cells in answers.sheets]
    for position, cell in enumerate(notebook["cells"]):
        if not _is_question(cell):
            continue
        found = _first_answer(sheets, position)
        why = found.sought or "; ".join(answers.unread)
        if found.note:
            notes.append(found.note)
        if found.texts:
            text = _BETWEEN_ANSWERS.join(found.texts)[:LARGEST_ANSWER]
        elif why and answers is not NO_ANSWERS:
            text = f"*No answer was found here, but there may be one: {why}. A person will look at your file.*"
        else:
            continue
        cell["source"] = text.splitlines(keepends=True)
    return Grafted(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n", tuple(notes))


def _first_answer(sheets: Sequence["_Sheet"], position: int) -> _Found:
    found = [sheet.answer(position) for sheet in sheets]
    answered = [answer for answer in found if answer.texts]
    return (answered or found or [_Found()])[0]


def _is_question(cell: dict[str, Any]) -> bool:
    return bool(cell["metadata"].get("nbgrader", {}).get("solution"))


class _Sheet:
    """The cells of a student's notebook beside the released cells."""

    def __init__(self, released: list[dict[str, Any]], cells: Sequence[SheetCell]) -> None:
        self._released = released
        self._cells = cells
        self._texts = [_text(cell) for cell in released]
        self._names = [_names(cell) for cell in released]
        known_names = frozenset[str]().union(*self._names)
        known_texts = {text.strip() for text in self._texts}
        self._is_new = [known_names.isdisjoint(cell.names) and cell.text.strip() not in known_texts for cell in cells]
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for index, cell in enumerate(cells):
            for name in cell.names:
                self._by_name[name].append(index)
        self._positions = [self._find(position) for position in range(len(released))]
        questions = [position for position, cell in enumerate(released) if _is_question(cell)]
        below = {index for position in questions for index in self._new_below(position)}
        # A text cell far from any question may still be an answer.
        self._has_stray_prose = any(
            new and cell.is_prose and cell.text.strip() and index not in below
            for index, (cell, new) in enumerate(zip(cells, self._is_new, strict=True))
        )

    def answer(self, position: int) -> _Found:
        """Find the answer to the question at a position of the released notebook."""
        grade_id = self._released[position]["metadata"]["nbgrader"]["grade_id"]
        own = self._own_texts(position)
        below = [self._cells[index].text for index in self._new_below(position)]
        texts = tuple(dict.fromkeys(text for text in (*own, *below) if text.strip()))
        if not self._positions[position]:
            note = f"the cell of question `{grade_id}` is missing from the notebook"
            if texts:
                return _Found(texts, f"{note}; the cells in its place are taken as its answer")
            return _Found(note=note, sought=note)
        if not texts:
            stray = f"question `{grade_id}` is not answered in its cell, but the notebook has new text cells"
            return _Found(note=stray, sought=stray) if self._has_stray_prose else _Found()
        if below:
            return _Found(texts, f"question `{grade_id}` is answered in a new cell below its own")
        if len(texts) > 1:
            return _Found(texts, f"question `{grade_id}` is answered in {len(texts)} cells; their texts are joined")
        return _Found(texts)

    def _own_texts(self, position: int) -> list[str]:
        released = self._texts[position].strip()
        texts = [self._cells[index].text for index in self._positions[position]]
        return [text for text in texts if text.strip() != released]

    def _find(self, position: int) -> list[int]:
        """The indices of a released cell in the student's notebook: by name, else by its unchanged text."""
        for name in self._names[position]:
            if name in self._by_name:
                return self._by_name[name]
        text = self._texts[position].strip()
        return [index for index, cell in enumerate(self._cells) if text and cell.text.strip() == text]

    def _new_below(self, position: int) -> list[int]:
        """The new cells from a released cell, or from the nearest one above it, to the next released cell."""
        anchor = next((self._positions[above][-1] for above in range(position, -1, -1) if self._positions[above]), None)
        if anchor is None:
            return []
        found = []
        for index in range(anchor + 1, len(self._cells)):
            if not self._is_new[index]:
                break
            found.append(index)
        return found


def _text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _names(cell: dict[str, Any]) -> list[str]:
    names = [cell["metadata"].get("nbgrader", {}).get("grade_id"), cell.get("id")]
    return list(dict.fromkeys(name for name in names if name))
