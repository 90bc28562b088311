"""Text from submissions made safe to show: nothing hidden in it, nothing that a terminal or a log obeys."""

import re
import unicodedata
from collections.abc import Iterator

LONGEST_LINE = 400
_MOST_MARKS = 8  # accents stacked on one letter; no script needs more, and a pile covers its neighbours

# GitHub's runner obeys a line that starts with `::` and `##[` anywhere in a line.
_COMMAND = re.compile(r":(?=:)|##(?=\[)")
_ZERO_WIDTH_SPACE = "\u200b"
_CODE = re.compile(r"`([^`\n]+)`")


def visible(text: str) -> str:
    """Write every character that is invisible, or that reorders or overprints its neighbours, as ``⟨U+202E⟩``.

    Line feeds and tabs stay.
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_visible_characters(text))


def one_line(text: str) -> str:
    """The same on one line, cut where it is longer than any message of ours."""
    line = " ".join(visible(text[: 2 * LONGEST_LINE]).split())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def log_line(text: str) -> str:
    """``one_line`` for output that a build log may hold: no part of it reads as a command to the runner."""
    return _COMMAND.sub(lambda match: match.group() + _ZERO_WIDTH_SPACE, one_line(text))


def code_parts(text: str) -> Iterator[tuple[str, bool]]:
    """Split a message at its `` `code` ``: pairs of text and whether it is code; empty parts are left out."""
    for index, part in enumerate(_CODE.split(text)):
        if part:
            yield part, index % 2 == 1


def _visible_characters(text: str) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if (character.isprintable() and marks <= _MOST_MARKS) or character in "\n\t":
            yield character
        else:
            yield f"⟨U+{ord(character):04X}⟩"
