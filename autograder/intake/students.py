"""Names of folders and archives → student ids: safe as file names, on a command line and in a gradebook."""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

# Bytes of UTF-8: a file name may have 255, and gets suffixes.
_LONGEST = 120
_ALLOWED = frozenset("._-@+")
# Names that Windows gives to devices, whatever their suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def student_ids(names: Iterable[str]) -> Mapping[str, str]:
    """A student id for each of the names, no two the same.

    Letters, accents and digits of any script, ``.``, ``_``, ``-``, ``@`` and ``+`` stay. Names that come
    out the same, or differ in case only, get a suffix made from the name itself; the one that needed
    no change keeps it.
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
    """The name with everything replaced that a file name or a shell could take for something else."""
    kept = "".join(
        character if unicodedata.category(character)[0] in "LMN" or character in _ALLOWED else "_"
        for character in unicodedata.normalize("NFC", name)
    )
    # A dot in front hides a file, a dash makes an option of it, and a spreadsheet takes + and @ for formulas.
    kept = re.sub(r"_+", "_", kept).lstrip("._-@+")
    kept = _cut(kept, _LONGEST).rstrip("._")
    if not kept or _DEVICES.fullmatch(kept):
        return f"student-{_short_hash(name)}"
    return kept


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


def _short_hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
