"""Late penalties in the gradebook, from the policy in ``grading.yml``.

nbgrader stores a penalty in points, as of the last grading. A manual score entered later changes the
share of the score, so the penalty is computed again before feedback and export.
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
    """Set the extension that ``grading.yml`` grants; nbgrader's due date then includes it."""
    days, due = _extension_days(lab, submission), submission.assignment.duedate
    submission.extension = timedelta(days=days) if days and due is not None else None


def _extension_days(lab: Lab, submission: Any) -> int:
    return lab.config.policies.extensions.get(submission.student.id, {}).get(submission.assignment.name, 0)


def _days_late(lab: Lab, submission: Any) -> int:
    stage = lab.config.stages.get(submission.assignment.name)
    due = stage.due if stage is not None else _utc(submission.assignment.duedate)
    handed_in, extension = _utc(submission.timestamp), _extension_days(lab, submission)
    return days_late(lab.config.policies.late, due=due, handed_in=handed_in, extension_days=extension)


def _free_days_left(lab: Lab, submission: Any) -> int:
    """The free late days that the student's submissions of earlier stages leave."""
    left = lab.config.policies.late.free_days
    if not left:
        return 0
    submitted = {other.assignment.name: other for other in submission.student.submissions}
    for stage in lab.config.stages:
        if stage == submission.assignment.name:
            break
        if stage in submitted and not _waits(submitted[stage]):
            left -= min(left, _days_late(lab, submitted[stage]))
    return left


def _waits(submission: Any) -> bool:
    """Whether the submission has no automatic score: a report without a number spends no free day."""
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    return any(grade.cell_type == "code" and grade.auto_score is None for grade in grades)


def penalty(lab: Lab, notebook: Any) -> float | None:
    """Compute the points that a submitted notebook loses for lateness; None if it loses nothing."""
    return late_penalty(lab, notebook.assignment, score(notebook))


def late_penalty(lab: Lab, submission: Any, earned: float) -> float | None:
    """Compute the points that a ``SubmittedAssignment`` loses for lateness; None if it loses nothing.

    Due date and extension are those of ``grading.yml`` now: an export shows a new extension before the next grading.
    The penalty is a share of ``earned``, the whole score, manual scores and extra credit included.
    """
    policy = lab.config.policies.late
    days = _days_late(lab, submission)
    days -= min(days, _free_days_left(lab, submission))
    if points_lost(1, policy, days):
        # A single point is lost completely, so the whole score is, including fractions of a manual score.
        return earned or None
    return float(points_lost(math.floor(earned), policy, days)) or None


def _utc(moment: datetime | None) -> datetime | None:
    """Add the time zone to a time of the gradebook, which stores UTC without a zone."""
    return moment.replace(tzinfo=UTC) if moment is not None else None


def score(notebook: Any) -> float:
    """A submitted notebook's score before penalties by nbgrader's rule, with values that are not yet flushed."""
    total = 0.0
    for grade in notebook.grades:
        points = grade.auto_score if grade.manual_score is None else grade.manual_score
        if points is not None:
            total += points + (grade.extra_credit or 0.0)
    return total


def set_penalty(lab: Lab, notebook: Any) -> None:
    """Update a notebook's penalty; the caller commits."""
    notebook.late_submission_penalty = penalty(lab, notebook)


class CurrentPenalty(NbGraderPreprocessor):  # type: ignore[misc]
    """Updates the penalty before a feedback page shows it."""

    lab = Unicode(help="The folder that holds grading.yml").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Update the penalty in the gradebook; the notebook stays unchanged."""
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            submitted = gradebook.find_submission_notebook(names["notebook"], names["assignment"], names["student"])
            lab = Lab(Path(self.lab))
            grant_extension(lab, submitted.assignment)
            set_penalty(lab, submitted)
            gradebook.db.commit()
        return nb, resources
