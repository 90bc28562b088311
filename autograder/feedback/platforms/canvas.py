"""Canvas: fill the gradebook file that Canvas exported.

Canvas's importer finds a student by ``ID``, then by the SIS ids and the login, and an assignment by the number in
parentheses at the end of its heading. It changes nothing where a cell is as it was. Source: Canvas LMS,
``lib/gradebook_importer.rb``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from autograder.course.config import Config
from autograder.feedback.platforms import PlatformFileError, number
from autograder.feedback.platforms.csv_file import CsvFile
from autograder.feedback.platforms.fill import Filled, fill_column, student_rows
from autograder.integrations.grades import Grade
from autograder.integrations.totals import Total, totals

_LOGINS = ("SIS Login ID", "SIS User ID", "Integration ID", "ID")
_NUMBER = re.compile(r"\s*\(\d+\)$")
# The row with the points possible, and a row about how grades are posted, are not students'.
_POINTS_POSSIBLE = "Points Possible"
_EXCUSED = "EX"


def fill_canvas(
    template: Path, grades: Sequence[Grade], config: Config, columns: Mapping[str, str] = {}
) -> tuple[bytes, Filled]:
    """Fill the points of a class into an exported gradebook, which is then imported again.

    Args:
        template: the file that Canvas exported.
        grades: the grades.
        config: source of the titles of the stages.
        columns: stage, or ``total`` → heading of its column. Without an entry, a stage's column is headed by its id or
            its title, and that of the total by the title of the course.

    Raises:
        PlatformFileError: the file is not a gradebook of Canvas, a heading is missing, or a student is ambiguous.
    """
    file = CsvFile.read(template)
    headings = file.headings
    section = file.column("Section")
    if not headings[0].startswith("Student") or file.column("ID") is None or section is None:
        raise PlatformFileError(
            f"{template} is not a gradebook of Canvas: it needs the columns Student, ID and Section. "
            "In Canvas, open Grades, choose Export, then Export Entire Gradebook"
        )
    logins = [index for name in _LOGINS if (index := file.column(name)) is not None]
    entries = [
        (index, [row[login] for login in logins]) for index, row in enumerate(file.rows) if _is_student(index, row)
    ]
    rows = student_rows(entries, dict.fromkeys(grade.student for grade in grades), file)
    all_filled = Filled()
    for name, by_student in _wanted(grades, config, columns, headings).items():
        column = _find_column(file, name, columns.get(name), config)
        excused = {student for student, index in rows.items() if file.rows[index][column].strip().upper() == _EXCUSED}
        chosen = {student: grade for student, grade in by_student.items() if student not in excused}
        filled = fill_column(file, column, chosen, rows)
        all_filled.cells += filled.cells
        all_filled.unknown += [student for student in filled.unknown if student not in all_filled.unknown]
        all_filled.notes += [*filled.notes, *_other_maximum(file, column, by_student.values())]
        if excused:
            all_filled.notes.append(f"{headings[column]}: {', '.join(sorted(excused))} stay excused")
    return file.encoded(), all_filled


def _is_student(index: int, row: Sequence[str]) -> bool:
    posting = all(re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell, re.IGNORECASE) for cell in row)
    return index > 0 and _POINTS_POSSIBLE not in row[0] and not posting


def _wanted(
    grades: Sequence[Grade], config: Config, columns: Mapping[str, str], headings: Sequence[str]
) -> Mapping[str, Mapping[str, Grade | Total]]:
    """Stage or ``total`` → the grades that have a column of their own."""
    stages: dict[str, dict[str, Grade | Total]] = {}
    for grade in grades:
        stages.setdefault(grade.stage, {})[grade.student] = grade
    names = [*stages, "total"]
    titles = {_title(heading) for heading in headings}
    wanted = [name for name in names if name in columns or _titles_of(name, config) & titles]
    if not wanted:
        raise PlatformFileError(
            f"no column of the gradebook is named like a stage; choose one with --column, such as "
            f"--column total='{headings[-1]}'. Its columns: {', '.join(headings)}"
        )
    by_name: dict[str, Mapping[str, Grade | Total]] = {**stages, "total": totals(grades, config.policies.total)}
    return {name: by_name[name] for name in wanted}


def _titles_of(name: str, config: Config) -> set[str]:
    if name == "total":
        return {config.course.casefold()}
    stage = config.stages.get(name)
    return {name.casefold(), *([stage.title.casefold()] if stage else [])}


def _title(heading: str) -> str:
    return _NUMBER.sub("", heading).casefold()


def _find_column(file: CsvFile, name: str, heading: str | None, config: Config) -> int:
    titles = _titles_of(name, config) if heading is None else {heading.casefold()}
    found = [index for index, own in enumerate(file.headings) if own.casefold() in titles or _title(own) in titles]
    if len(found) != 1:
        problem = "no column" if not found else f"{len(found)} columns"
        raise PlatformFileError(
            f"{file.path} has {problem} named {heading or ' or '.join(sorted(titles))}; "
            f"choose one with --column {name}=HEADING. Its columns: {', '.join(file.headings)}"
        )
    return found[0]


def _other_maximum(file: CsvFile, column: int, grades: Iterable[Grade | Total]) -> list[str]:
    """A line if Canvas has other points possible than the grades."""
    ours = max((grade.possible for grade in grades), default=0.0)
    theirs = next((row[column].strip() for row in file.rows[1:] if _POINTS_POSSIBLE in row[0]), "")
    if not theirs or theirs == number(ours) or theirs.replace(",", ".").rstrip("0").rstrip(".") == number(ours):
        return []
    return [
        f"{file.headings[column]}: Canvas has {theirs} points possible, the lab {number(ours)}; change them in Canvas"
    ]
