"""What the text of a module says about it: definitions, lines with code and imports.

A worker reads it from the text before it loads the module: no student code has run by then, so the outline is true.
"""

import ast
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

# Reports locate errors in files up to these sizes. A program chooses the line in which it raises, so a line tells as
# much about an input as the file has lines with code; the same holds for the names in its imports.
MOST_CODE_LINES = 600
MOST_IMPORTED_NAMES = 64
_MOST_CHARACTERS = 500_000
_MOST_DEFINITIONS = 1000
_LONGEST_NAME = 100

# The parts of a statement that hold other statements.
_PARTS = ("body", "handlers", "cases", "orelse", "finalbody")
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Parameters(msgspec.Struct, frozen=True):
    """The parameters of a function.

    Attributes:
        names: Their names, in order.
        required: The names of those without a default.
        any_others: Whether the function takes others too, with ``*args`` or ``**kwargs``.
    """

    names: tuple[str, ...]
    required: tuple[str, ...]
    any_others: bool


class Outline(msgspec.Struct, frozen=True):
    """The outline of a module.

    Attributes:
        definitions: The line where each function, class and method begins; methods have dotted names.
        parameters: The parameters of each function and method.
        statements: First line, last line and function of each statement without the statements in it; ``<module>``
            outside functions. Empty if the file has more than ``MOST_CODE_LINES`` lines with code.
        imports: The names in each import statement, in parts as well; empty beyond ``MOST_IMPORTED_NAMES``.
        syntax_error: The line of the syntax error; None if there is none.
    """

    definitions: dict[str, int] = {}
    parameters: dict[str, Parameters] = {}
    statements: tuple[tuple[int, int, str], ...] = ()
    imports: tuple[tuple[str, ...], ...] = ()
    syntax_error: int | None = None


def outline(source: str) -> Outline:
    """Read the outline of a module; it is empty if the text is too long, or too deeply nested to be parsed."""
    if len(source) > _MOST_CHARACTERS:
        return Outline()
    try:
        tree = ast.parse(source)
        compile(tree, "<outline>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return Outline(syntax_error=error.lineno)
    except (ValueError, RecursionError, MemoryError):
        return Outline()
    statements = [(first, last, name[:_LONGEST_NAME]) for first, last, name in _statements(tree)]
    lines = sum(last - first + 1 for first, last, _ in statements)
    definitions = list(_definitions(tree.body, ""))[:_MOST_DEFINITIONS]
    imports = [tuple(_imported_names(node)) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return Outline(
        definitions={name: node.lineno for name, node in definitions},
        parameters={name: _parameters(node.args) for name, node in definitions if not isinstance(node, ast.ClassDef)},
        statements=tuple(statements) if lines <= MOST_CODE_LINES else (),
        imports=tuple(imports) if sum(map(len, imports)) <= MOST_IMPORTED_NAMES else (),
    )


def _definitions(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, _Scope]]:
    for node in body:
        if isinstance(node, _Scope):
            yield (prefix + node.name)[:_LONGEST_NAME], node
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, f"{prefix}{node.name}.")


def _parameters(args: ast.arguments) -> Parameters:
    by_place = [*args.posonlyargs, *args.args]
    by_name = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    required = by_place[: len(by_place) - len(args.defaults)] + [arg for arg, default in by_name if default is None]
    return Parameters(
        names=tuple(arg.arg[:_LONGEST_NAME] for arg in (*by_place, *args.kwonlyargs)),
        required=tuple(arg.arg[:_LONGEST_NAME] for arg in required),
        any_others=args.vararg is not None or args.kwarg is not None,
    )


def _statements(tree: ast.Module) -> Iterator[tuple[int, int, str]]:
    """First line, last line and function of each statement, docstrings left out; of a block, only its head."""
    waiting: list[tuple[ast.AST, str]] = [(node, "<module>") for node in tree.body]
    while waiting:
        node, function = waiting.pop()
        inside = [part for name in _PARTS for part in getattr(node, name, ())]
        if isinstance(node, _Scope):
            yield node.lineno, node.lineno, node.name  # where Python locates an error on entry
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield _first_line(node), _last_line(node, inside), function
        waiting += [(part, node.name if isinstance(node, _Scope) else function) for part in inside]


def _first_line(node: Any) -> int:
    line: int = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
    lines: list[int] = [line, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))]
    return min(lines)


def _last_line(node: Any, inside: Sequence[ast.AST]) -> int:
    """The last line of the node without the statements in it."""
    if inside:
        return max(_first_line(node), min(map(_first_line, inside)) - 1)
    line: int = node.end_lineno
    return line


def _imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    names = {*modules, *(part for module in modules for part in module.split("."))}
    if isinstance(node, ast.ImportFrom):
        names |= {alias.name for alias in node.names}
    yield from sorted(name[:_LONGEST_NAME] for name in names if name)
