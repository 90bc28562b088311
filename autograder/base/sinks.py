r"""Text that students control, made safe for the place where it ends: one function for each kind of output.

===================================  ==========================================================
terminal, build log                  ``log_line``; ``log_text`` for what the console prints
self-contained pages                 ``html_text``, ``html_prose``; ``visible`` for lines of source
Markdown                             ``markdown_prose``, ``markdown_code``
JUnit XML                            ``xml_text``
CSV                                  ``csv_table``, of ``csv_cell``
JSON                                 ``json_text``
nbgrader's pages and notebooks       ``integrations.nbgrader.answer_html``
===================================  ==========================================================
"""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from markupsafe import Markup

from autograder.base.text import is_invisible, printable

LONGEST_LINE = 400
ZERO_WIDTH_SPACE = "\u200b"

# Runners of build services execute `::` at the start of a line, and `##[` or `##name[` anywhere in it.
_COMMAND = re.compile(r":(?=:)|#(?=#)")
_CODE = re.compile(r"(?<!`)`([^`\s](?:[^`\n]*[^`\s])?)`(?!`)")
# Characters with a meaning inside a line of GitHub's Markdown; `:` and the dot of `www.` start links without brackets.
_ACTIVE = re.compile(r"[\\`*_\[\]<>#!~&:@$]|(?<=www)\.", re.IGNORECASE)
# GitHub turns these into notifications and links after rendering Markdown, so Markdown's escapes do not help.
_REFERENCE = re.compile(r"[@#](?=\w)")
# The begin of a formula, also in a spreadsheet that takes another character than the comma as the end of a cell.
_FORMULA = re.compile(r"(?:^|(?<=[;,|\"']))(?=\s*[=+\-@＝＋－＠])")
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


def visible(line: str) -> str:
    """A line of source at full length; tabs are kept, every other character is visible."""
    if line.isascii() and line.isprintable():
        return line
    return "\t".join(printable(part, sys.maxsize) for part in line.split("\t"))


def one_line(text: str) -> str:
    """A message on one line, cut at ``LONGEST_LINE`` characters; the grader's own messages are shorter."""
    return printable(" ".join(text.split()), LONGEST_LINE)


def log_line(text: str) -> str:
    """``one_line`` for terminals and build logs: no part of the result is a command to either."""
    return _without_commands(one_line(text))


def log_text(text: str) -> str:
    """Text for terminals and build logs at full length; line ends are kept."""
    if text.isascii() and text.isprintable():
        return _without_commands(text)
    parts = re.split(f"([\n{ZERO_WIDTH_SPACE}])", text)
    parts[::2] = [printable(part, sys.maxsize) for part in parts[::2]]
    return _without_commands("".join(parts))


def _without_commands(text: str) -> str:
    return _COMMAND.sub(lambda match: match.group() + ZERO_WIDTH_SPACE, text)


def code_parts(text: str) -> Iterator[tuple[str, bool]]:
    """Split a message at its `` `code` `` into pairs of text and whether it is code; empty parts are omitted."""
    for index, part in enumerate(_CODE.split(text)):
        if part:
            yield part, index % 2 == 1


def html_text(value: object) -> object:
    """A value that a page shows, before it is escaped: text becomes visible, ``Markup`` and numbers stay."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value, sys.maxsize)
    return value


def html_prose(text: str) -> Markup:
    """A message as escaped HTML, with its `` `code` `` as ``<code>``."""
    parts = (
        Markup("<code>{}</code>" if is_code else "{}").format(part) for part, is_code in code_parts(one_line(text))
    )
    return Markup("").join(parts)


def markdown_prose(text: str) -> str:
    """A message as Markdown that shows ``text`` literally; only `` `code` `` stays markup."""
    return "".join(_span(part) if is_code else _escape(part) for part, is_code in code_parts(log_line(text)))


def markdown_code(text: str) -> str:
    """A code span that ``text`` cannot leave."""
    return _span(log_line(text))


def _span(line: str) -> str:
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{space}{line}{space}{fence}"


def _escape(text: str) -> str:
    inert = _REFERENCE.sub(lambda match: match.group() + ZERO_WIDTH_SPACE, text)
    return _ACTIVE.sub(r"\\\g<0>", inert)


def xml_text(text: str) -> str:
    """Text of an element or attribute, before it is escaped: only characters that XML allows; no commands to a log."""
    return log_text(text)


def csv_cell(value: object) -> object:
    """A cell of a spreadsheet: an apostrophe before the begin of a formula makes it text. Numbers and dates stay."""
    return _FORMULA.sub("'", printable(value, sys.maxsize)) if isinstance(value, str) else value


def csv_table(rows: Iterable[Iterable[object]]) -> bytes:
    """Rows as a CSV file for a spreadsheet."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([csv_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def json_text(value: Any) -> bytes:
    """A value as JSON whose invisible characters are escapes: a terminal may show it."""
    text = msgspec.json.format(msgspec.json.encode(_encodable(msgspec.to_builtins(value))), indent=1).decode()
    return _NOT_ASCII.sub(_escaped_if_invisible, text).encode() + b"\n"


def _encodable(value: Any) -> Any:
    """Replace what UTF-8 cannot express, halves of characters, in nested data."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, (list, tuple)) else value


def _escaped_if_invisible(match: re.Match[str]) -> str:
    character = match.group()
    return json.dumps(character)[1:-1] if is_invisible(character) else character
