"""Text that students control, made fit for a terminal, a log or a page."""

import unicodedata

# What a reader cannot see or a terminal obeys: controls, invisible formatting (bidi overrides,
# zero-width characters), surrogates, private use, unassigned, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_STACKED = frozenset({"Mn", "Me"})
# Some scripts put three marks on one letter; towers of them cover the lines around.
_MOST_STACKED = 3


def printable(text: str, limit: int) -> str:
    r"""One line of at most ``limit`` characters, each of them visible.

    Tabs become four spaces; what cannot be seen, line ends included, is written as an escape such
    as ``\x1b`` or ``\u202e``. What is cut off is marked with ``…``. HTML, Markdown and workflow commands
    have rules of their own: whoever renders them escapes for them afterwards.
    """
    shown: list[str] = []
    length = stacked = 0
    for character in text:
        category = unicodedata.category(character)
        stacked = stacked + 1 if category in _STACKED else 0
        piece = _shown(character, unseen=category in _UNSEEN or stacked > _MOST_STACKED)
        length += len(piece)
        if length > limit:
            return "".join(shown)[: max(limit - 1, 0)] + "…"[:limit]
        shown.append(piece)
    return "".join(shown)


def _shown(character: str, *, unseen: bool) -> str:
    if character == "\t":
        return "    "
    return character.encode("unicode_escape").decode("ascii") if unseen else character
