"""A student's lab sheet: which of its questions still hold the text that was handed out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.course import Question, Stage


@dataclass(frozen=True)
class Answers:
    """The answers of one lab sheet.

    Attributes:
        stage: the stage of the sheet.
        unchanged: questions whose cell still holds what was handed out, or is empty.
        problem: why the sheet cannot be read; empty if it can be read.
    """

    stage: Stage
    unchanged: tuple[Question, ...] = ()
    problem: str = ""

    @property
    def untouched(self) -> bool:
        """Whether the sheet has questions, and none has an answer."""
        return bool(self.unchanged) and len(self.unchanged) == len(self.stage.questions)

    def sentences(self) -> list[str]:
        """Return what is left to do, one sentence each; none if every question has an answer."""
        sheet = self.stage.sheet.as_posix()
        if self.problem:
            return [f"{sheet} cannot be read: {self.problem}"]
        return [
            f'{sheet}: "{question.title}" ({_points(question.points)}) has no answer yet; write it into its cell'
            for question in self.unchanged
        ]


def read_answers(root: Path, stage: Stage) -> Answers:
    """Compare the question cells of a student's sheet with the cells that were handed out."""
    if not stage.questions:
        return Answers(stage)
    try:
        text = (root / stage.sheet).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return Answers(stage, problem="the file is missing")
    except (OSError, UnicodeDecodeError) as error:
        return Answers(stage, problem=str(error))
    try:
        cells = [cell for cell in json.loads(text)["cells"] if isinstance(cell, dict)]
    except (ValueError, KeyError, TypeError):
        merge = any(line.startswith(("<<<<<<< ", ">>>>>>> ")) for line in text.splitlines())
        reason = "git left merge markers in it; keep one of the two versions" if merge else "it is not a notebook"
        return Answers(stage, problem=reason)
    return Answers(stage, tuple(question for question in stage.questions if _is_unchanged(question, cells)))


def _is_unchanged(question: Question, cells: list[dict[str, Any]]) -> bool:
    """Whether every cell of the question holds the text that was handed out, or nothing."""
    given = question.text.split()
    own = [_words(cell) for cell in cells if question.name in _names(cell)]
    if not own:  # another editor removed the name: the text itself tells
        return any(_words(cell) == given for cell in cells)
    return all(words in ([], given) for words in own)


def _names(cell: dict[str, Any]) -> tuple[object, object]:
    """Return the names of a cell: nbgrader's, which a copied cell keeps, and the notebook's."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return (nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None), cell.get("id")


def _words(cell: dict[str, Any]) -> list[str]:
    """Return the words of a cell: editors change spaces and line ends."""
    source = cell.get("source", "")
    return ("".join(map(str, source)) if isinstance(source, list) else str(source)).split()


def _points(count: int) -> str:
    return f"{count} point{'' if count == 1 else 's'}"
