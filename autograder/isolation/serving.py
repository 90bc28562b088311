"""The worker's request loop: read a request, run it, write the reply."""

import os
from collections.abc import Sequence
from typing import NoReturn

from autograder.isolation.executor import Executor
from autograder.isolation.wire import REQUESTS, Caps, decode, encode

SOCKET = 3
# Exit codes for a failure before any student code has run, and for memory that ran out between requests.
LOCKING_FAILED = 120
NO_MEMORY = 121

READY = "ready"
UNSENDABLE = "unsendable"
# Messages that a worker sends while it runs a request have this number; it reports a forbidden call.
NOTICE = 0
REFUSED = "refused"

_READ_AHEAD = 1 << 16


class _Input:
    """Buffered input from the socket; a request and its small tensors arrive in one read."""

    def __init__(self) -> None:
        self._ahead = memoryview(b"")

    def read(self, view: memoryview) -> None:
        """Fill the view. The worker exits when the judge's side closes."""
        while view:
            if not self._ahead and len(view) >= _READ_AHEAD:
                count = os.readv(SOCKET, [view])
            else:
                self._ahead = self._ahead or memoryview(os.read(SOCKET, _READ_AHEAD))
                count = min(len(view), len(self._ahead))
                view[:count] = self._ahead[:count]
                self._ahead = self._ahead[count:]
            if count == 0:
                os._exit(0)
            view = view[count:]


def serve(reply_bytes: int) -> NoReturn:
    """Serve requests until the judge's side closes."""
    caps = Caps(payload=reply_bytes)

    def report(*call: str | int) -> None:
        _write(encode(NOTICE, [REFUSED, *call], caps))

    executor, source = Executor(report), _Input()
    _write(encode(0, READY, caps))
    try:
        while True:
            number, (op, arguments) = decode(source.read, REQUESTS)
            _write(_reply(number, executor.answer(op, arguments), caps))
    except MemoryError:
        os._exit(NO_MEMORY)


def _reply(number: int, answer: list[object], caps: Caps) -> Sequence[bytes | memoryview]:
    try:
        return encode(number, answer, caps)
    except MemoryError:
        raise
    except BaseException as error:  # a submission's own classes can raise anything while they are encoded
        return encode(number, [UNSENDABLE, f"{type(error).__name__}: {error}"[:200]], caps)


def _write(pieces: Sequence[bytes | memoryview]) -> None:
    for piece in pieces:
        rest = memoryview(piece).cast("B")
        while rest:
            rest = rest[os.write(SOCKET, rest) :]
