"""The lines of a module that a student wrote: without the released stub, docstrings, imports and comments.

The text is tokenized and never parsed, because hostile text can crash a parser.
"""

import io
import tokenize

import msgspec

_BLANK = {tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT}


class OwnLine(msgspec.Struct, frozen=True):
    """A line of a module, from 1, and the top-level function or class that it belongs to."""

    number: int
    text: str
    function: str


def own_lines(source: str, stub: str) -> list[OwnLine]:
    """Return the student's own lines; runs in the limited process for students' sources.

    Args:
        source: the student's module.
        stub: the module as it was released; a statement that it holds is not the student's.

    Raises:
        TokenError, SyntaxError: the text is not Python.
    """
    released = {words for words, _, _, _ in _statements(stub)}
    lines = source.split("\n")
    kept: list[OwnLine] = []
    for words, first, last, function in _statements(source):
        if words in released or words[0] in ("import", "from"):
            continue
        for number in range(first, last + 1):
            text = lines[number - 1].split("  #")[0].rstrip()
            if text.strip() and not text.lstrip().startswith("#"):
                kept.append(OwnLine(number, text, function))
    return kept


def _statements(source: str) -> list[tuple[tuple[str, ...], int, int, str]]:
    """The words, first line, last line and top-level definition of each statement that is not a docstring."""
    found: list[tuple[tuple[str, ...], int, int, str]] = []
    line: list[tokenize.TokenInfo] = []
    function = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (tokenize.NEWLINE, *_BLANK):
            line.append(token)
        if token.type != tokenize.NEWLINE or not line:
            continue
        words = tuple(part.string for part in line)
        if line[0].start[1] == 0:
            function = words[1] if words[0] in ("def", "class") and len(words) > 1 else ""
        if any(part.type != tokenize.STRING for part in line):
            found.append((words, line[0].start[0], line[-1].end[0], function))
        line.clear()
    return found
