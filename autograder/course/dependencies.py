"""Which definitions of a module of the course use which others, computed from its source.

A definition is a top-level function, class or variable. A use is its name anywhere in another definition; a local
variable of the same name counts as well, so name local variables of the course's modules differently.
"""

import ast
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from autograder.course.python_source import parse_python


@dataclass(frozen=True)
class _Statement:
    """A top-level statement: the names that it defines, and all names in it."""

    node: ast.stmt
    defines: frozenset[str]
    uses: frozenset[str]


def builds_on(source: str, exercises: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return for each exercise the other exercises that it uses, directly or indirectly, in the given order."""
    statements = _statements(source)
    names = tuple(exercises)
    return {
        name: tuple(other for other in names if other != name and other in _needed(statements, [name]))
        for name in names
    }


def helpers_of(source: str, names: Collection[str], exercises: Collection[str]) -> frozenset[str]:
    """Return the names that these exercises use, directly or through others, but not through another exercise."""
    others = set(exercises) - set(names)
    statements = [statement for statement in _statements(source) if not statement.defines & others]
    return frozenset(_needed(statements, names) - others)


def in_dependency_order(dependencies: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Group the exercises into levels: each builds only on exercises of earlier levels, or of a cycle that it is in."""
    left = {name: set(others) for name, others in dependencies.items()}
    levels = []
    while left:
        ready = [name for name, others in left.items() if not others & left.keys()] or list(left)
        levels.append(ready)
        for name in ready:
            del left[name]
    return levels


def extract(source: str, names: Iterable[str]) -> str:
    """Return the source of a module that holds these definitions and those that they use, and nothing else.

    Names that the module does not define are ignored.
    """
    statements = _statements(source)
    needed = _needed(statements, names)
    kept = [statement.node for statement in statements if statement.defines & needed or _is_future(statement.node)]
    return ast.unparse(ast.Module(kept, type_ignores=[]))


def _statements(source: str) -> list[_Statement]:
    return [_statement(node) for node in parse_python(source).body]


def _statement(node: ast.stmt) -> _Statement:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        defines = {node.name}
    elif isinstance(node, ast.Import | ast.ImportFrom):
        defines = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    else:
        defines = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    uses = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} - defines
    return _Statement(node, frozenset(defines), frozenset(uses))


def _needed(statements: Iterable[_Statement], names: Iterable[str]) -> set[str]:
    """The names, and every name that their definitions use, directly or indirectly."""
    uses: dict[str, set[str]] = {}
    for statement in statements:
        for name in statement.defines:
            uses.setdefault(name, set()).update(statement.uses)
    needed: set[str] = set()
    waiting = [name for name in names if name in uses]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += uses.get(name, ())
    return needed


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"
