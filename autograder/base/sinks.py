"""Text from submissions, made safe for a line of a report, a build log or a source listing."""

import re
import sys
from collections.abc import Iterator

from autograder.base.text import printable

LONGEST_LINE = 400
ZERO_WIDTH_SPACE = "\u200b"

# GitHub's runner executes `::` at the start of a line and `##[` anywhere in it.
_COMMAND = re.compile(r":(?=:)|##(?=\[)")
_CODE = re.compile(r"(?<!`)`([^`\s](?:[^`\n]*[^`\s])?)`(?!`)")


def visible(line: str) -> str:
    """A line of source at full length; tabs are kept, every other character is visible."""
    if line.isascii() and line.isprintable():
        return line
    return "\t".join(printable(part, sys.maxsize) for part in line.split("\t"))


def one_line(text: str) -> str:
    """A message on one line, cut at ``LONGEST_LINE`` characters; the grader's own messages are shorter."""
    return printable(" ".join(text.split()), LONGEST_LINE)


def log_line(text: str) -> str:
    """``one_line`` for build logs: no part of the result is a command to the runner."""
    return _COMMAND.sub(lambda match: match.group() + ZERO_WIDTH_SPACE, one_line(text))


def code_parts(text: str) -> Iterator[tuple[str, bool]]:
    """Split a message at its `` `code` `` into pairs of text and whether it is code; empty parts are omitted."""
    for index, part in enumerate(_CODE.split(text)):
        if part:
            yield part, index % 2 == 1
