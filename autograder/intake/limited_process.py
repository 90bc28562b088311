"""The process in which ``limited`` calls functions: it reads students' bytes and may die of them."""

import contextlib
import importlib
import io
import os
import resource
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import BinaryIO, get_type_hints

import msgspec

from autograder.intake.refusals import Refusal, RefusedError

_MEMORY = 2 << 30


class Request(msgspec.Struct, frozen=True):
    """A call: the function, its arguments as msgpack, and its limit of CPU time."""

    module: str
    function: str
    arguments: tuple[msgspec.Raw, ...]
    seconds: int


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The result as msgpack, the refusal that was raised, or the reason why there is neither."""

    result: bytes = b""
    refusal: Refusal | None = None
    failure: str = ""


class Spooled(msgspec.Struct, frozen=True):
    """Bytes in a file that both processes have open."""

    descriptor: int
    start: int
    size: int

    def open(self) -> BinaryIO:
        """The bytes as a file."""
        return io.BufferedReader(_Slice(self))


class _Slice(io.RawIOBase):
    """A part of an open file as a file of its own."""

    def __init__(self, part: Spooled) -> None:
        self._part = part
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        size = max(0, min(len(buffer), self._part.size - self._position))
        raw = os.pread(self._part.descriptor, size, self._part.start + self._position)
        buffer[: len(raw)] = raw
        self._position += len(raw)
        return len(raw)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._part.size}[whence]
        if base + offset < 0:
            raise OSError("the position is before the beginning of the file")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position


def serve(descriptor: int) -> None:
    """Answer requests until the other side closes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, OSError):
        connection.send_bytes(b"ready")
        while True:
            request = msgspec.msgpack.decode(connection.recv_bytes(), type=Request)
            _limit_time(request.seconds)
            connection.send_bytes(msgspec.msgpack.encode(_reply(request)))


def _limit_time(seconds: int) -> None:
    """End this process by a signal when it has used this much more CPU time."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + seconds + 1, most))


def _reply(request: Request) -> Reply:
    try:
        return Reply(result=_result(request.module, request.function, request.arguments))
    except RefusedError as error:
        return Reply(refusal=error.refusal)
    except (MemoryError, RecursionError):
        return Reply(failure="cannot be read: it exhausts the memory")
    except Exception as error:
        return Reply(failure=f"cannot be read ({type(error).__name__})")


def _result(module: str, name: str, arguments: Sequence[msgspec.Raw]) -> bytes:
    function = getattr(importlib.import_module(module), name)
    kinds = [kind for parameter, kind in get_type_hints(function).items() if parameter != "return"]
    values = [msgspec.msgpack.decode(raw, type=kind) for raw, kind in zip(arguments, kinds, strict=True)]
    return msgspec.msgpack.encode(function(*values))
