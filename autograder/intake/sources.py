"""Checks the bytes of a source file before any other step uses them.

A file with a syntax error is accepted: the judge reports the error with its line. The text is not parsed here.
"""

import codecs
import re
import unicodedata
from itertools import groupby

from autograder.intake.limited import limited
from autograder.intake.refusals import RefusalReason, RefusedError, shown, too_large
from autograder.intake.special_files import refuse_documents, refuse_unusable_text

LARGEST_FILE = 256 * 1024
LONGEST_LINE = 5000

# PEP 263. Python ignores the declaration in a decoded text, so it could only mislead a reader.
_DECLARED_ENCODING = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK_OR_COMMENT = re.compile(r"[ \t\f]*(#.*)?$")
_UTF_8 = frozenset({"utf-8", "utf-8-sig", "ascii"})
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, because it begins with UTF-16's mark
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_MOST_LINES = 5
_MOST_KINDS = 10


def check_source(raw: bytes, file: str) -> tuple[str, tuple[str, ...]]:
    r"""Return the text of a source file with ``\n`` line ends, and notes for the instructor.

    Raises:
        RefusedError: The file is too large, is not UTF-8, has a line that is too long, or is not a module at all.
    """
    if len(raw) > LARGEST_FILE:
        refuse_documents(raw, file)
        raise too_large(file, LARGEST_FILE)
    file = shown(file)
    return limited(file, checked_text, raw, file)


def checked_text(raw: bytes, file: str) -> tuple[str, tuple[str, ...]]:
    """Check the bytes of a source file; runs in the limited process."""
    refuse_documents(raw, file)
    text = _decode(raw, file).replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            what = f"has {len(line)} characters in line {number}; split the line: the limit is {LONGEST_LINE}"
            raise RefusedError(RefusalReason.LONG_LINE, file, what)
    _refuse_other_encoding(lines, file)
    refuse_unusable_text(text, file)
    return text, tuple(_invisible(lines, file))


def _decode(raw: bytes, file: str) -> str:
    for mark, name in _BYTE_ORDER_MARKS.items():
        if raw.startswith(mark):
            raise _not_text(file, f"is saved as {name}")
    zero = raw.find(b"\0")
    if zero >= 0:
        is_utf_16 = raw.count(b"\0") * 3 > len(raw)
        raise _not_text(file, "is saved as UTF-16" if is_utf_16 else f"contains a zero byte in line {_line(raw, zero)}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_text(file, f"is not saved as UTF-8 (see line {_line(raw, error.start)})") from None


def _not_text(file: str, what: str) -> RefusedError:
    return RefusedError(RefusalReason.NOT_TEXT, file, f"{what}; save it as UTF-8 in your editor and hand it in again")


def _line(raw: bytes, position: int) -> int:
    before = raw[:position].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return before.count(b"\n") + 1


def _refuse_other_encoding(lines: list[str], file: str) -> None:
    for number, line in enumerate(lines[:2], 1):
        declared = _DECLARED_ENCODING.match(line)
        if declared is not None and _codec(declared[1]) not in _UTF_8:
            raise _not_text(file, f"declares the encoding {declared[1][:40]} in line {number}; remove that line")
        if not _BLANK_OR_COMMENT.match(line):
            return


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return name


def _invisible(lines: list[str], file: str) -> list[str]:
    """Notes on characters that are invisible or that reorder the displayed text, with their lines."""
    occurrences = [
        (f"U+{ord(character):04X} {unicodedata.name(character, 'control')}", number)
        for number, line in enumerate(lines, 1)
        if not (line.isascii() and line.replace("\t", "").isprintable())
        for character in sorted(set(line) - {"\t", "\f"})
        if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp")
    ]
    notes = []
    for name, group in groupby(sorted(occurrences), key=lambda pair: pair[0]):
        numbers = [str(number) for _, number in group]
        more = ", …" if len(numbers) > _MOST_LINES else ""
        notes.append(f"{shown(file)} contains {name} in line {', '.join(numbers[:_MOST_LINES])}{more}")
    hidden = len(notes) - _MOST_KINDS
    if hidden <= 0:
        return notes
    return [*notes[:_MOST_KINDS], f"{shown(file)} contains {hidden} more kinds of such characters"]
