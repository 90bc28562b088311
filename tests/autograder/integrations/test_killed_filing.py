"""A filing pass that is killed and started again has the same result as an undisturbed pass."""

import os
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

from classroom import CHECKS, Classroom
from tiny_lab import QUESTION

from autograder.course.lab import Lab
from autograder.pipeline.grade import Graded

STUDENTS = ("ann", "bob", "cem", "dee", "eva", "fin")
KILLS = 10

WHAT_COUNTS = """
    SELECT student.id, assignment.name, submitted_assignment.timestamp, submitted_assignment.extension,
           submitted_notebook.late_submission_penalty, base_cell.name, grade.auto_score, grade.manual_score,
           grade.extra_credit, grade.needs_manual_grade, comment.auto_comment, comment.manual_comment
    FROM student
    LEFT JOIN submitted_assignment ON submitted_assignment.student_id = student.id
    LEFT JOIN assignment ON assignment.id = submitted_assignment.assignment_id
    LEFT JOIN submitted_notebook ON submitted_notebook.assignment_id = submitted_assignment.id
    LEFT JOIN grade ON grade.notebook_id = submitted_notebook.id
    LEFT JOIN base_cell ON base_cell.id = grade.cell_id
    LEFT JOIN comment ON comment.notebook_id = submitted_notebook.id
        AND comment.cell_id IN (SELECT id FROM base_cell AS other WHERE other.name = base_cell.name)
    ORDER BY student.id, assignment.name, base_cell.name
"""


def gradebook_of(classroom: Classroom) -> list[tuple[Any, ...]]:
    """Everything in the gradebook except the random ids of its rows."""
    database = sqlite3.connect(classroom.lab.gradebook)
    try:
        return database.execute(WHAT_COUNTS).fetchall()
    finally:
        database.close()


def files_of(classroom: Classroom) -> dict[str, bytes]:
    """Every other file that filing wrote; a killed run may leave an incomplete file under a hidden name."""
    folder = classroom.lab.build / "nbgrader"
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def first_class(classroom: Classroom) -> list[Graded]:
    return [
        classroom.graded(classroom.submission(student, answer=f"Because, says {student}."), CHECKS[:number])
        for number, student in enumerate(STUDENTS)
    ]


def second_class(classroom: Classroom) -> list[Graded]:
    """All students submit again with a different score, half of them with a different answer."""
    return [
        classroom.graded(
            classroom.submission(student, answer=f"Because, says {student}{'!' * (number % 2)}."), CHECKS[number:]
        )
        for number, student in enumerate(STUDENTS)
    ]


def prepare(classroom: Classroom) -> list[Graded]:
    """File a class, grade its answers by hand, and return its second submissions."""
    classroom.file(*first_class(classroom))
    for student in STUDENTS:
        classroom.grade_by_hand(student, QUESTION, 1.5, f"see me, {student}")
    return second_class(classroom)


def file_and_be_killed(classroom: Classroom, graded: list[Graded], after: float) -> bool:
    """File in a child process that is killed after some seconds; whether it was killed before it finished."""
    child = os.fork()
    if child == 0:
        classroom.file(*graded)
        os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_killed_at_ten_points_and_resumed_the_gradebook_is_that_of_an_undisturbed_run(released_lab, tmp_path: Path):
    undisturbed, killed = (
        Classroom(Lab(Path(shutil.copytree(released_lab.root, tmp_path / name)))) for name in ("undisturbed", "killed")
    )
    graded = prepare(undisturbed)
    started = time.monotonic()
    undisturbed.file(*graded)
    takes = time.monotonic() - started
    graded = prepare(killed)
    generator = random.Random(7)
    died = [file_and_be_killed(killed, graded, takes * generator.uniform(0.05, 0.95)) for _ in range(KILLS)]
    assert any(died)
    assert killed.file(*graded).differences == ()
    assert gradebook_of(killed) == gradebook_of(undisturbed)
    assert files_of(killed) == files_of(undisturbed)
    assert any("see me, ann" in row for row in gradebook_of(killed))
