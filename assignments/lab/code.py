"""A student's module as text: where an exercise stands in it, whether it was begun, and its stub back in place."""

import ast
import hashlib
from dataclasses import dataclass

from lab.course import LabError

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """One version of a module: its text, and the tree Python reads in it."""

    file: str
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, text: str, file: str) -> "Module":
        """Read a module's text.

        Raises:
            LabError: it is not Python yet; the message names the line.
        """
        try:
            return cls(file, text, ast.parse(text))
        except SyntaxError as error:
            shown = (error.text or "").strip()
            message = f"{file}, line {error.lineno}: {error.msg}" + (f": {shown}" if shown else "")
            raise LabError(message, error.lineno) from None
        except ValueError as error:  # a zero byte
            raise LabError(f"{file} is not a text file ({error}); save it as UTF-8 in your editor") from None

    def definition(self, name: str) -> _Definition | None:
        """The function or class of that name at the top of the module; the last one, as Python takes it."""
        found = [node for node in self.tree.body if isinstance(node, _Definition) and node.name == name]
        return found[-1] if found else None

    def digest(self, name: str) -> str:
        """Changes when the exercise's code changes; comments and blank lines do not count.

        What is no function of this module has the digest of the whole module.
        """
        node = self.definition(name) or self.tree
        return hashlib.sha256(ast.dump(node).encode()).hexdigest()[:16]

    def lines(self, name: str) -> tuple[int, int] | None:
        """First line of an exercise, decorators included, and the line after it; counted from 0."""
        node = self.definition(name)
        if node is None:
            return None
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return first - 1, node.end_lineno or node.lineno


def put_back(module: Module, stub: Module, name: str) -> str:
    """The module's text with one exercise as it was handed out.

    Raises:
        LabError: the exercise is no function or class of this stage.
    """
    there = stub.lines(name)
    if there is None:
        raise LabError(f"`{name}` is not a function or class in {module.file}; there is nothing to reset")
    original = stub.text.splitlines(keepends=True)[slice(*there)]
    lines = module.text.splitlines(keepends=True)
    here = module.lines(name)
    if here is None:  # it was removed: it goes to the end
        ending = "" if not lines or lines[-1].endswith("\n") else "\n"
        return "".join([*lines, ending, "\n\n", *original])
    return "".join([*lines[: here[0]], *original, *lines[here[1] :]])
