"""Calls the functions that parse students' bytes in another process, with limits on time and memory.

One process serves a whole run and is replaced when it dies: bytes that exhaust it are refused, and the next call
finds a fresh process. Equal calls are made once.
"""

import functools
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, get_type_hints

import msgspec

from autograder.intake.limited_process import Reply, Request, Spooled
from autograder.intake.refusals import IntakeError, RefusalReason, RefusedError

SECONDS = 10  # of CPU time
# A busy machine gives a process far less than one CPU.
_WALL_SECONDS_PER_CPU_SECOND = 30
_START_SECONDS = 120
_LARGEST_KEPT = 64 * 1024

_ROOT = str(Path(__file__).resolve().parents[2])
# The package need not be installed. Nothing is imported from the current folder, which may be a student's.
_BOOT = """
import sys
sys.path.append(sys.argv[1])
from autograder.intake.limited_process import serve
serve(int(sys.argv[2]))
"""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def limited(
    file: str, function: Callable[Parameters, Result], *arguments: Parameters.args, **more: Parameters.kwargs
) -> Result:
    """Call a function in the limited process.

    Args:
        file: The name of what the function reads, for messages.
        function: A function at the top level of a module of this package. Its annotated types must be those that
            msgspec converts.
        arguments: The function's arguments.
        more: None; the function takes positional arguments only.

    Raises:
        RefusedError: The function refused what it read.
        ExhaustedError: The function exceeded the limits, or failed.
        IntakeError: The process cannot be started.
    """
    assert not more
    return limited_to(SECONDS, file, function, *arguments)


def limited_to(seconds: int, file: str, function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in the limited process, for at most ``seconds`` of CPU time; see ``limited``."""
    reply = _reader().call(seconds, function, arguments)
    if reply.refusal is not None:
        raise RefusedError.of(reply.refusal)
    if reply.failure:
        raise ExhaustedError(RefusalReason.UNREADABLE, file, f"{reply.failure}; create it again from your files")
    result: Result = msgspec.msgpack.decode(reply.result, type=get_type_hints(function)["return"])
    return result


def spooled(raw: bytes) -> Spooled:
    """Keep bytes outside of memory, where the functions that are called find them."""
    return _reader().spool(raw)


@functools.cache
def _reader() -> "_Reader":
    return _Reader()


class ExhaustedError(RefusedError):
    """Reading a file exhausted the limits, or the file cannot be read at all."""


class _Reader:
    """The process, what it was sent, and what it replied. Calls come from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spool = tempfile.TemporaryFile()
        weakref.finalize(self, self._spool.close)
        self._spooled: dict[bytes, Spooled] = {}
        self._kept: dict[bytes, Reply] = {}
        self._process: _Process | None = None

    def spool(self, raw: bytes) -> Spooled:
        digest = hashlib.sha256(raw).digest()
        with self._lock:
            if digest not in self._spooled:
                start = self._spool.seek(0, os.SEEK_END)
                try:
                    self._spool.write(raw)
                    self._spool.flush()
                except OSError as error:
                    raise IntakeError(
                        f"{tempfile.gettempdir()} cannot hold the archives of the hand-ins: {error.strerror}; "
                        "free space there, or set TMPDIR to another folder"
                    ) from None
                self._spooled[digest] = Spooled(self._spool.fileno(), start, len(raw))
            return self._spooled[digest]

    def call(self, seconds: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Reply:
        encode = msgspec.msgpack.encode
        encoded = tuple(msgspec.Raw(encode(argument)) for argument in arguments)
        request = encode(Request(function.__module__, function.__qualname__, encoded, seconds))
        digest = hashlib.sha256(request).digest()
        with self._lock:
            if digest not in self._kept:
                reply = self._called(request, seconds)
                if len(reply.result) > _LARGEST_KEPT:
                    return reply
                self._kept[digest] = reply
            return self._kept[digest]

    def _called(self, request: bytes, seconds: int) -> Reply:
        if self._process is None:
            self._process = _Process(self._spool.fileno())
        try:
            return self._process.reply(request, seconds)
        except (EOFError, OSError):
            status = self._process.end()
            self._process = None
        except BaseException:  # an interrupt: the reply would be taken for that of the next request
            self._process.end()
            self._process = None
            raise
        if status in (-signal.SIGXCPU, -signal.SIGKILL):
            return Reply(failure=f"takes more than {seconds} seconds to read")
        return Reply(failure="cannot be read: it exhausts the memory")


class _Process:
    """The running process."""

    def __init__(self, spool: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, _ROOT, str(theirs.fileno())],
                pass_fds=[theirs.fileno(), spool],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt at the terminal reaches this process only
            )
        self._connection = Connection(ours.detach())
        weakref.finalize(self, _end, self._process, self._connection)
        try:
            self._receive(_START_SECONDS)
        except (EOFError, OSError):
            self.end()
            raise IntakeError("the process that reads hand-ins cannot be started; run `autograder doctor`") from None

    def reply(self, request: bytes, seconds: int) -> Reply:
        """Send a request and wait for the reply.

        Raises:
            EOFError, OSError: The process died, or the time is over.
        """
        self._connection.send_bytes(request)
        return msgspec.msgpack.decode(self._receive(seconds * _WALL_SECONDS_PER_CPU_SECOND), type=Reply)

    def _receive(self, seconds: int) -> bytes:
        if not self._connection.poll(seconds):
            raise TimeoutError
        return self._connection.recv_bytes()

    def end(self) -> int:
        """End the process; its exit status, negative for the signal that ended it before."""
        return _end(self._process, self._connection)


def _end(process: "subprocess.Popen[bytes]", connection: Connection) -> int:
    connection.close()
    try:
        return process.wait(1)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
