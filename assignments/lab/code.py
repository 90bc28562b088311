"""A student's module as text: finds an exercise in it, tells whether it was started, and restores its stub."""

import ast
import hashlib
import io
import re
from dataclasses import dataclass

from lab.course import CompanionError

# Lines that git writes around the two versions of a place that it could not merge.
_MERGE_MARKER = re.compile(r"(<{7}|={7}|>{7})(\s|$)")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """One version of a module: its text and its syntax tree."""

    file: str
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, text: str, file: str) -> "Module":
        """Parse a module's text.

        Raises:
            CompanionError: the text is not valid Python; the message names the line.
        """
        try:
            return cls(file, text, ast.parse(text))
        except SyntaxError as error:
            raise CompanionError(f"{file}, line {error.lineno}: {describe_syntax(error)}", error.lineno) from None
        except ValueError as error:  # a zero byte
            raise CompanionError(f"{file} is not a text file ({error}); save it as UTF-8 in your editor") from None

    def definition(self, name: str) -> _Definition | None:
        """Return the top-level function or class of that name; the last definition, as in Python itself."""
        found = [node for node in self.tree.body if isinstance(node, _Definition) and node.name == name]
        return found[-1] if found else None

    def digest(self, name: str) -> str:
        """Return a hash of the exercise's code; comments and blank lines do not change it.

        A name that the module does not define gets the hash of the whole module.
        """
        node = self.definition(name) or self.tree
        return hashlib.sha256(ast.dump(node).encode()).hexdigest()[:16]

    def mentions(self, name: str) -> frozenset[str]:
        """Return the names in an exercise's code and in the definitions of this module that it uses."""
        found: set[str] = set()
        wanted = [name]
        while wanted:
            node = self.definition(wanted.pop())
            names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} if node else set()
            wanted += names - found
            found |= names
        return frozenset(found)

    def lines(self, name: str) -> tuple[int, int] | None:
        """Return an exercise's first line, decorators included, and the line after its end; counted from 0."""
        node = self.definition(name)
        if node is None:
            return None
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return first - 1, node.end_lineno or node.lineno

    def docstring_lines(self) -> frozenset[int]:
        """Return the lines of all docstrings, counted from 0; a docstring that is a whole body stays."""
        found: set[int] = set()
        for node in ast.walk(self.tree):
            if (
                isinstance(node, _Definition)
                and len(node.body) > 1
                and ast.get_docstring(node, clean=False) is not None
            ):
                first, second = node.body[:2]
                if second.lineno > (first.end_lineno or first.lineno):
                    found.update(range(first.lineno - 1, first.end_lineno or first.lineno))
        return frozenset(found)


def describe_syntax(error: SyntaxError) -> str:
    """Return what is wrong with the line; a line that git left after a merge is named as such."""
    shown = (error.text or "").strip()
    if _MERGE_MARKER.match(error.text or ""):
        return f"git left the merge marker `{shown}`: keep one of the two versions, and remove all three markers"
    return error.msg + (f": {shown}" if shown else "")


def put_back(module: Module, stub: Module, name: str) -> str:
    """Return the module's text with the stub of one exercise restored.

    Raises:
        CompanionError: the exercise is not a function or class of this stage.
    """
    in_stub = stub.lines(name)
    if in_stub is None:
        raise CompanionError(f"`{name}` is not a function or class in {module.file}; there is nothing to reset")
    original = _lines(stub.text)[slice(*in_stub)]
    lines = _lines(module.text)
    in_module = module.lines(name)
    if in_module is None:  # the student removed it: append it
        ending = "" if not lines or lines[-1].endswith("\n") else "\n"
        return "".join([*lines, ending, "\n\n", *original])
    return "".join([*lines[: in_module[0]], *original, *lines[in_module[1] :]])


def _lines(text: str) -> list[str]:
    """Split a text into the lines that Python counts; ``splitlines`` also splits at a form feed or U+2028."""
    return io.StringIO(text).readlines()
