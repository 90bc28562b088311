"""The judge's end of one worker: requests under deadlines, and one reason for its death."""

import contextlib
import math
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autograder.isolation.errors import DeathReason, TemplateError, WorkerDied, value_of
from autograder.isolation.process_clock import WatchedProcess
from autograder.isolation.serving import NO_MEMORY, READY, UNSENDABLE
from autograder.isolation.stream import Deadline, DeadlinePassed, OutputFlood, StreamClosed, WorkerStream
from autograder.isolation.wire import REQUESTS, Caps, ProtocolError, decode, encode

# A worker that sleeps burns no CPU time: it may take this many times its CPU seconds on the clock on the wall.
WALL_FACTOR = 4
# What is awake all the while, and gets neither a processor nor its pages from the disk, is given up at last.
LAST_FACTOR = 40
# How long a fork may take to lock itself, on a machine that swaps.
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class WorkerLimits:
    """What one worker may use.

    Attributes:
        call_cpu_seconds: CPU time per request.
        worker_cpu_seconds: CPU time of all requests together.
        memory_mb: MiB of memory beyond what a fresh worker has.
        reply_mb: MiB of tensors in one reply.
    """

    call_cpu_seconds: float = 4.0
    worker_cpu_seconds: float = 30.0
    memory_mb: int = 1024
    reply_mb: int = 64


class Worker:
    """One locked process that runs an executor for one submission. Made by ``Template.spawn``.

    Args:
        pid: the template's number for it.
        descriptors: its socket, the reading end of its output and, on Linux, its pidfd; owned.
        limits: what it may use.
        exit_code_of: asks the template how the process with this number ended.
    """

    def __init__(
        self, pid: int, descriptors: list[int], limits: WorkerLimits, exit_code_of: Callable[[int], int | None]
    ) -> None:
        channel, output, *pidfd = descriptors
        self._exit_code_of = exit_code_of
        self._pid = pid
        self._limits = limits
        self._process = WatchedProcess(pid, pidfd[0] if pidfd else None)
        self._stream = WorkerStream(socket.socket(fileno=channel), output)
        self._caps = Caps(payload=limits.reply_mb << 20)
        self._number = 0
        self._cpu_at_start = self._process.cpu_seconds()
        self._waited = 0.0
        self._death: tuple[DeathReason, str] | None = None
        self._open = True

    def wait_until_locked(self) -> None:
        """Wait for the worker's word that it is locked and serves; nothing of a submission has run by then.

        Raises:
            TemplateError: it could not be locked.
        """
        deadline = Deadline(math.inf, time.monotonic() + LOCK_SECONDS, self._process.cpu_seconds)
        try:
            number, word = decode(lambda view: self._stream.read(view, deadline), self._caps)
        except (StreamClosed, DeadlinePassed, ProtocolError):
            self._stream.drain()
            printed = self._stream.printed
            self.kill()
            raise TemplateError(f"a worker could not be locked; run `autograder doctor`\n{printed}") from None
        if (number, word) != (0, READY):
            self.kill()
            raise TemplateError("a worker did not start as it should")

    def request(self, op: str, **arguments: Any) -> Any:
        """Run one operation of the executor and return its value.

        Raises:
            SubmissionError: the submission raised.
            WorkerDied: the worker ended, or its reply was no reply; every later request says so again.
            TypeError: an argument cannot travel.
        """
        self.post(op, **arguments)
        return self.settle()

    def post(self, op: str, **arguments: Any) -> None:
        """Send one operation and wait for nothing: the worker is at it while the judge does something else.

        Raises:
            WorkerDied, TypeError: as ``request`` does.
        """
        self._refuse_if_dead()
        pieces = encode(self._number + 1, [op, arguments], REQUESTS)
        self._number += 1
        with self._talking() as deadline:
            for piece in pieces:
                self._stream.write(piece, deadline)

    def settle(self) -> Any:
        """Wait for the value of the operation that was posted.

        Raises:
            SubmissionError, WorkerDied: as ``request`` does.
        """
        self._refuse_if_dead()
        with self._talking() as deadline:
            return value_of(self._receive(deadline))

    def _refuse_if_dead(self) -> None:
        if self._death is not None:
            raise WorkerDied(*self._death)

    @contextlib.contextmanager
    def _talking(self) -> Iterator[Deadline]:
        """A deadline to send or receive under; what goes wrong on the way is the worker's end."""
        started = time.monotonic()
        try:
            yield self._deadline(started)
        except DeadlinePassed:
            raise self._died(DeathReason.TIMEOUT) from None
        except OutputFlood:
            raise self._died(DeathReason.OUTPUT) from None
        except StreamClosed:
            raise self._died(*self._how_it_exited()) from None
        except ProtocolError as error:
            raise self._died(DeathReason.PROTOCOL, str(error)) from None
        finally:
            self._waited += time.monotonic() - started

    def kill(self) -> None:
        """End the worker. May be called twice."""
        self._end(DeathReason.EXITED, "the judge ended it")

    def _receive(self, deadline: Deadline) -> Any:
        number, answer = decode(lambda view: self._stream.read(view, deadline), self._caps)
        if number != self._number or self._stream.leftover:
            raise ProtocolError("a reply that was not asked for")
        match answer:
            case [word, str(problem)] if word == UNSENDABLE:
                raise ProtocolError(f"its result cannot be sent: {problem}")
        return answer

    def _deadline(self, now: float) -> Deadline:
        call, total = self._limits.call_cpu_seconds, self._limits.worker_cpu_seconds
        cpu = self._process.cpu_seconds()
        return Deadline(
            cpu=min(cpu + call, self._cpu_at_start + total),
            wall=now + min(WALL_FACTOR * call, WALL_FACTOR * total - self._waited),
            cpu_clock=self._process.cpu_seconds,
            starved=self._process.starved_seconds,
            asleep=self._process.asleep,
            last=now + LAST_FACTOR * call,
        )

    def _how_it_exited(self) -> tuple[DeathReason, str]:
        """Why a worker that closed its socket is gone."""
        code = self._exit_code_of(self._pid)
        with contextlib.suppress(OutputFlood):
            self._stream.drain()
        printed = self._stream.printed[-2000:]
        if code is None:
            return DeathReason.EXITED, "it closed its connection and went on"
        if code >= 0:
            reason = DeathReason.OUT_OF_MEMORY if code == NO_MEMORY else DeathReason.EXITED
            return reason, f"exit code {code}\n{printed}".strip()
        detail = f"ended by {signal.Signals(-code).name}\n{printed}".strip()
        # The kernel kills what the machine has no memory for; C++ aborts when it gets none.
        if -code == signal.SIGKILL or (-code == signal.SIGABRT and "bad_alloc" in printed):
            return DeathReason.OUT_OF_MEMORY, detail
        return DeathReason.TIMEOUT if -code == signal.SIGXCPU else DeathReason.EXITED, detail

    def _died(self, reason: DeathReason, detail: str = "") -> WorkerDied:
        self._end(reason, detail)
        return WorkerDied(reason, detail)

    def _end(self, reason: DeathReason, detail: str) -> None:
        self._death = self._death or (reason, detail)
        if self._open:
            self._open = False
            self._process.kill()
            self._process.close()
            self._stream.close()  # the template takes that as the worker's end too, and reaps it
