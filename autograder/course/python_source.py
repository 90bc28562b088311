"""Parses Python, in one thread at a time."""

import ast
import threading

# CPython counts the depth of all syntax trees that are being built in one place (python/cpython#106905): where two
# threads parse at the same time, one of them can get a SystemError.
_PARSING = threading.Lock()


def parse_python(source: str | bytes) -> ast.Module:
    """Parse a module as ``ast.parse`` does; several threads may call this.

    Raises:
        SyntaxError, ValueError: as for ``ast.parse``.
    """
    with _PARSING:
        return ast.parse(source)


def parse_expression(source: str) -> ast.expr:
    """Parse an expression; several threads may call this.

    Raises:
        SyntaxError, ValueError: as for ``ast.parse``.
    """
    with _PARSING:
        return ast.parse(source, mode="eval").body
