"""The student's file as reports locate faults in it: lines, definitions, and the names that the contract lists."""

import ast
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from autograder.course.python_source import parse_python
from autograder.isolation.errors import SubmissionError, TracebackFrame
from autograder.isolation.outline import Outline, Parameters, outline

# An error's sentence may name a word of its line. A longer line, from which a program could choose, names none.
_MOST_WORDS = 40


@dataclass(frozen=True)
class SourceLocation:
    """A location in the student's file."""

    file: str
    line: int | None = None
    function: str = ""

    def __str__(self) -> str:
        parts = [self.file, f"line {self.line}" if self.line else "", self.function]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class SourceMap:
    """The student's file.

    Attributes:
        file: its name.
        text: its text; empty if it was not read.
        outline: its definitions, the lines of its statements and the names that it imports.
        contract: the names that the exercises require: functions, classes, methods and attributes.
        contract_parameters: the parameters of the functions and methods that the exercises require.
    """

    file: str
    text: str = ""
    outline: Outline = field(default_factory=Outline)
    contract: frozenset[str] = frozenset()
    contract_parameters: Mapping[str, Parameters] = field(default_factory=dict)

    @property
    def functions(self) -> Mapping[str, int]:
        """The line where each function, class and method begins; methods have dotted names."""
        return self.outline.definitions

    def of_exercise(self, exercise: str) -> SourceLocation:
        """Locate the beginning of the exercise's function or class, or of a method of it."""
        return SourceLocation(self.file, self.functions.get(exercise), exercise)

    def of_error(self, error: SubmissionError) -> SourceLocation | None:
        """Locate the innermost line of the student's file that the error passed through."""
        if isinstance(error, SyntaxError) and self.outline.syntax_error is not None:
            return SourceLocation(self.file, self.outline.syntax_error)
        return self.of_frames(error.frames)

    def of_frames(self, frames: Sequence[TracebackFrame]) -> SourceLocation | None:
        """Locate the innermost of these frames that lies in the student's file.

        Frames come from the student's process, which could report an input as a line. A line counts only if the
        text has a statement of the frame's function there.
        """
        for frame in reversed(frames):
            if frame.file == self.file and (function := self._function_at(frame.line, frame.function)) is not None:
                return SourceLocation(self.file, frame.line, function.removeprefix("<module>"))
        return None

    def _function_at(self, line: int, name: str) -> str | None:
        """Return the function of the statement at a line if it has this name; a lambda may be in any statement."""
        inside = name.startswith("<") and name != "<module>"
        matching = [
            function
            for first, last, function in self.outline.statements
            if first <= line <= last and (inside or function == name)
        ]
        return matching[-1] if matching else None

    def words_at(self, number: int | None) -> frozenset[str]:
        """Return the words of a line; empty if there are so many that a program could choose among them."""
        words = frozenset(re.findall(r"\w+", self.line(number).partition(": ")[2]))
        return words if len(words) <= _MOST_WORDS else frozenset()

    def line(self, number: int | None) -> str:
        """Return a line with its number of the file, as in ``"12: return x"``; empty if the file has no such line."""
        lines = self.text.split("\n")
        return f"{number}: {lines[number - 1]}" if number and 1 <= number <= len(lines) else ""

    def definition_at(self, number: int | None) -> str:
        """Return the name of the top-level function or class that holds a line; empty if there is none."""
        before = [(line, name) for name, line in self.functions.items() if "." not in name and line <= (number or 0)]
        return max(before)[1] if before else ""

    def nearest(self, name: str, owner: str = "") -> SourceLocation | None:
        """Locate the definition whose name is most like a missing name, among those that no exercise requires."""
        prefix = f"{owner}." if owner else ""
        defined = {
            full.removeprefix(prefix): line
            for full, line in self.functions.items()
            if full.startswith(prefix) and full.removeprefix(prefix).isidentifier()
        }
        by_letters = {other.replace("_", "").lower(): other for other in defined if other not in self.contract}
        for letters in difflib.get_close_matches(name.replace("_", "").lower(), by_letters, n=1, cutoff=0.7):
            return SourceLocation(self.file, defined[by_letters[letters]], by_letters[letters])
        return None


def read_outline(reply: Any) -> Outline:
    """Convert the reply of a session to an outline; it is empty if the reply is something else."""
    try:
        return msgspec.convert(reply, Outline)
    except msgspec.ValidationError:
        return Outline()


def contract_of(reference: str) -> tuple[frozenset[str], Mapping[str, Parameters]]:
    """Return the names that a reference defines, and the parameters of its functions and methods."""
    return frozenset(_names(parse_python(reference))), outline(reference).parameters


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
