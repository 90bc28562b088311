"""What the judge and the template say to each other: fork a worker, tell how one ended.

Both sides are ours, and a worker never has the socket. A request carries a number that its reply
repeats: a judge that died between the two leaves a reply behind, which the next one must not take.
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
    """The template is ready; the number of its threads."""

    threads: int


class Fork(msgspec.Struct, frozen=True, tag=True):
    """Fork a worker that may use this much; see ``process.WorkerLimits``."""

    number: int
    memory_mb: int
    cpu_seconds: int
    reply_mb: int

    @property
    def limits(self) -> tuple[int, int, int]:
        """What the worker may use; the same for workers that can stand in for each other."""
        return self.memory_mb, self.cpu_seconds, self.reply_mb


class Forked(msgspec.Struct, frozen=True, tag=True):
    """A worker. Comes with its socket, the reading end of its output and, on Linux, its pidfd."""

    number: int
    pid: int


class End(msgspec.Struct, frozen=True, tag=True):
    """Tell how a worker ended that has closed its socket; if it goes on without, end it."""

    number: int
    pid: int


class Ended(msgspec.Struct, frozen=True, tag=True):
    """How a worker ended: its exit code, or the negative number of the signal; None when it had to be killed."""

    number: int
    exit_code: int | None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The template could not do what was asked, or could not start (number 0)."""

    number: int
    reason: str


Request = Fork | End
Reply = Started | Forked | Ended | Failed


class Control:
    """Messages with file descriptors over a Unix stream socket."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._stream.fileno()

    def send(self, message: Request | Reply, descriptors: Sequence[int] = ()) -> None:
        """Send one message, and copies of ``descriptors`` with it."""
        body = msgspec.msgpack.encode(message)
        # Small enough for the socket to take it in one piece.
        socket.send_fds(self._stream, [_LENGTH.pack(len(body)) + body], list(descriptors))

    def receive(self, kind: Any) -> tuple[Any, list[int]]:
        """Receive one message and the descriptors that came with it; they belong to the caller.

        Raises:
            EOFError: the other side is gone.
            TimeoutError: the socket has a timeout, and it passed.
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
