"""Figures on disk by what they were made from: an entry that has not changed is not measured again."""

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from autograder.base.atomic_files import write_atomically

T = TypeVar("T", bound=msgspec.Struct)


class KeptResults(Generic[T]):
    """A folder of results, one file each, written as soon as it is known: a run that is stopped loses none."""

    def __init__(self, folder: Path, kind: type[T], *, fresh: bool = False) -> None:
        """Keep results of one kind.

        Args:
            folder: where; made when there is something to keep.
            kind: of the results.
            fresh: look nothing up; what is made is kept all the same.
        """
        self._folder = folder
        self._kind = kind
        self._fresh = fresh

    def get(self, key: str) -> T | None:
        """The result of that key; None where there is none that can be read."""
        if self._fresh:
            return None
        try:
            return msgspec.json.decode((self._folder / f"{key}.json").read_bytes(), type=self._kind)
        except (OSError, msgspec.MsgspecError):
            return None

    def put(self, key: str, result: T) -> None:
        """Keep a result."""
        write_atomically(self._folder / f"{key}.json", msgspec.json.encode(result))
