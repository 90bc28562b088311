"""Finds functions and classes of PyTorch that an exercise forbids, such as a ready-made normalisation."""

import ast
from collections.abc import Iterator

from lab.code import Module
from lab.course import Stage


def forbidden_calls(stage: Stage, module: Module) -> Iterator[tuple[int, str]]:
    """Yield a line and a remark for each function or class that an exercise must not use, helpers included."""
    aliases = _aliases(module.tree)
    for exercise in stage.exercises:
        if not exercise.forbid:
            continue
        for name in sorted({exercise.name, *module.mentions(exercise.name)}):
            for line, shown in _uses(module.definition(name), aliases, exercise.forbid).items():
                yield line, f"`{shown}` is not allowed in {exercise.name}: a call fails its checks. Write it yourself"


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Return the full name behind each imported or assigned name: F → torch.nn.functional."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            if full := _full_name(node.value, found):
                found[node.targets[0].id] = full
    return found


def _full_name(node: ast.expr, aliases: dict[str, str]) -> str | None:
    """Return the full name of ``F.gelu`` or ``gelu``; None if it does not begin with an imported name."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := _full_name(node.value, aliases)):
        return f"{owner}.{node.attr}"
    return None


def _uses(definition: ast.AST | None, aliases: dict[str, str], forbid: tuple[str, ...]) -> dict[int, str]:
    """Return line → name as written, for each forbidden function or class in a definition."""
    found: dict[int, str] = {}
    if definition is None:
        return found
    # A function is refused in every module of torch that has it, and as a method of tensors.
    refused = {name.rpartition(".")[2] for name in forbid}
    methods = {name.removeprefix("torch.") for name in forbid if name.count(".") == 1}
    for node in ast.walk(definition):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        full = _full_name(node, aliases)
        if full is not None and full.startswith("torch."):
            is_refused = full.rpartition(".")[2] in refused
        else:
            is_refused = isinstance(node, ast.Attribute) and node.attr in methods and ast.unparse(node.value) != "self"
        if is_refused:
            found.setdefault(node.lineno, ast.unparse(node))
    return found
