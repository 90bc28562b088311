"""Names of folders and archives → student ids that are safe in paths, command lines and gradebooks.

An id depends on the name alone, never on who else is there, and different names have different ids.
"""

import hashlib
import re
import unicodedata

# In bytes of UTF-8: a file name may have 255 bytes, and suffixes are appended.
_LONGEST = 120
_ALLOWED = frozenset("._-@+")
# Names that Windows reserves for devices, with any suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MARK_LENGTH = 12
# The end of an id that was made from a name that is not safe.
_MARKED = re.compile(rf"-[0-9a-f]{{{_MARK_LENGTH}}}$")


def student_id(name: str) -> str:
    """The id of the student with this name: the name itself if it is safe, else a readable form with a digest.

    Letters, accents and digits of any script, ``.``, ``_``, ``-``, ``@`` and ``+`` are safe. ``Ann Lee`` and
    ``Ann_Lee`` are two students, as are two Unicode forms of a name.
    """
    safe = readable(name)
    if name and safe == name and not _MARKED.search(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK_LENGTH]
    return f"{_cut(safe, _LONGEST - _MARK_LENGTH - 1).rstrip('._') or 'student'}-{digest}"


def known_id(name: str) -> str:
    """The id of a student whose name or id is known."""
    return name if _MARKED.search(name) else student_id(name)


def readable(name: str) -> str:
    """The name with every character replaced that has a special meaning in a path or a shell; several may be equal."""
    kept = "".join(
        character if unicodedata.category(character)[0] in "LMN" or character in _ALLOWED else "_"
        for character in unicodedata.normalize("NFC", name)
    )
    # A leading dot hides a file, a leading dash marks an option, and + and @ begin a formula in a spreadsheet.
    kept = re.sub(r"_+", "_", kept).lstrip("._-@+")
    kept = _cut(kept, _LONGEST).rstrip("._")
    return "" if _DEVICES.fullmatch(kept) else kept


def _cut(text: str, max_bytes: int) -> str:
    return text.encode()[:max_bytes].decode(errors="ignore")
