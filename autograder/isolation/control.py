"""Messages between the judge and the template: fork a worker, report how a worker ended.

Both sides are trusted, and a worker never has the socket. A reply repeats the number of its request: a judge
that dies between the two leaves an unread reply, which the next judge must skip.
"""

import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

import msgspec

_LENGTH = struct.Struct("<I")
_MOST_DESCRIPTORS = 8


class Started(msgspec.Struct, frozen=True, tag=True):
    """The template is ready and has this number of threads."""

    threads: int


class Fork(msgspec.Struct, frozen=True, tag=True):
    """Fork a worker with these limits; see ``process.WorkerLimits``."""

    number: int
    memory_mb: int
    cpu_seconds: int
    reply_mb: int

    @property
    def limits(self) -> tuple[int, int, int]:
        """The worker's limits; workers with equal limits are interchangeable."""
        return self.memory_mb, self.cpu_seconds, self.reply_mb


class Forked(msgspec.Struct, frozen=True, tag=True):
    """A forked worker. Sent with its socket, the reading end of its output and, on Linux, its pidfd."""

    number: int
    pid: int


class End(msgspec.Struct, frozen=True, tag=True):
    """Report how a worker that closed its socket ended; kill it if it still runs."""

    number: int
    pid: int


class Ended(msgspec.Struct, frozen=True, tag=True):
    """How a worker ended: its exit code or negative signal number; None if it had to be killed."""

    number: int
    exit_code: int | None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The template could not carry out a request, or could not start (number 0)."""

    number: int
    reason: str


Request = Fork | End
Reply = Started | Forked | Ended | Failed


class Control:
    """A channel for messages with file descriptors over a Unix stream socket."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._stream.fileno()

    def send(self, message: Request | Reply, descriptors: Sequence[int] = ()) -> None:
        """Send one message with copies of ``descriptors``."""
        body = msgspec.msgpack.encode(message)
        # The message is small enough for the socket to accept it in one piece.
        socket.send_fds(self._stream, [_LENGTH.pack(len(body)) + body], list(descriptors))

    def receive(self, kind: Any) -> tuple[Any, list[int]]:
        """Receive one message and its descriptors, which the caller owns.

        Raises:
            EOFError: The other side has ended.
            TimeoutError: The socket has a timeout, and it passed.
        """
        prefix, descriptors, _, _ = socket.recv_fds(self._stream, _LENGTH.size, _MOST_DESCRIPTORS)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        (length,) = _LENGTH.unpack(prefix + self._read(_LENGTH.size - len(prefix)))
        return msgspec.msgpack.decode(self._read(length), type=kind), descriptors

    def _read(self, length: int) -> bytes:
        parts = b""
        while len(parts) < length:
            part = self._stream.recv(length - len(parts))
            if not part:
                raise EOFError("the other process has ended")
            parts += part
        return parts

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()
