"""What a submission uses of its own earlier modules besides their exercises.

Where an earlier module did not pass, the course's stands in for it. That module has the exercises only. A submission
that imports a helper of its own from there keeps its module, and the course's exercises replace those in it.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence


def with_helpers(
    modules: Mapping[str, str], own: Mapping[str, str], exercises: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return the modules on which a submission runs: an earlier module of its own where it needs a helper of that.

    Args:
        modules: Module name → source text; the course's where the submission's did not pass.
        own: The submission's sources of modules for which the course's stand in.
        exercises: Module name → its exercises.

    Returns:
        Module name → source text. Where the submission's own module is used, its exercises come from the course's
        module, which is there under another name. ``modules``, if nothing else than exercises is imported.
    """
    chosen = dict(modules)
    undecided = {name: tree for name, source in own.items() if (tree := _parsed(source)) is not None}
    reading = [tree for source in modules.values() if (tree := _parsed(source)) is not None]
    while reading:
        imported = set(_imports(reading.pop()))
        for name, tree in list(undecided.items()):
            helpers = _defined(tree).difference(exercises.get(name, ()))
            if any(module == name and taken in helpers for module, taken in imported):
                course = _free_name(f"{name}_of_the_course", chosen)
                chosen |= {course: modules[name], name: _merged(own[name], tree, course, exercises.get(name, ()))}
                reading.append(undecided.pop(name))
    return chosen


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each module and a name that may be taken from it; after ``import *``, every name in the text."""
    aliases: dict[str, str] = {}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield from ((node.module, name) for name in (names if alias.name == "*" else [alias.name]))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield aliases[node.value.id], node.attr


def _defined(tree: ast.Module) -> set[str]:
    """The names that a module defines; a name inside a function may be among them."""
    scopes = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    return scopes | {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _free_name(name: str, taken: Iterable[str]) -> str:
    return name if name not in set(taken) else _free_name(f"{name}_", taken)


def _merged(source: str, tree: ast.Module, course: str, exercises: Sequence[str]) -> str:
    """The source with an import in place of each exercise; all other lines stay where they are."""
    lines = source.split("\n")
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in exercises:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            assert node.end_lineno is not None
            lines[first - 1 : node.end_lineno] = [""] * (node.end_lineno - first + 1)
            lines[first - 1] = f"from {course} import {node.name}"
    return "\n".join([*lines, f"from {course} import {', '.join(exercises)}" if exercises else "", ""])
