"""Text from submissions in the forms that reports need: on one line, in a build log, in a source listing."""

import re
import sys
from collections.abc import Iterator

from autograder.base.text import printable

LONGEST_LINE = 400
ZERO_WIDTH_SPACE = "\u200b"

# GitHub's runner obeys a line that starts with `::` and `##[` anywhere in a line.
_COMMAND = re.compile(r":(?=:)|##(?=\[)")
_CODE = re.compile(r"(?<!`)`([^`\s](?:[^`\n]*[^`\s])?)`(?!`)")


def visible(line: str) -> str:
    """A line of source at its full length, its tabs kept, every other character visible."""
    if line.isascii() and line.isprintable():
        return line
    return "\t".join(printable(part, sys.maxsize) for part in line.split("\t"))


def one_line(text: str) -> str:
    """A message on one line, cut where it is longer than any of ours."""
    return printable(" ".join(text.split()), LONGEST_LINE)


def log_line(text: str) -> str:
    """``one_line`` for output that a build log may hold: no part of it reads as a command to the runner."""
    return _COMMAND.sub(lambda match: match.group() + ZERO_WIDTH_SPACE, one_line(text))


def code_parts(text: str) -> Iterator[tuple[str, bool]]:
    """Split a message at its `` `code` ``: pairs of text and whether it is code; empty parts are left out."""
    for index, part in enumerate(_CODE.split(text)):
        if part:
            yield part, index % 2 == 1
