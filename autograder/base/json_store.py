"""Values on disk, one JSON file for each key: a run that is stopped loses none of those that it wrote."""

from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from autograder.base.atomic_files import write_atomically
from autograder.base.json_bytes import decode_json

T = TypeVar("T")


class JsonStore(Generic[T]):
    """A folder of values of one type. A key is one or more file names: all but the last name folders."""

    def __init__(self, folder: Path, kind: type[T]) -> None:
        """Read and write values of type ``kind`` in ``folder``, which the first ``put`` creates."""
        self._folder = folder
        self._kind = kind

    def get(self, *key: str) -> T | None:
        """Return the value of a key, or None if its file is missing or cannot be read as this type."""
        try:
            return decode_json(self._path(key).read_bytes(), self._kind)
        except (OSError, msgspec.MsgspecError):
            return None

    def put(self, value: T, *key: str) -> None:
        """Write the value of a key, whole or not at all."""
        write_atomically(self._path(key), msgspec.json.encode(value))

    def remove(self, *key: str) -> None:
        """Remove the value of a key, if there is one."""
        self._path(key).unlink(missing_ok=True)

    def keys(self) -> Iterator[tuple[str, ...]]:
        """Yield the key of every file, in no particular order."""
        for path in self._folder.rglob("*.json"):
            yield path.relative_to(self._folder).with_suffix("").parts

    def _path(self, key: tuple[str, ...]) -> Path:
        *folders, name = key
        return self._folder.joinpath(*folders, f"{name}.json")
