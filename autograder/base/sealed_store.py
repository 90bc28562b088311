"""Sealed values on disk, one JSON file for each key: a run that is stopped loses none of those that it wrote.

A seal is the HMAC-SHA256 of the store's purpose, the key and the value's bytes as they lie in the file. So a value that
was edited, or copied from another key or another store, is not believed.
"""

import hmac
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from autograder.base.atomic_files import write_atomically
from autograder.base.json_bytes import decode_json

FORMAT_VERSION = 2  # version 1 had no seals

T = TypeVar("T")


class Distrust(StrEnum):
    """Why a stored value is not believed; completes "the value …"."""

    UNSEALED = "has no seal, as in earlier versions"
    CHANGED = "was changed outside the grader, or was sealed with another secret"
    UNREADABLE = "cannot be read"
    NOT_LAST = "is not the last that was stored"
    MISSING = "was removed"


class DistrustError(Exception):
    """A stored value is not believed."""

    def __init__(self, reason: Distrust, claimed: bytes = b"") -> None:
        """Args: the reason, and the value as the file claims it, as JSON."""
        super().__init__(f"the stored value {reason}")
        self.reason = reason
        self.claimed = claimed


class _Sealed(msgspec.Struct):
    format_version: int = 1
    seal: str = ""
    value: msgspec.Raw = msgspec.Raw()


class SealedStore(Generic[T]):
    """A folder of values of one type. A key is one or more file names: all but the last name folders."""

    def __init__(self, folder: Path, kind: type[T], secret: bytes) -> None:
        """Read and write values of type ``kind`` in ``folder``, which the first ``put`` creates.

        ``secret`` must be used for nothing but seals. The folder's name is part of each seal.
        """
        self._folder = folder
        self._kind = kind
        self._secret = secret

    def get(self, *key: str) -> T | None:
        """Return the value of a key, or None if it has none.

        Raises:
            DistrustError: the file is not as this store wrote it.
        """
        try:
            raw = self.path(*key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            sealed = decode_json(raw, _Sealed)
        except msgspec.MsgspecError:
            raise DistrustError(Distrust.UNREADABLE) from None
        if sealed.format_version < FORMAT_VERSION or not sealed.seal:
            raise DistrustError(Distrust.UNSEALED, raw)
        content = bytes(sealed.value)
        if not hmac.compare_digest(sealed.seal.encode(), self._seal(key, content).encode()):
            raise DistrustError(Distrust.CHANGED, content)
        try:
            return decode_json(content, self._kind)
        except msgspec.MsgspecError:  # another version of this program sealed it
            raise DistrustError(Distrust.UNREADABLE) from None

    def put(self, value: T, *key: str) -> None:
        """Write the value of a key, whole or not at all."""
        content = msgspec.json.encode(value)
        sealed = _Sealed(FORMAT_VERSION, self._seal(key, content), msgspec.Raw(content))
        write_atomically(self.path(*key), msgspec.json.encode(sealed))

    def keys(self) -> Iterator[tuple[str, ...]]:
        """Yield the key of every file, in no particular order."""
        for folder, _, files in os.walk(self._folder):
            parts = Path(folder).relative_to(self._folder).parts
            yield from ((*parts, name.removesuffix(".json")) for name in files if name.endswith(".json"))

    def path(self, *key: str) -> Path:
        """The file of a key."""
        *folders, name = key
        return self._folder.joinpath(*folders, f"{name}.json")

    def _seal(self, key: tuple[str, ...], content: bytes) -> str:
        # As JSON, names and content cannot run into each other.
        purpose = msgspec.json.encode([self._folder.name, *key])
        return hmac.digest(self._secret, purpose + b"\n" + content, "sha256").hex()
