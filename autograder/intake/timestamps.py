"""Reads the time of a hand-in from nbgrader's time stamp."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from autograder.intake.submission import RefusedError
from autograder.intake.tree import Tree

# nbgrader writes this file beside the notebook when it collects submissions: `2026-03-01 11:58:03.120000 UTC`.
STAMP = "timestamp.txt"
_LONGEST_STAMP = 200
_ZONED = re.compile(r"(.*\d)\s*(Z|[+-]\d\d:?\d\d|[A-Za-z][\w/+-]*)")


def stamped(tree: Tree, folder: str) -> datetime | None:
    """The time in nbgrader's ``timestamp.txt`` in a folder of the tree; None if it is missing or unreadable."""
    entry = tree.get(f"{folder}/{STAMP}" if folder else STAMP)
    if entry is None:
        return None
    try:
        return parse_stamp(entry.read(_LONGEST_STAMP).decode("ascii"))
    except (RefusedError, UnicodeDecodeError):
        return None


def parse_stamp(text: str) -> datetime | None:
    """Parse a time in nbgrader's format; without a zone it is UTC, as in nbgrader."""
    text = text.strip()
    zoned = _ZONED.fullmatch(text)
    moment, zone = (zoned[1], zoned[2]) if zoned else (text, "UTC")
    try:
        if zone[0] in "+-" or zone == "Z":
            return datetime.fromisoformat(moment + zone)
        return datetime.fromisoformat(moment).replace(tzinfo=UTC if zone in ("UTC", "GMT") else ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return None
