"""nbgrader's CSV with quoting, current penalties, and no 0 for ungraded work, which its own writer lacks."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from nbgrader.plugins import ExportPlugin
from traitlets import Unicode

from autograder.base.atomic_files import write_atomically
from autograder.base.sinks import csv_cell
from autograder.course.lab import Lab
from autograder.integrations.grades import Grade
from autograder.integrations.nbgrader.course import open_gradebook
from autograder.integrations.nbgrader.grades import submitted_grades

# nbgrader's columns in its order, and `needs_manual_grade`.
COLUMNS = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
    "needs_manual_grade",
)


def export_csv(lab: Lab, path: Path, stages: Collection[str] = (), people: Mapping[str, Mapping[str, str]] = {}) -> int:
    """Write one row per student and stage, and return the number of rows.

    Scores include manual scores, extra credit and late penalties. The score of a stage that is not graded or was not
    begun is empty: an import must not read it as 0. A stage that was requested by name and not begun has a filed 0.

    Args:
        lab: the lab.
        path: the file to write.
        stages: the stages to write; all that have a submission if empty.
        people: student → values of the columns ``last_name``, ``first_name`` and ``email`` that the gradebook lacks.

    Raises:
        GradebookError: the gradebook cannot be read.
    """
    with open_gradebook(lab) as gradebook:
        return _write(lab, gradebook, path, stages, people=people)


class CsvExport(ExportPlugin):  # type: ignore[misc]
    """The same export for ``nbgrader export``."""

    lab = Unicode(help="The folder that holds grading.yml").tag(config=True)

    def export(self, gradebook: Any) -> None:
        """Write the file of ``--to``, ``grades.csv`` by default."""
        path = Path(self.to or "grades.csv")
        self.log.info("Exporting grades to %s", path)
        _write(Lab(Path(self.lab)), gradebook, path, self.assignment, self.student)


def _write(
    lab: Lab,
    gradebook: Any,
    path: Path,
    stages: Collection[str] = (),
    students: Collection[object] = (),
    people: Mapping[str, Mapping[str, str]] = {},
) -> int:
    """Write the rows of these students and stages; all students, and all stages with a submission, if empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    chosen = {str(student) for student in students}
    grades = {(grade.stage, grade.student): grade for grade in submitted_grades(lab, gradebook)}
    stages = stages or {stage for stage, _ in grades}
    rows = [
        row | _missing_names(row, people)
        for row in _rows(gradebook, grades)
        if row["assignment"] in stages and (not chosen or row["student_id"] in chosen)
    ]
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    write_atomically(path, text.getvalue().encode())
    return len(rows)


def _missing_names(row: Mapping[str, Any], people: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {name: value for name, value in people.get(row["student_id"], {}).items() if not row[name]}


def _rows(gradebook: Any, grades: Mapping[tuple[str, str], Grade]) -> Iterator[dict[str, Any]]:
    students = gradebook.students
    for assignment in gradebook.assignments:
        for student in students:
            yield {
                "assignment": assignment.name,
                "duedate": assignment.duedate,
                "student_id": student.id,
                "last_name": student.last_name,
                "first_name": student.first_name,
                "email": student.email,
                "max_score": assignment.max_score,
                **_scores(grades.get((assignment.name, student.id))),
            }


def _scores(grade: Grade | None) -> dict[str, Any]:
    if grade is None:
        return {"needs_manual_grade": False}
    # As nbgrader writes it: UTC without a zone.
    timestamp = grade.handed_in.replace(tzinfo=None) if grade.handed_in else None
    columns = {"timestamp": timestamp, "needs_manual_grade": grade.waits}
    if grade.points is None:
        return columns
    return {**columns, "raw_score": grade.raw, "late_submission_penalty": grade.lost, "score": grade.points}
