"""Runs a module with some of its definitions replaced by the course's.

So an error in one exercise is not an error in the exercises that build on it.
"""

import __future__

import ast
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

# The file name of the course's definitions in tracebacks; no module of a submission can have it.
REPLACEMENT_FILE = "<replacement>"

Run = Callable[[CodeType, dict[str, Any]], None]  # executes code in a namespace

_FUTURE_FLAGS = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


@dataclass(frozen=True)
class Replacement:
    """Definitions of the course that replace a submission's.

    Attributes:
        names: The functions and classes to replace.
        source: A module of the course that defines them. It holds nothing else that a student could want: the
            submission can read what its functions can reach.
    """

    names: tuple[str, ...]
    source: str

    def definitions(self, run: Run) -> dict[str, Any]:
        """Run the course's module in a namespace of its own, and return name → definition."""
        namespace: dict[str, Any] = {"__name__": "replacement"}
        run(compile(self.source, REPLACEMENT_FILE, "exec", dont_inherit=True), namespace)
        return {name: namespace[name] for name in self.names}


def run_replacing(
    source: str,
    file: str,
    namespace: dict[str, Any],
    replacement: Replacement,
    run: Run,
) -> None:
    """Run a module's source in ``namespace``, and bind each name to its replacement right after its definition.

    So later statements use the replacement: base classes, default values and tables included. A name that no
    top-level ``def`` or ``class`` defines is bound at the end. ``run`` executes each part of the source.

    Raises:
        SyntaxError: As for ``compile``; nothing has run then.
    """
    flags = compile(source, file, "exec", dont_inherit=True).co_flags & _FUTURE_FLAGS
    definitions = replacement.definitions(run)
    body = ast.parse(source, file).body
    start = 0
    for end, node in enumerate(body, start=1):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in definitions:
            run(_compiled(body[start:end], file, flags), namespace)
            namespace[node.name] = definitions[node.name]
            start = end
    run(_compiled(body[start:], file, flags), namespace)
    namespace.update(definitions)


def _compiled(body: list[ast.stmt], file: str, flags: int) -> CodeType:
    code = compile(ast.Module(body, type_ignores=[]), file, "exec", flags=flags, dont_inherit=True)
    assert isinstance(code, CodeType)
    return code
