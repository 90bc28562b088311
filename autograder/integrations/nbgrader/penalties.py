"""Late penalties in the gradebook, from the policy in ``grading.yml``.

nbgrader keeps a penalty in points, as of the last grading; manual points that come later change
what a share of the score is. So it is worked out again before anything is shown or exported.
"""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from autograder.course.lab import Lab
from autograder.course.policy import days_late, points_lost


def grant_extension(lab: Lab, submission: Any) -> None:
    """Give a submission the days that ``grading.yml`` grants; nbgrader's due date then includes them."""
    days = lab.config.policies.extensions.get(submission.student.id, {}).get(submission.assignment.name, 0)
    due = submission.assignment.duedate
    submission.extension = timedelta(days=days) if days and due is not None else None


def penalty(lab: Lab, notebook: Any) -> float | None:
    """The points that a submitted notebook loses for lateness; None for one that loses nothing.

    The whole score counts, manual points and extra credit included.
    """
    policy, submission = lab.config.policies.late, notebook.assignment
    days = days_late(policy, due=_utc(submission.duedate), handed_in=_utc(submission.timestamp))
    earned = score(notebook)
    if points_lost(1, policy, days):
        # Not even a whole point is left of one: nothing is, half points of a person's included.
        return earned or None
    return float(points_lost(math.floor(earned), policy, days)) or None


def _utc(moment: datetime | None) -> datetime | None:
    """A time of the gradebook, which keeps them in UTC without saying so."""
    return moment.replace(tzinfo=UTC) if moment is not None else None


def score(notebook: Any) -> float:
    """A submitted notebook's score before penalties, by nbgrader's rule, from what is not yet flushed too."""
    total = 0.0
    for grade in notebook.grades:
        given = grade.auto_score if grade.manual_score is None else grade.manual_score
        if given is not None:
            total += given + (grade.extra_credit or 0.0)
    return total


def set_penalty(lab: Lab, notebook: Any) -> None:
    """Bring one penalty up to date; the caller commits."""
    notebook.late_submission_penalty = penalty(lab, notebook)


class CurrentPenalty(NbGraderPreprocessor):  # type: ignore[misc]
    """Brings the penalty up to date before a feedback page shows it."""

    lab = Unicode(help="The folder that holds grading.yml").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Leave the notebook as it is."""
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            submitted = gradebook.find_submission_notebook(names["notebook"], names["assignment"], names["student"])
            set_penalty(Lab(Path(self.lab)), submitted)
            gradebook.db.commit()
        return nb, resources
