"""The rows of one submission in the gradebook, looked up once."""

from dataclasses import dataclass
from typing import Any

from nbgrader.api import Comment, Grade

from autograder.course.lab import StageFolders


@dataclass(frozen=True)
class SubmissionRows:
    """The rows of one submission in an open gradebook.

    Attributes:
        gradebook: the gradebook.
        stage: the submission's stage.
        assignment: the ``SubmittedAssignment``.
        notebook: the ``SubmittedNotebook``.
        grades: cell → ``Grade``.
        comments: cell → ``Comment``.
    """

    gradebook: Any
    stage: StageFolders
    assignment: Any
    notebook: Any
    grades: dict[str, Any]
    comments: dict[str, Any]

    @classmethod
    def of(cls, gradebook: Any, stage: StageFolders, assignment: Any) -> "SubmissionRows":
        """Look up the rows of a ``SubmittedAssignment``, and add rows for cells that were registered after it."""
        (notebook,) = (row for row in assignment.notebooks if row.name == stage.spec.module)
        grades = {grade.name: grade for grade in notebook.grades}
        comments = {comment.name: comment for comment in notebook.comments}
        for cell in notebook.notebook.grade_cells:
            if cell.name not in grades:
                grades[cell.name] = Grade(cell=cell, notebook=notebook)
        for cell in notebook.notebook.solution_cells:
            if cell.name not in comments:
                comments[cell.name] = Comment(cell=cell, notebook=notebook)
        gradebook.db.add_all([*grades.values(), *comments.values()])
        return cls(gradebook, stage, assignment, notebook, grades, comments)
