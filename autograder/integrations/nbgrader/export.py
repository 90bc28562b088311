"""nbgrader's CSV with quoting, current penalties, and no 0 for ungraded work, which its own writer lacks."""

import csv
import io
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from nbgrader.api import MissingEntry
from nbgrader.plugins import ExportPlugin
from traitlets import Unicode

from autograder.base.atomic_files import write_atomically
from autograder.base.sinks import csv_cell
from autograder.course.lab import Lab
from autograder.integrations.nbgrader.course import open_gradebook
from autograder.integrations.nbgrader.penalties import penalty

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


def export_csv(lab: Lab, path: Path) -> int:
    """Write one row per student and stage, and return the number of rows.

    Scores include manual scores, extra credit and late penalties. The score of a stage that is not graded or was not
    begun is empty: an import must not read it as 0. A stage that was requested by name and not begun has a filed 0.

    Raises:
        GradebookError: the gradebook cannot be read.
    """
    with open_gradebook(lab) as gradebook:
        return _write(lab, gradebook, path)


class CsvExport(ExportPlugin):  # type: ignore[misc]
    """The same export for ``nbgrader export``."""

    lab = Unicode(help="The folder that holds grading.yml").tag(config=True)

    def export(self, gradebook: Any) -> None:
        """Write the file of ``--to``, ``grades.csv`` by default."""
        path = Path(self.to or "grades.csv")
        self.log.info("Exporting grades to %s", path)
        _write(Lab(Path(self.lab)), gradebook, path, self.assignment, self.student)


def _write(
    lab: Lab, gradebook: Any, path: Path, stages: Collection[str] = (), students: Collection[object] = ()
) -> int:
    """Write the rows of these stages and students; of all if empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    chosen = {str(student) for student in students}
    rows = [
        row
        for row in _rows(lab, gradebook)
        if (not stages or row["assignment"] in stages) and (not chosen or row["student_id"] in chosen)
    ]
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    write_atomically(path, text.getvalue().encode())
    return len(rows)


def _rows(lab: Lab, gradebook: Any) -> Iterator[dict[str, Any]]:
    for assignment in gradebook.assignments:
        for student in gradebook.students:
            yield {
                "assignment": assignment.name,
                "duedate": assignment.duedate,
                "student_id": student.id,
                "last_name": student.last_name,
                "first_name": student.first_name,
                "email": student.email,
                "max_score": assignment.max_score,
                **_scores(lab, gradebook, assignment.name, student.id),
            }


def _scores(lab: Lab, gradebook: Any, stage: str, student: str) -> dict[str, Any]:
    try:
        submission = gradebook.find_submission(stage, student)
    except MissingEntry:
        return {"needs_manual_grade": False}
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    waits = any(grade.needs_manual_grade for grade in grades)
    columns = {"timestamp": submission.timestamp, "needs_manual_grade": waits}
    if any(_is_ungraded(grade) for grade in grades):
        return columns
    lost = sum(penalty(lab, notebook) or 0.0 for notebook in submission.notebooks)
    raw = submission.score
    return {**columns, "raw_score": raw, "late_submission_penalty": lost, "score": raw - lost}


def _is_ungraded(grade: Any) -> bool:
    """Whether a graded cell has no score. An answer without a manual score counts 0, so it is not ungraded."""
    return grade.cell_type == "code" and grade.auto_score is None and grade.manual_score is None
