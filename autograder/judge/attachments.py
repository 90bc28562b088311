"""Files that a student submits beside the module, as hidden tests see them: the fixture ``attachments``."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from autograder.judge.messages import Attached
from autograder.judge.symptoms import CheckFailure, Symptom

T = TypeVar("T")


class NotHandedIn(Exception):
    """A file that a check needs was not submitted.

    Attributes:
        file: its name.
    """

    def __init__(self, file: str) -> None:
        super().__init__(f"not handed in: {file}")
        self.file = file


class Attachments:
    """The files that one submission has beside its module. They are untrusted data and are never run.

    Attributes:
        secret: the same for all students; data on which a whole class is evaluated is drawn from it.
    """

    def __init__(self, files: Mapping[str, Attached], secret: bytes = b"") -> None:
        self.secret = secret
        self._files = files
        self._cache: dict[str, tuple[Any, Exception | None]] = {}

    def content(self, file: str) -> bytes:
        """Return the file's bytes.

        Raises:
            NotHandedIn: the submission has no such file.
            CheckFailure: intake refused the file.
        """
        if file not in self._files:
            raise NotHandedIn(file)
        attached = self._files[file]
        if attached.problem:
            raise CheckFailure(Symptom.BAD_FILE, attached.problem)
        return attached.content

    def once(self, key: str, compute: Callable[[], T]) -> T:
        """Return ``compute()``, called for the first check that needs it and cached for the others.

        A failure is cached too: every check that needs the value fails with the same error.
        """
        if key not in self._cache:
            try:
                self._cache[key] = (compute(), None)
            except Exception as error:
                self._cache[key] = (None, error)
        value, failure = self._cache[key]
        if failure is not None:
            raise failure
        result: T = value
        return result
