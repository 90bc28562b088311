"""The gradebook on a PostgreSQL server, where one is configured; otherwise it is a file of SQLite.

The URL holds a password, so it is an environment variable and not part of ``grading.yml``.
"""

import os
import re

from autograder.course.lab import Lab, LabError

VARIABLE = "AUTOGRADER_GRADEBOOK"
_URL = re.compile(r"postgres(?:ql)?(?:\+\w+)?://(?P<rest>.+)")
_PASSWORD = re.compile(r"(?<=:)[^:@/]*(?=@)")


class GradebookUrlError(LabError):
    """The environment variable does not hold a URL of PostgreSQL."""


def server_url(lab: Lab) -> str | None:
    """The URL of the server that keeps the lab's gradebook; None if it is a file.

    The gradebook of a workspace, such as that of the sample class, is always a file.

    Raises:
        GradebookUrlError: the environment variable does not hold a URL of PostgreSQL.
    """
    url = os.environ.get(VARIABLE, "")
    if not url or lab.workspace is not None:
        return None
    match = _URL.fullmatch(url)
    if match is None:
        raise GradebookUrlError(f"{VARIABLE} is {_hidden(url)}; expected postgresql://USER:PASSWORD@HOST/DATABASE")
    return f"postgresql+psycopg://{match['rest']}"


def gradebook_name(lab: Lab) -> str:
    """The gradebook in messages: its file, or the server's URL without the password."""
    url = server_url(lab)
    return str(lab.gradebook) if url is None else _hidden(url.replace("+psycopg", "", 1))


def has_gradebook(lab: Lab) -> bool:
    """Whether there is a gradebook to read."""
    return server_url(lab) is not None or lab.gradebook.exists()


def _hidden(url: str) -> str:
    return _PASSWORD.sub("***", url)
