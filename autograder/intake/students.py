"""Names of folders and archives → student ids that are safe in paths, command lines and gradebooks."""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

# In bytes of UTF-8: a file name may have 255 bytes, and suffixes are appended.
_LONGEST = 120
_ALLOWED = frozenset("._-@+")
# Names that Windows reserves for devices, with any suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def student_ids(names: Iterable[str]) -> Mapping[str, str]:
    """Map each name to a unique student id.

    Letters, accents and digits of any script, ``.``, ``_``, ``-``, ``@`` and ``+`` are kept. If the ids of
    several names are equal, or differ only in case, all but one get a suffix derived from the name. A name that
    needs no change keeps its id.
    """
    by_id: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names), key=lambda name: (safe_id(name) != name, name)):
        by_id[safe_id(name).casefold()].append(name)
    ids = {}
    for same in by_id.values():
        for index, name in enumerate(same):
            ids[name] = safe_id(name) if index == 0 else f"{_cut(safe_id(name), _LONGEST - 9)}-{_short_hash(name)}"
    return ids


def safe_id(name: str) -> str:
    """The name with every character replaced that has a special meaning in a path or a shell."""
    kept = "".join(
        character if unicodedata.category(character)[0] in "LMN" or character in _ALLOWED else "_"
        for character in unicodedata.normalize("NFC", name)
    )
    # A leading dot hides a file, a leading dash marks an option, and + and @ begin a formula in a spreadsheet.
    kept = re.sub(r"_+", "_", kept).lstrip("._-@+")
    kept = _cut(kept, _LONGEST).rstrip("._")
    if not kept or _DEVICES.fullmatch(kept):
        return f"student-{_short_hash(name)}"
    return kept


def _cut(text: str, max_bytes: int) -> str:
    return text.encode()[:max_bytes].decode(errors="ignore")


def _short_hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
