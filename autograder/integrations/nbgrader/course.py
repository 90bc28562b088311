"""The course as nbgrader sees it: folders, gradebook and settings."""

import os
import sys
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgrader.api import Course, Gradebook
from sqlalchemy.exc import SAWarning

from autograder.base.atomic_files import write_atomically
from autograder.course.lab import Lab
from autograder.integrations.gradebook_server import server_url
from autograder.integrations.nbgrader.faults import check_courses, check_file, end_if_unusable, explained

# How long to wait while another program, such as formgrader, writes to the gradebook.
LOCK_SECONDS = 60


def course_root(lab: Lab) -> Path:
    """The root folder of nbgrader's paths."""
    return lab.workspace or lab.root


def step_folder(lab: Lab, step: str) -> Path:
    """One of nbgrader's folders: ``source``, ``release``, ``submitted``, ``autograded`` or ``feedback``."""
    return lab.build / "nbgrader" / step


def database_url(lab: Lab, lock_seconds: int = LOCK_SECONDS) -> str:
    """The URL of the gradebook's database; that of a file has a timeout for locks instead of the default of 5 s."""
    return server_url(lab) or f"sqlite:///{lab.gradebook}?timeout={lock_seconds}"


@contextmanager
def open_gradebook(lab: Lab, lock_seconds: int = LOCK_SECONDS) -> Generator[Any, None, None]:
    """Open the gradebook as nbgrader's ``Gradebook``, and create it if it does not exist.

    Raises:
        GradebookFaultError: another program kept the gradebook locked, the server cannot be reached, or the gradebook
            is not this course's.
    """
    with warnings.catch_warnings(), explained(lab):
        # nbgrader adds a submission's parts one by one, and SQLAlchemy warns about each.
        warnings.simplefilter("ignore", SAWarning)
        if server_url(lab) is None:
            _create(lab)
            check_file(lab, lock_seconds)
        else:
            find_alembic()
        with Gradebook(database_url(lab, lock_seconds), lab.config.course) as gradebook:
            check_courses(lab, {course.id for course in gradebook.db.query(Course)} if server_url(lab) else ())
            yield gradebook


def _create(lab: Lab) -> None:
    """Create the gradebook atomically: an incomplete gradebook has no version, and cannot be upgraded."""
    if lab.gradebook.exists() or lab.gradebook.is_symlink():
        return
    find_alembic()
    lab.gradebook.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=lab.gradebook.parent, prefix=".gradebook.") as folder:
        fresh = Path(folder) / "gradebook.db"
        Gradebook(f"sqlite:///{fresh}", lab.config.course).close()
        try:
            # A link, not a rename: it never replaces a gradebook that another program has just created.
            os.link(fresh, lab.gradebook)
        except FileExistsError:
            return


def find_alembic() -> None:
    """Put the environment's own ``alembic`` on the path, because nbgrader runs it by name."""
    scripts = str(Path(sys.executable).parent)
    if scripts not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])


def configure(config: Any, lab: Lab) -> None:
    """Fill nbgrader's configuration, for its commands and formgrader.

    Args:
        config: the result of ``get_config()`` in ``nbgrader_config.py``.
        lab: the lab, with the workspace that holds the class's grades.
    """
    end_if_unusable(lab, LOCK_SECONDS)
    find_alembic()
    package = "autograder.integrations.nbgrader"
    directories = {f"{step}_directory": f"build/nbgrader/{step}" for step in _STEPS}
    config.CourseDirectory.update(
        root=str(course_root(lab)), course_id=lab.config.course, db_url=database_url(lab), **directories
    )
    # The grader writes all of these folders, so a student may be named `feedback`.
    config.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__"]
    # The source holds only stubs, so no solution has to be stripped, and the text of an answer stays.
    config.GenerateAssignment.preprocessors = [
        f"nbgrader.preprocessors.{name}"
        for name in ("LockCells", "ClearOutput", "CheckCellMetadata", "ComputeChecksums", "SaveCells")
    ]
    # The exporter reads submissions through intake, judges and files them; it starts no kernel.
    config.Autograde.exporter_class = f"{package}.autograde.JudgedNotebookExporter"
    config.Autograde.sanitize_preprocessors = []
    config.Autograde.autograde_preprocessors = []
    config.JudgedNotebookExporter.lab = str(lab.root)
    config.JudgedNotebookExporter.workspace = str(course_root(lab))
    config.GenerateFeedback.preprocessors = [
        f"{package}.penalties.CurrentPenalty",
        "nbgrader.preprocessors.GetGrades",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    config.CurrentPenalty.lab = str(lab.root)
    config.ExportApp.plugin_class = f"{package}.export.CsvExport"
    config.CsvExport.lab = str(lab.root)
    # Otherwise nbgrader skips existing results, even if a killed run left them incomplete.
    for converter in ("GenerateAssignment", "Autograde", "GenerateFeedback"):
        config[converter].force = True


def write_workspace_config(lab: Lab) -> None:
    """Write nbgrader's configuration for a workspace that is not the lab's own folder."""
    text = f'''"""Generated by the grader: nbgrader works from this folder."""

from pathlib import Path

from autograder.integrations.nbgrader import configure
from autograder.course.lab import Lab

configure(get_config(), Lab(Path({str(lab.root)!r}), Path(__file__).parent.resolve()))
'''
    write_atomically(course_root(lab) / "nbgrader_config.py", text.encode())


_STEPS = ("source", "release", "submitted", "autograded", "feedback")
