"""Gradebooks that cannot be used: damaged, empty, locked, or of another course. Each fault has a sentence."""

import sqlite3
import sys
from collections.abc import Collection, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from alembic.util import CommandError
from sqlalchemy.exc import DatabaseError, OperationalError

from autograder.base.console import SafeConsole
from autograder.base.errors import UnusableError
from autograder.course.lab import Lab, LabError
from autograder.integrations.gradebook_server import VARIABLE, gradebook_name, server_url

_TABLES = {"assignment", "course", "grade", "student", "submitted_assignment"}
_ANY_COURSE = (None, "", "default_course")  # nbgrader's own names of a course without a name

_START_AGAIN = (
    "Restore it from a backup. Without a backup, move it away and run the command again: scores of stored results "
    "are filed in a new gradebook; points and comments given by hand are only in the old file"
)
# Words of SQLite's errors → a sentence; the first that fits counts.
_SENTENCES = {
    "database is locked": (
        "is locked by another program; close formgrader, or wait until it has finished, and run this again: results "
        "are stored, and filed results stay"
    ),
    "disk is full": "cannot be written: the disk is full. Free space, then run the command again: results are stored",
    "readonly": "cannot be written: it is read-only. Make the file and its folder writable, then run the command again",
    "unable to open": "cannot be opened or created. Check its folder, its permissions and the free space",
    "disk i/o error": "cannot be read or written: the disk failed or is full. Check it, then run the command again",
    "not a database": f"is damaged or not a gradebook, so it cannot be used. {_START_AGAIN}",
    "malformed": f"is damaged, so it cannot be used. {_START_AGAIN}",
}


class GradebookError(LabError):
    """The gradebook cannot be used; the message names the fix."""


class GradebookFaultError(GradebookError, UnusableError):
    """The file of the gradebook is at fault, not the command or the lab."""


@contextmanager
def explained(lab: Lab) -> Generator[None, None, None]:
    """Explain database errors raised inside the block.

    Raises:
        GradebookFaultError: instead of SQLAlchemy's error, or of nbgrader's error that wraps it.
    """
    try:
        yield
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        raise GradebookFaultError(f"{gradebook_name(lab)} {sentence}") from error


def _sentence(error: Exception) -> str | None:
    """The sentence about an error of the database; None if the error is of another kind."""
    text = str(error).lower()
    of_database = isinstance(error, (DatabaseError, sqlite3.DatabaseError, CommandError)) or "sqlite3." in text
    if not of_database:
        return None
    for words, sentence in _SENTENCES.items():
        if words in text:
            return sentence
    if isinstance(error, OperationalError) and "psycopg" in text:
        return f"cannot be used: {str(error.orig or error).splitlines()[0]}. Check the server and {VARIABLE}"
    details = str(getattr(error, "orig", None) or error).splitlines()[0]
    return (
        f"cannot be used: {details}; if it is older than this nbgrader, copy it and run `nbgrader db upgrade`. "
        f"If it is damaged: {_START_AGAIN[0].lower()}{_START_AGAIN[1:]}"
    )


def check_file(lab: Lab, lock_seconds: int) -> None:
    """Refuse an existing file that is not this course's gradebook, before nbgrader adds its tables to it.

    Raises:
        GradebookFaultError: the file is empty, another database, or the gradebook of another course.
    """
    path = lab.gradebook
    if path.is_symlink() and not path.exists():
        raise GradebookFaultError(f"{path} is a link to a missing file. Restore that file, or remove the link")
    if path.is_dir():
        raise GradebookFaultError(f"{path} is a folder, and the gradebook is a file. Move the folder away")
    if path.stat().st_size == 0:
        raise GradebookFaultError(f"{path} is empty. {_START_AGAIN}")
    tables, courses = _content(path, lock_seconds)
    if not _TABLES <= tables:
        raise GradebookFaultError(f"{path} is a database without nbgrader's tables. {_START_AGAIN}")
    check_courses(lab, courses)


def check_courses(lab: Lab, courses: Collection[str]) -> None:
    """Refuse the gradebook of another course.

    Raises:
        GradebookFaultError: the gradebook holds another course.
    """
    others = sorted(course for course in courses if course not in (*_ANY_COURSE, lab.config.course))
    if others:
        raise GradebookFaultError(
            f"{gradebook_name(lab)} holds the course {', '.join(others)}, and grading.yml is of the course "
            f"{lab.config.course}. Move it away, or restore `course` in grading.yml"
        )


def end_if_unusable(lab: Lab, lock_seconds: int) -> None:
    """End one of nbgrader's own programs if it would work with a file that is not this course's gradebook.

    nbgrader loads its configuration before it opens the gradebook, and would only log an error.
    """
    if server_url(lab) is not None or (not lab.gradebook.exists() and not lab.gradebook.is_symlink()):
        return
    try:
        with explained(lab):
            check_file(lab, lock_seconds)
    except GradebookFaultError as error:
        SafeConsole(stderr=True, soft_wrap=True).print(f"autograder: {error}", markup=False, highlight=False)
        sys.exit(3)  # as the grader's commands do


def _content(path: Path, lock_seconds: int) -> tuple[set[str], set[str]]:
    """The names of the tables, and the courses of the assignments."""
    # Not read-only: SQLite must be able to roll back what a killed program left.
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", timeout=lock_seconds, uri=True)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "assignment" not in tables:
            return tables, set()
        columns = {row[1] for row in database.execute("PRAGMA table_info(assignment)")}
        if "course_id" not in columns:  # a gradebook of an older nbgrader, which explains the upgrade itself
            return tables, set()
        return tables, {course for (course,) in database.execute("SELECT DISTINCT course_id FROM assignment")}
