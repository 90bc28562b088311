"""nbgrader's feedback pages, generated in this process."""

from collections.abc import Iterable

from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import capture_log
from traitlets.config import Config

from autograder.course.lab import Lab
from autograder.integrations.nbgrader.course import configure
from autograder.integrations.nbgrader.faults import GradebookError


def generate_feedback(lab: Lab, stage_ids: Iterable[str]) -> None:
    """Generate the pages of ``nbgrader generate_feedback STAGE`` for every student.

    Raises:
        GradebookError: nbgrader could not generate the pages; the message ends with its log.
    """
    for stage_id in stage_ids:
        config = Config()
        configure(config, lab)
        folders = CourseDirectory(config=config, assignment_id=stage_id)
        result = capture_log(GenerateFeedback(coursedir=folders, config=config))
        if not result["success"]:
            details = f"{result.get('log', '')}{result.get('error', '')}"
            raise GradebookError(f"nbgrader generated no feedback for {stage_id}:\n{details}")
