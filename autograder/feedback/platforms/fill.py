"""Fill the points of a class into the grade file of a platform: find the row of each student."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from autograder.feedback.platforms import PlatformFileError, number
from autograder.feedback.platforms.csv_file import CsvFile
from autograder.integrations.grades import Grade
from autograder.integrations.totals import Total

# The end of an id that intake made from a platform's export: the platform's own number or login.
_KEY = re.compile(r"_([^_]+)$")


@dataclass
class Filled:
    """What was filled into a file.

    Attributes:
        cells: number of cells that were written.
        unknown: students with points whom the file does not list.
        notes: what the instructor should compare, one line each.
    """

    cells: int = 0
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def student_rows(rows: Iterable[tuple[int, Sequence[str]]], students: Iterable[str], file: CsvFile) -> dict[str, int]:
    """Return the row of each student that the file lists.

    A student's id is looked up first as a whole, then by the number or login at its end, without regard to case.

    Args:
        rows: index of a row and the names by which the platform knows its student, the most reliable first.
        students: ids of students.
        file: the file, for messages.

    Raises:
        PlatformFileError: two students belong to one row, or two rows to one student.
    """
    known: dict[str, set[int]] = defaultdict(set)
    for index, names in rows:
        for name in filter(None, (name.strip().casefold() for name in names)):
            known[name].add(index)
    found: dict[str, int] = {}
    for student in students:
        end = _KEY.search(student)
        keys = [student.casefold(), *([end[1].casefold()] if end else [])]
        matches = next((known[key] for key in keys if key in known), set())
        if len(matches) > 1:
            lines = ", ".join(str(index + 1) for index in sorted(matches))
            raise PlatformFileError(
                f"{file.path}: the student {student} fits the rows {lines}; remove all but one of them"
            )
        if matches:
            found[student] = min(matches)
    _refuse_shared(found, file)
    return found


def _refuse_shared(found: Mapping[str, int], file: CsvFile) -> None:
    owners: dict[int, list[str]] = defaultdict(list)
    for student, index in found.items():
        owners[index].append(student)
    for index, students in owners.items():
        if len(students) > 1:
            names = ", ".join(students)
            raise PlatformFileError(
                f"{file.path}:{index + 1}: {names} are one student there. Grade the class from one source of hand-ins"
            )


def fill_column(
    file: CsvFile,
    column: int,
    grades: Mapping[str, Grade | Total],
    rows: Mapping[str, int],
    on_filled: Callable[[list[str]], None] = lambda row: None,
) -> Filled:
    """Write each student's points into a column; a cell without points stays as it is.

    Args:
        file: the file to change.
        column: the index of the column.
        grades: student → grade of a stage, or total.
        rows: student → index of the row.
        on_filled: called with each row that got points.
    """
    filled = Filled()
    waiting = 0
    for student, grade in grades.items():
        if grade.points is None:
            continue
        if student not in rows:
            filled.unknown.append(student)
            continue
        row = file.rows[rows[student]]
        row[column] = number(grade.points)
        on_filled(row)
        filled.cells += 1
        waiting += grade.waits
    if waiting:
        filled.notes.append(f"{file.headings[column]}: {waiting} of these grades still wait for points by hand")
    return filled
