"""Reads commits and trees of a clone: when did the last commit that changed a file happen?

Git itself is never run in a student's repository (see ``git.py``). Every size, depth and number is limited, because
the student can have written any of these files.
"""

import functools
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from autograder.intake.git import commit_of
from autograder.intake.git_packs import (
    INDEX_HEADER,
    LARGEST_OBJECT,
    DamagedError,
    base_distance,
    object_header,
    offset_in,
    patched,
)
from autograder.intake.submission import RefusedError
from autograder.intake.tree import opened_plain_file, read_plain_file

_MB = 1024 * 1024
_MOST_READ = 256 * _MB  # of one clone, unpacked
_LARGEST_INDEX = 64 * _MB
_MOST_PACKS = 200
_MOST_COMMITS = 5_000
_MOST_DELTAS = 300
_CHUNK = 64 * 1024

_KINDS = {1: b"commit", 2: b"tree", 3: b"blob", 4: b"tag"}
_OFFSET_DELTA, _REFERENCE_DELTA = 6, 7
_NAME = re.compile("[0-9a-f]{40}")
_COMMITTER = re.compile(rb"^committer [^\n]*> (\d{1,12}) [+-]\d{4}$", re.MULTILINE)
_DAMAGED = (DamagedError, RefusedError, OSError, ValueError, IndexError, OverflowError, RecursionError)


def commit_time(folder: Path, path: str, content: bytes) -> datetime | None:
    """Read the time of the last commit that changed a file.

    Args:
        folder: the clone.
        path: the file, relative to the clone.
        content: its bytes on disk.

    Returns:
        The committer's time; None if the folder is not a clone, the history is cut off, or the file differs from the
        committed file.
    """
    head = commit_of(folder)
    if head is None or len(head) != 40:
        return None
    blobs = {_blob(content), _blob(content.replace(b"\r\n", b"\n"))}
    try:
        return _last_change(_Objects(folder), head, path, blobs)
    except _DAMAGED:
        return None


def _last_change(objects: "_Objects", head: str, path: str, blobs: set[str]) -> datetime | None:
    commit = head
    if objects.entry(commit, path) not in blobs:
        return None  # changed since the last commit
    for _ in range(_MOST_COMMITS):
        parents = objects.parents(commit)
        earlier = next((parent for parent in parents if objects.entry(parent, path) in blobs), None)
        if earlier is None:
            return objects.time(commit)
        commit = earlier
    return None


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _Objects:
    """The objects of one clone, loose or packed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unread = _MOST_READ
        self._read = functools.lru_cache(maxsize=128)(self._read_object)

    def parents(self, commit: str) -> list[str]:
        header = self._header(commit)
        return [line[7:].decode("ascii") for line in header.split(b"\n") if line.startswith(b"parent ")]

    def time(self, commit: str) -> datetime:
        found = _COMMITTER.search(self._header(commit))
        if found is None:
            raise DamagedError
        return datetime.fromtimestamp(int(found[1]), UTC)

    def entry(self, commit: str, path: str) -> str | None:
        """The id of the file at a path in a commit; None if the commit has no such file."""
        first = self._header(commit).split(b"\n", 1)[0]
        current: str | None = first.removeprefix(b"tree ").decode("ascii")
        for part in path.encode().split(b"/"):
            if current is None:
                return None
            current = dict(_entries(self._get(current, b"tree"))).get(part)
        return current

    def _header(self, commit: str) -> bytes:
        return self._get(commit, b"commit").split(b"\n\n", 1)[0]

    def _get(self, name: str, kind: bytes) -> bytes:
        found, body = self._read(name)
        if found != kind:
            raise DamagedError
        return body

    def _read_object(self, name: str) -> tuple[bytes, bytes]:
        if not _NAME.fullmatch(name):
            raise DamagedError
        try:
            raw = read_plain_file(self._folder, f".git/objects/{name[:2]}/{name[2:]}", LARGEST_OBJECT, hard_links=True)
        except RefusedError:
            return self._packed(name)
        header, _, body = self._inflated(lambda position: raw[position:]).partition(b"\0")
        return header.split(b" ")[0], body

    def _packed(self, name: str) -> tuple[bytes, bytes]:
        for pack, index in self._packs:
            offset = offset_in(index, bytes.fromhex(name))
            if offset is not None:
                with opened_plain_file(self._folder, pack, hard_links=True) as descriptor:
                    return self._at(descriptor, offset)
        raise DamagedError

    @functools.cached_property
    def _packs(self) -> list[tuple[str, bytes]]:
        """Path and index of each pack."""
        folder = ".git/objects/pack"
        try:
            names = sorted(path.name for path in (self._folder / folder).iterdir() if path.suffix == ".idx")
        except OSError:
            return []
        indexes = [
            (name, read_plain_file(self._folder, f"{folder}/{name}", _LARGEST_INDEX, hard_links=True))
            for name in names[:_MOST_PACKS]
        ]
        return [(f"{folder}/{name[:-4]}.pack", index) for name, index in indexes if index.startswith(INDEX_HEADER)]

    def _at(self, descriptor: int, offset: int) -> tuple[bytes, bytes]:
        """The object at an offset of a pack, with its deltas applied."""
        deltas: list[bytes] = []
        for _ in range(_MOST_DELTAS):
            kind, start = object_header(os.pread(descriptor, 32, offset))
            body_at = offset + start
            if kind in _KINDS:
                base, body = _KINDS[kind], self._inflated_at(descriptor, body_at)
            elif kind == _OFFSET_DELTA:
                back, length = base_distance(os.pread(descriptor, 16, body_at))
                deltas.append(self._inflated_at(descriptor, body_at + length))
                offset -= back
                continue
            elif kind == _REFERENCE_DELTA:
                deltas.append(self._inflated_at(descriptor, body_at + 20))
                base, body = self._read(os.pread(descriptor, 20, body_at).hex())
            else:
                raise DamagedError
            for delta in reversed(deltas):
                body = patched(body, delta)
            return base, body
        raise DamagedError

    def _inflated_at(self, descriptor: int, offset: int) -> bytes:
        return self._inflated(lambda position: os.pread(descriptor, _CHUNK, offset + position))

    def _inflated(self, packed: Callable[[int], bytes]) -> bytes:
        """Unpack a stream; ``packed`` returns some of its bytes from a position on."""
        stream, body, position = zlib.decompressobj(), bytearray(), 0
        try:
            while not stream.eof and (chunk := packed(position)) and len(body) < LARGEST_OBJECT:
                position += len(chunk)
                body += stream.decompress(chunk, LARGEST_OBJECT - len(body))
        except zlib.error:
            raise DamagedError from None
        self._unread -= len(body)
        if not stream.eof or self._unread < 0:
            raise DamagedError
        return bytes(body)


def _entries(tree: bytes) -> Iterator[tuple[bytes, str]]:
    position = 0
    while position < len(tree):
        space, zero = tree.index(b" ", position), tree.index(b"\0", position)
        yield tree[space + 1 : zero], tree[zero + 1 : zero + 21].hex()
        position = zero + 21
