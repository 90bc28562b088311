"""Files that a student hands in besides the module, as hidden tests see them: the fixture ``attachments``."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from autograder.judge.messages import Attached
from autograder.judge.symptoms import CheckFailure, Symptom

T = TypeVar("T")


class NotHandedIn(Exception):
    """A file that a check looks at was not handed in; ``file`` is its name."""

    def __init__(self, file: str) -> None:
        super().__init__(f"not handed in: {file}")
        self.file = file


class Attachments:
    """The further files of one submission. What is in them is the student's word: it is data, and never run.

    Attributes:
        secret: the same for everybody: what a whole class is measured on is drawn from it.
    """

    def __init__(self, files: Mapping[str, Attached], secret: bytes = b"") -> None:
        self.secret = secret
        self._files = files
        self._known: dict[str, Any] = {}

    def content(self, file: str) -> bytes:
        """The file's bytes.

        Raises:
            NotHandedIn: there is no such file.
            CheckFailure: intake refused it.
        """
        if file not in self._files:
            raise NotHandedIn(file)
        found = self._files[file]
        if found.problem:
            raise CheckFailure(Symptom.BAD_FILE, found.problem)
        return found.content

    def once(self, key: str, compute: Callable[[], T]) -> T:
        """What ``compute`` gives, computed for the first check that asks and kept for the others.

        A failure is kept as well: every check that asks fails with it.
        """
        if key not in self._known:
            try:
                self._known[key] = (compute(), None)
            except Exception as error:
                self._known[key] = (None, error)
        value, failure = self._known[key]
        if failure is not None:
            raise failure
        result: T = value
        return result
