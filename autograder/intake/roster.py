"""Reads the ids of a class's students from a file."""

import csv
import io
from pathlib import Path

from autograder.intake.refusals import IntakeError

_HEADINGS = frozenset({"student", "student_id", "id", "username", "user", "name", "login"})


def read_roster(path: Path) -> frozenset[str]:
    """Read a roster: one id or name a line, or a CSV file with them in its first column.

    Raises:
        IntakeError: The file cannot be read or lists no student.
    """
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise IntakeError(f"{path} cannot be read as a roster: {error}; save it as a CSV file in UTF-8") from None
    names = [row[0].strip() for row in rows if row and row[0].strip()]
    if names and names[0].casefold() in _HEADINGS:
        names = names[1:]
    if not names:
        raise IntakeError(f"{path} lists no student; write one id a line, or in the first column of a CSV file")
    return frozenset(names)
