"""Messages between the pipeline and a judge process."""

import socket
import struct
from typing import Any

import msgspec

from autograder.base.results import CheckResult, IsolationLevel

_LENGTH = struct.Struct("<Q")


class Attached(msgspec.Struct, frozen=True):
    """A file submitted beside the module: its bytes, or the reason why intake refused it."""

    content: bytes = b""
    problem: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One submission of one stage, to be judged.

    Attributes:
        stage: the stage's id.
        modules: module name → checked source text; the course's where an earlier module did not pass.
        own: earlier module name → the submission's source text, where the course's stands in for it.
        seed: seed of the hidden examples.
        forbid: whether to refuse calls that the exercises forbid; a module of the course's own may use anything.
        checks: ids of the checks to run; all when None.
        attachments: file name → file, for the checks that use one.
        class_secret: the same for all students; data on which a whole class is evaluated is drawn from it.
    """

    stage: str
    modules: dict[str, str]
    seed: int
    own: dict[str, str] = {}
    forbid: bool = True
    checks: frozenset[str] | None = None
    attachments: dict[str, Attached] = {}
    class_secret: bytes = b""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The judge has started: the isolation level that it proved, and the probes that were not blocked."""

    level: IsolationLevel
    open_probes: tuple[str, ...] = ()


class Judged(msgspec.Struct, frozen=True, tag=True):
    """The results of a job, and notes for the instructor about faults of the judge that changed no point."""

    checks: tuple[CheckResult, ...]
    notes: tuple[str, ...] = ()


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The judge itself failed on a job or could not start; ``reason`` is for the instructor."""

    reason: str


Reply = Ready | Judged | Broken


class Channel:
    """Length-prefixed messages over a stream socket between two processes that trust each other."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream

    def send(self, message: Any) -> None:
        """Send one message."""
        body = msgspec.msgpack.encode(message)
        self._stream.sendall(_LENGTH.pack(len(body)) + body)

    def receive(self, kind: Any) -> Any:
        """Receive one message of this type.

        Raises:
            EOFError: the other process has ended.
        """
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        return msgspec.msgpack.decode(self._read(length), type=kind)

    def _read(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            part = self._stream.recv(min(length - len(parts), 1 << 20))
            if not part:
                raise EOFError("the other process has ended")
            parts += part
        return bytes(parts)

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()
