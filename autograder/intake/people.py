"""Reads the names and e-mail addresses of a class's students from a file."""

import csv
from pathlib import Path

from autograder.intake.refusals import IntakeError

_STUDENT = ("login", "student", "student_id", "id", "username", "user")
_COLUMNS = ("last_name", "first_name", "email")


def read_people(path: Path) -> dict[str, dict[str, str]]:
    """Read a CSV file with a column of ids.

    The column is headed ``login`` or ``student``; others are ``name``, ``first_name``, ``last_name`` and ``email``.

    Returns:
        Student → values of ``last_name``, ``first_name`` and ``email``, without empty values.

    Raises:
        IntakeError: the file cannot be read, or has no column of ids.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [_lower(row) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise IntakeError(
            f"{path} cannot be read as a list of names: {error}; save it as a CSV file in UTF-8"
        ) from None
    key = next((name for name in _STUDENT if rows and name in rows[0]), None)
    if key is None:
        raise IntakeError(f"{path} has no column of ids; its first line must name one of {', '.join(_STUDENT)}")
    return {row[key]: _person(row) for row in rows if row[key]}


def _lower(row: dict[str, str]) -> dict[str, str]:
    cells = {name: value for name, value in row.items() if isinstance(name, str) and isinstance(value, str)}
    return {name.strip().casefold().replace("-", "").replace(" ", "_"): value.strip() for name, value in cells.items()}


def _person(row: dict[str, str]) -> dict[str, str]:
    person = {name: row[name] for name in _COLUMNS if row.get(name)}
    name = row.get("name", "")
    if name and "last_name" not in person:
        last, comma, first = name.partition(",")
        if not comma:
            first, _, last = name.rpartition(" ")
        person |= {"last_name": last.strip(), "first_name": first.strip()}
    return person
