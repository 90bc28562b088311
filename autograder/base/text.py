"""Safe display of text that students control, in a terminal, a log or a page."""

import unicodedata

# Characters that are invisible or that control a terminal: control characters, invisible formatting (bidi overrides,
# zero-width characters), surrogates, private use, unassigned, line and paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_STACKED = frozenset({"Mn", "Me"})
# Some scripts put three marks on one letter; higher stacks cover the lines above and below.
_MOST_STACKED = 3


def is_invisible(character: str) -> bool:
    """Whether a character is invisible or controls a terminal."""
    return unicodedata.category(character) in _INVISIBLE


def printable(text: str, limit: int) -> str:
    r"""Convert text to one line of at most ``limit`` visible characters.

    Tabs become four spaces; invisible characters, including line ends, become escapes such
    as ``\x1b`` or ``\u202e``. A truncated text ends in ``…``. The result is not escaped for HTML, Markdown or
    workflow commands; the caller that renders these must escape it.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    length = stacked = 0
    for character in text:
        category = unicodedata.category(character)
        stacked = stacked + 1 if category in _STACKED else 0
        piece = _shown(character, escape=category in _INVISIBLE or stacked > _MOST_STACKED)
        length += len(piece)
        if length > limit:
            return "".join(shown)[: max(limit - 1, 0)] + "…"[:limit]
        shown.append(piece)
    return "".join(shown)


def _shown(character: str, *, escape: bool) -> str:
    if character == "\t":
        return "    "
    return character.encode("unicode_escape").decode("ascii") if escape else character
