"""The course as nbgrader sees it: its folders, its gradebook, and its settings."""

import os
import sys
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from sqlalchemy.exc import OperationalError, SAWarning

from autograder.base.atomic_files import write_atomically
from autograder.course.lab import Lab, LabError

# How long to wait while another program, such as formgrader, writes to the gradebook.
LOCK_SECONDS = 60


class GradebookError(LabError):
    """The gradebook cannot be used as it is; the message says what to do."""


def course_root(lab: Lab) -> Path:
    """The folder that nbgrader's paths start from."""
    return lab.workspace or lab.root


def step_folder(lab: Lab, step: str) -> Path:
    """One of nbgrader's folders: ``source``, ``release``, ``submitted``, ``autograded`` or ``feedback``."""
    return lab.build / "nbgrader" / step


def database_url(lab: Lab, lock_seconds: int = LOCK_SECONDS) -> str:
    """The gradebook's address; whoever opens it by this waits for locks instead of giving up after 5 s."""
    return f"sqlite:///{lab.gradebook}?timeout={lock_seconds}"


@contextmanager
def open_gradebook(lab: Lab, lock_seconds: int = LOCK_SECONDS) -> Generator[Any, None, None]:
    """Open the gradebook as nbgrader's ``Gradebook``; it is made when there is none.

    Raises:
        GradebookError: another program kept it locked, or the file is no gradebook.
    """
    with warnings.catch_warnings(), explained(lab):
        # nbgrader adds a submission's parts one by one; SQLAlchemy remarks on it for each.
        warnings.simplefilter("ignore", SAWarning)
        _create(lab)
        with Gradebook(database_url(lab, lock_seconds), lab.config.course) as gradebook:
            yield gradebook


@contextmanager
def explained(lab: Lab) -> Generator[None, None, None]:
    """Turn a database error into words.

    Raises:
        GradebookError: instead of SQLAlchemy's error, or of nbgrader's around it.
    """
    try:
        yield
    except Exception as error:
        if "database is locked" in str(error):
            raise GradebookError(
                f"{lab.gradebook} is locked by another program; close formgrader, or let its work end, and run this "
                "again: results are kept, and what was filed stays"
            ) from error
        if isinstance(error, OperationalError) or "file is not a database" in str(error):
            raise GradebookError(
                f"{lab.gradebook} cannot be used: {error}; if it is older than this nbgrader, copy it and run "
                "`nbgrader db upgrade`"
            ) from error
        raise


def _create(lab: Lab) -> None:
    """Make the gradebook whole or not at all: a half-made one has no version, and no upgrade mends it."""
    if lab.gradebook.exists():
        return
    find_alembic()
    lab.gradebook.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=lab.gradebook.parent, prefix=".gradebook.") as folder:
        fresh = Path(folder) / "gradebook.db"
        Gradebook(f"sqlite:///{fresh}", lab.config.course).close()
        try:
            # A link, not a rename: it never takes the place of one that somebody else just made.
            os.link(fresh, lab.gradebook)
        except FileExistsError:
            return


def find_alembic() -> None:
    """Put the environment's own ``alembic`` on the path: nbgrader runs it by its name."""
    scripts = str(Path(sys.executable).parent)
    if scripts not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])


def configure(config: Any, lab: Lab) -> None:
    """Fill nbgrader's configuration, for its commands and formgrader.

    Args:
        config: what ``get_config()`` gives in ``nbgrader_config.py``.
        lab: the lab, with the workspace that holds the class's grades.
    """
    find_alembic()
    package = "autograder.integrations.nbgrader"
    directories = {f"{step}_directory": f"build/nbgrader/{step}" for step in _STEPS}
    config.CourseDirectory.update(
        root=str(course_root(lab)), course_id=lab.config.course, db_url=database_url(lab), **directories
    )
    # Everything there is made by us, so a student may well be named `feedback`.
    config.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__"]
    # The source holds stubs only: there is nothing to strip, and an answer's own words stay.
    config.GenerateAssignment.preprocessors = [
        f"nbgrader.preprocessors.{name}"
        for name in ("LockCells", "ClearOutput", "CheckCellMetadata", "ComputeChecksums", "SaveCells")
    ]
    # The exporter reads submissions as we take them in, asks our judge, and files; no kernel is started.
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
    # nbgrader skips what it finds done, also what a killed run left half done.
    for converter in ("GenerateAssignment", "Autograde", "GenerateFeedback"):
        config[converter].force = True


def write_workspace_config(lab: Lab) -> None:
    """Let nbgrader's commands and formgrader work from a workspace that is not the lab's own folder."""
    text = f'''"""Made by the grader: nbgrader works from this folder."""

from pathlib import Path

from autograder.integrations.nbgrader import configure
from autograder.course.lab import Lab

configure(get_config(), Lab(Path({str(lab.root)!r}), Path(__file__).parent.resolve()))
'''
    write_atomically(course_root(lab) / "nbgrader_config.py", text.encode())


_STEPS = ("source", "release", "submitted", "autograded", "feedback")
