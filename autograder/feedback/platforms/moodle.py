"""Moodle: fill an assignment's grading worksheet, or write a file for the import of grades.

The importer of the worksheet reads ``Identifier`` (``Participant 17``), ``Grade`` and ``Last modified (grade)``, and
skips a row whose grade in Moodle is newer. The import of grades lets the instructor map the columns, by username or
e-mail address. Sources: Moodle, ``mod/assign/feedback/offline/importgradeslib.php`` and
``grade/import/csv/classes/load_data.php``.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from autograder.base.sinks import csv_table
from autograder.course.config import Config
from autograder.course.policy import TotalPolicy
from autograder.feedback.platforms import PlatformFileError, number
from autograder.feedback.platforms.csv_file import CsvFile
from autograder.feedback.platforms.fill import Filled, fill_column, student_rows
from autograder.integrations.grades import Grade
from autograder.integrations.totals import totals

_NEEDED = ("Identifier", "Grade", "Last modified (grade)")
_LOGINS = ("Username", "ID number", "Email address")
_PARTICIPANT = re.compile(r"\D*(\d+)$")


def fill_moodle(template: Path, grades: Sequence[Grade], policy: TotalPolicy) -> tuple[bytes, Filled]:
    """Fill the total of each student into a grading worksheet, which is then uploaded again.

    Raises:
        PlatformFileError: the file is not a grading worksheet, or a student is ambiguous.
    """
    file = CsvFile.read(template)
    missing = [name for name in _NEEDED if name not in file.headings]
    if missing:
        raise PlatformFileError(
            f"{template} is not a grading worksheet of Moodle: it lacks {', '.join(missing)}. In Moodle, "
            "enable Offline grading worksheet for the assignment, then choose Download grading worksheet, in English"
        )
    identifier, column = file.headings.index("Identifier"), file.headings.index("Grade")
    logins = [index for name in _LOGINS if (index := file.column(name)) is not None]
    entries = [
        (index, [_PARTICIPANT.sub(r"\1", row[identifier]), *(row[login] for login in logins)])
        for index, row in enumerate(file.rows)
        if index
    ]
    rows = student_rows(entries, dict.fromkeys(grade.student for grade in grades), file)
    of_students = totals(grades, policy)
    filled = fill_column(file, column, of_students, rows)
    maximum = file.column("Maximum grade", "Maximum Grade")
    ours = max((total.possible for total in of_students.values()), default=0.0)
    theirs = file.rows[1][maximum].strip() if maximum is not None else ""
    if theirs and float(theirs.replace(",", ".")) != ours:
        filled.notes.append(
            f"Moodle's maximum grade is {theirs}, the points possible are {number(ours)}; change it in Moodle"
        )
    return file.encoded(), filled


def moodle_import(grades: Sequence[Grade], config: Config) -> bytes:
    """The points of each student in each stage, and the total, for the import of grades."""
    stages = [stage for stage in config.stages if any(grade.stage == stage for grade in grades)]
    points = {(grade.student, grade.stage): grade.points for grade in grades}
    rows = []
    for student, total in totals(grades, config.policies.total).items():
        cells = [*(points.get((student, stage)) for stage in stages), total.points]
        rows.append([student, *("" if value is None else number(value) for value in cells)])
    return csv_table([["username", *stages, "total"], *rows])
