"""Delete submissions and students from the gradebook."""

from collections.abc import Iterable
from contextlib import suppress

from nbgrader.api import MissingEntry
from sqlalchemy import text

from autograder.course.lab import Lab
from autograder.integrations.nbgrader.course import open_gradebook


def submissions_in_gradebook(lab: Lab) -> list[tuple[str, str]]:
    """The student and stage of each submission, sorted.

    Raises:
        GradebookError: the gradebook cannot be used.
    """
    with open_gradebook(lab) as gradebook:
        return sorted(
            (submission.student.id, submission.assignment.name)
            for student in gradebook.students
            for submission in student.submissions
        )


def forget_in_gradebook(lab: Lab, submissions: Iterable[tuple[str, str]], student: str | None) -> None:
    """Delete submissions with their points and comments, those given by hand included; and the student's own row.

    Nothing stays in the free pages of the database either.

    Raises:
        GradebookError: the gradebook cannot be used.
    """
    with open_gradebook(lab) as gradebook:
        for name, stage in submissions:
            gradebook.remove_submission(stage, name)
        if student is not None:
            with suppress(MissingEntry):
                gradebook.remove_student(student)
        gradebook.db.commit()
        with gradebook.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))
