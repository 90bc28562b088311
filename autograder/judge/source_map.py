"""The student's file as reports locate faults in it: lines, definitions, and the names that the contract lists."""

import ast
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograder.isolation.errors import SubmissionError, TracebackFrame


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
        functions: the line where each function, class and method begins; methods have dotted names.
        contract: the names that the exercises require: functions, classes, methods and attributes.
    """

    file: str
    text: str = ""
    functions: Mapping[str, int] = field(default_factory=dict)
    contract: frozenset[str] = frozenset()

    @classmethod
    def believing(cls, file: str, text: str, definitions: Any, contract: frozenset[str] = frozenset()) -> "SourceMap":
        """Make the map of ``text`` from the function definitions that the student's process reports.

        ``definitions`` is untrusted and may be any object. A definition counts only if the line that it
        names contains the function's name.
        """
        lines = text.split("\n")
        functions = {
            name: line
            for name, line in (definitions.items() if isinstance(definitions, dict) else ())
            if isinstance(name, str) and type(line) is int and 1 <= line <= len(lines)
            if name.rpartition(".")[2] in lines[line - 1]
        }
        return cls(file, text, functions, contract)

    def of_exercise(self, exercise: str) -> SourceLocation:
        """Locate the beginning of the exercise's function or class."""
        return SourceLocation(self.file, self.functions.get(exercise), exercise)

    def of_error(self, error: SubmissionError) -> SourceLocation | None:
        """Locate the innermost line of the student's file that the error passed through."""
        return self.of_frames(error.frames)

    def of_frames(self, frames: Sequence[TracebackFrame]) -> SourceLocation | None:
        """Locate the innermost of these frames that lies in the student's file.

        Frames come from the student's process. A line counts only if the file has it, a function's name
        only if the file defines it.
        """
        for frame in reversed(frames):
            if frame.file == self.file and self.line(frame.line):
                known = {name.rpartition(".")[2] for name in self.functions}
                return SourceLocation(self.file, frame.line, frame.function if frame.function in known else "")
        return None

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


def contract_names(reference: str) -> frozenset[str]:
    """Return the names of the functions, classes, methods and attributes that a reference defines."""
    return frozenset(_names(ast.parse(reference)))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
