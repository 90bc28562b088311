"""Reads a class's roster, and joins what platforms and repositories call its students."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autograder.intake.refusals import IntakeError, shown
from autograder.intake.students import known_id

_LOGINS = ("login", "student", "student_id", "username", "user", "id", "name")
_REPOSITORIES = ("repository", "repo", "url")
_NUMBERS = ("canvas_id", "moodle_id", "number")
_COLUMNS = ("last_name", "first_name", "email")
_PLACE = "{login}"


@dataclass(frozen=True)
class Roster:
    """The students of a class, and the names under which their work arrives.

    Attributes:
        students: The ids of all students, in the order of the file.
        aliases: Name, id or repository → the student's id.
        numbers: A platform's number of the student → the student's id.
        letters: The letters of a student's name, in each order of its words → the ids of the students with that name.
        pattern: Names of folders and archives, with a group for the login.
        people: The student's id → ``last_name``, ``first_name`` and ``email``, as far as the file has them.
    """

    students: tuple[str, ...]
    aliases: Mapping[str, str]
    numbers: Mapping[str, str] = field(default_factory=dict)
    letters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None
    people: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[str]) -> "Roster":
        """The roster of these names or ids."""
        listed = tuple(names)
        return cls(tuple(map(known_id, listed)), {alias: known_id(name) for name in listed for alias in _own(name)})

    def student(self, name: str, own_id: str, *, is_download: bool = False) -> str | None:
        """The id of the student whose work has this name; None if no student, or more than one, has it.

        Args:
            name: The name of the folder or archive, or the platform's name of the student and its number.
            own_id: The id that the name has without a roster.
            is_download: Whether a platform wrote the name.
        """
        for alias in (name, own_id, *self._by_pattern(name)):
            if (found := self.aliases.get(alias)) is not None:
                return found
        if not is_download:
            return None
        words, _, number = name.rpartition("_")
        if number in self.numbers:
            return self.numbers[number]
        same = self.letters.get(_letters(words), ())
        return same[0] if len(same) == 1 else None

    def __contains__(self, name: object) -> bool:
        """Whether a folder or archive of this name is a student's."""
        return isinstance(name, str) and self.student(name, name) is not None

    def _by_pattern(self, name: str) -> Iterator[str]:
        match = self.pattern.fullmatch(name) if self.pattern is not None else None
        if match is not None:
            yield match["login"]


def read_roster(path: Path, names: str | None = None) -> Roster:
    """Read a roster: one id or name a line, or a CSV file.

    The columns of the CSV file are ``login``, ``name`` (or ``first_name`` and ``last_name``), ``repository``,
    ``email``, ``canvas_id`` and ``moodle_id``; only the first is required.

    Args:
        path: The file.
        names: How folders or archives are named: ``transformers-lab-{login}``.

    Raises:
        IntakeError: The file cannot be read or lists no student, a student twice, or one name for two students.
    """
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise IntakeError(f"{path} cannot be read as a roster: {error}; save it as a CSV file in UTF-8") from None
    rows = [[cell.strip() for cell in row] for row in rows if row and any(cell.strip() for cell in row)]
    header = [_heading(cell) for cell in rows[0]] if rows else []
    if not set(header) & set(_LOGINS):
        header, body = [_LOGINS[0]], rows
    else:
        body = rows[1:]
    people = [dict(zip(header, row, strict=False)) for row in body]
    key = next(name for name in _LOGINS if name in header)
    people = [person for person in people if person.get(key)]
    if not people:
        raise IntakeError(f"{path} lists no student; write one id a line, or in the first column of a CSV file")
    return _joined(path, people, key, _pattern(names))


def _joined(path: Path, people: list[dict[str, str]], key: str, pattern: re.Pattern[str] | None) -> Roster:
    aliases: dict[str, str] = {}
    numbers: dict[str, str] = {}
    letters: dict[str, tuple[str, ...]] = {}
    for person in people:
        student = known_id(person[key])
        own = [(aliases, alias) for alias in (*_own(person[key]), *_repositories(person))]
        own += [(numbers, person[column]) for column in _NUMBERS if person.get(column)]
        for table, alias in own:
            if table.setdefault(alias, student) != student:
                raise IntakeError(f"{path}: {shown(alias)} is both {shown(table[alias])} and {shown(student)}")
        for name in _names(person) if key != "name" else ():
            letters[name] = tuple(dict.fromkeys((*letters.get(name, ()), student)))
    students = tuple(known_id(person[key]) for person in people)
    if len(set(students)) < len(students):
        twice = next(student for student in students if students.count(student) > 1)
        raise IntakeError(f"{path} lists {shown(twice)} twice; keep one line")
    return Roster(students, aliases, numbers, letters, pattern, dict(zip(students, map(_person, people), strict=True)))


def _own(name: str) -> tuple[str, str]:
    return name, known_id(name)


def _repositories(person: Mapping[str, str]) -> Iterator[str]:
    for column in _REPOSITORIES:
        if person.get(column):
            yield person[column].rstrip("/").rpartition("/")[2].removesuffix(".git")


def _names(person: Mapping[str, str]) -> Iterator[str]:
    """The letters of the student's name with its words in each rotation: Canvas writes the last name first."""
    parts = (person.get("first_name", ""), person.get("last_name", ""))
    words = " ".join(filter(None, (person.get("name", "").replace(",", " ") or " ".join(parts),))).split()
    for index in range(len(words)):
        yield _letters(" ".join([*words[index:], *words[:index]]))


def _person(person: Mapping[str, str]) -> dict[str, str]:
    """What the gradebook can hold about a student, without empty values."""
    last, comma, first = person.get("name", "").partition(",")
    if not comma:
        first, _, last = last.rpartition(" ")
    names = {"last_name": last.strip(), "first_name": first.strip()} if "last_name" not in person else {}
    known = {**names, **{name: person[name] for name in _COLUMNS if name in person}}
    return {name: value for name, value in known.items() if value}


def _letters(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in plain if character.isalnum())


def _heading(cell: str) -> str:
    return cell.casefold().replace("-", "").replace(" ", "_")


def _pattern(names: str | None) -> re.Pattern[str] | None:
    if names is None:
        return None
    if names.count(_PLACE) != 1:
        raise IntakeError(f"--names: `{shown(names)}` must contain {_PLACE} once, as in transformers-lab-{_PLACE}")
    before, after = names.split(_PLACE)
    return re.compile(f"{re.escape(before)}(?P<login>.+){re.escape(after)}")
