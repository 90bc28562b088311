"""A lock that only one run at a time has, and that says who has it."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from autograder.base.errors import UnusableError
from autograder.base.json_bytes import decode_json

LOCK_FILE = ".autograder.lock"


class OtherRunError(UnusableError):
    """Another run works with the same results and gradebook; the message says which."""


class _Holder(msgspec.Struct):
    command: str
    pid: int
    host: str
    since: datetime

    def __str__(self) -> str:
        since = self.since.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        return f"`{self.command}`, process {self.pid} on {self.host}, since {since}"


@contextlib.contextmanager
def only_run(folder: Path, command: str) -> Iterator[None]:
    """Hold the lock of a course while the block runs.

    The kernel releases the lock when its process ends, however it ends: the lock of a dead run is taken over.

    Args:
        folder: the folder of the course's grades.
        command: the command of this run, for the message of another run.

    Raises:
        OtherRunError: another run holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Not truncated here: the content names the run that holds the lock. Never removed: a waiting run may have it open.
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OtherRunError(_busy(folder, file.read())) from None
        file.truncate()
        file.write(msgspec.json.encode(_Holder(command, os.getpid(), socket.gethostname(), datetime.now(UTC))))
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()


def _busy(folder: Path, content: bytes) -> str:
    try:
        holder = str(decode_json(content, _Holder))
    except msgspec.MsgspecError:  # it is just starting
        holder = "it has just started"
    return f"another run works in {folder}: {holder}. Wait until it has ended, then run this command again"
