"""nbgrader as gradebook, formgrader, feedback and export; it executes no notebook.

No other part of the package imports nbgrader.
"""

from autograder.integrations.filing_report import FilingReport
from autograder.integrations.nbgrader.compare import changed_scores, compare_gradebook
from autograder.integrations.nbgrader.course import configure, write_workspace_config
from autograder.integrations.nbgrader.export import export_csv
from autograder.integrations.nbgrader.faults import GradebookError
from autograder.integrations.nbgrader.feedback import generate_feedback
from autograder.integrations.nbgrader.filing import file_results
from autograder.integrations.nbgrader.forget import forget_in_gradebook, submissions_in_gradebook
from autograder.integrations.nbgrader.grades import gradebook_grades
from autograder.integrations.nbgrader.register import register_release

__all__ = [
    "FilingReport",
    "GradebookError",
    "changed_scores",
    "compare_gradebook",
    "configure",
    "export_csv",
    "file_results",
    "forget_in_gradebook",
    "generate_feedback",
    "gradebook_grades",
    "register_release",
    "submissions_in_gradebook",
    "write_workspace_config",
]
