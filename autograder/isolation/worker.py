"""The judge's end of one worker: requests with deadlines, and a single reason for its death."""

import contextlib
import math
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autograder.isolation.budget import Budget
from autograder.isolation.errors import DeathReason, SubmissionError, TemplateError, WorkerDied, value_of
from autograder.isolation.process_clock import WatchedProcess
from autograder.isolation.serving import NO_MEMORY, NOTICE, READY, REFUSED, UNSENDABLE
from autograder.isolation.stream import Deadline, DeadlinePassed, OutputFlood, StreamClosed, WorkerStream
from autograder.isolation.wire import REQUESTS, Caps, ProtocolError, decode, encode

# A sleeping worker uses no CPU time, so its wall-clock limit is this multiple of its CPU seconds.
WALL_FACTOR = 4
# The final wall-clock limit, for a worker that stays runnable but gets no processor, or waits for the disk.
LAST_FACTOR = 40
# How long a fork may take to lock itself; generous, for a machine that swaps.
LOCK_SECONDS = 60.0
_MOST_REFUSALS = 20
# A worker whose memory has grown by more than this is not used again: the next check has its whole limit.
_MOST_GROWTH = 64 << 20


@dataclass(frozen=True)
class WorkerLimits:
    """The resources that one worker may use.

    Attributes:
        call_cpu_seconds: CPU time per request.
        worker_cpu_seconds: CPU time of all requests together.
        memory_mb: Memory in MiB beyond that of a fresh worker.
        reply_mb: Size in MiB of the tensors in one reply.
    """

    call_cpu_seconds: float = 4.0
    worker_cpu_seconds: float = 30.0
    memory_mb: int = 1024
    reply_mb: int = 64


class Worker:
    """One locked process that runs an executor for one submission. Created by ``Template.spawn``.

    Args:
        pid: The worker's pid in the template's namespace.
        descriptors: The worker's socket, the reading end of its output and, on Linux, its pidfd; owned.
        limits: The resources that the worker may use.
        exit_code_of: Returns the exit code of the process with this pid, as the template reports it.
        budget: The time that it shares with the submission's other workers; only its own limits count if None.

    Attributes:
        refusals: Name, file, line and function of the forbidden calls that it has reported, the first few.
    """

    def __init__(
        self,
        pid: int,
        descriptors: list[int],
        limits: WorkerLimits,
        exit_code_of: Callable[[int], int | None],
        budget: Budget | None = None,
    ) -> None:
        channel, output, *pidfd = descriptors
        self._exit_code_of = exit_code_of
        self._pid = pid
        self._limits = limits
        self._process = WatchedProcess(pid, pidfd[0] if pidfd else None)
        self._stream = WorkerStream(socket.socket(fileno=channel), output)
        self._caps = Caps(payload=limits.reply_mb << 20)
        self._number = 0
        self._cpu_at_start = self._cpu_counted = self._cpu_of_process = self._process.cpu_seconds()
        self._mapped = 0
        self._waited = self._starved_counted = 0.0
        self._budget = budget or Budget(math.inf, math.inf)
        self._death: tuple[DeathReason, str] | None = None
        self._open = True
        self.refusals: list[tuple[str, str, int, str]] = []

    def wait_until_locked(self) -> None:
        """Wait until the worker reports that it is locked and ready; no student code has run by then.

        Raises:
            TemplateError: The worker could not be locked.
        """
        deadline = Deadline(math.inf, time.monotonic() + LOCK_SECONDS, self._process.cpu_seconds)
        try:
            number, status = decode(lambda view: self._stream.read(view, deadline), self._caps)
        except (StreamClosed, DeadlinePassed, ProtocolError):
            self._stream.drain()
            printed = self._stream.printed
            self.kill()
            raise TemplateError(f"a worker could not be locked; run `autograder doctor`\n{printed}") from None
        if (number, status) != (0, READY):
            self.kill()
            raise TemplateError("a worker sent an unexpected first message")
        self._mapped = self._process.mapped_bytes()

    def request(self, op: str, **arguments: Any) -> Any:
        """Run one operation of the executor and return its value.

        Raises:
            SubmissionError: The submission raised.
            WorkerDied: The worker ended, or its reply was invalid; every later request raises this again.
            TypeError: An argument cannot be sent.
        """
        self.post(op, **arguments)
        return self.settle()

    def post(self, op: str, **arguments: Any) -> None:
        """Send one operation without waiting for the reply; the worker runs it in the meantime.

        Raises:
            WorkerDied, TypeError: As for ``request``.
        """
        self._refuse_if_dead()
        pieces = encode(self._number + 1, [op, arguments], REQUESTS)
        self._number += 1
        with self._talking() as deadline:
            for piece in pieces:
                self._stream.write(piece, deadline)

    def settle(self) -> Any:
        """Wait for the value of the operation sent by ``post``.

        Raises:
            SubmissionError, WorkerDied: As for ``request``.
        """
        self._refuse_if_dead()
        with self._talking() as deadline:
            return value_of(self._receive(deadline))

    def _refuse_if_dead(self) -> None:
        if self._death is None and self._budget.exhausted:
            raise self._died(DeathReason.OUT_OF_TIME)
        if self._death is not None:
            raise WorkerDied(*self._death)

    @contextlib.contextmanager
    def _talking(self) -> Iterator[Deadline]:
        """Yield a deadline for sending or receiving; a failure inside the block ends the worker."""
        started = time.monotonic()
        try:
            yield self._deadline(started)
        except DeadlinePassed:
            self._count(time.monotonic() - started)
            started = time.monotonic()
            exhausted = self._budget.exhausted
            raise self._died(DeathReason.OUT_OF_TIME if exhausted else DeathReason.TIMEOUT) from None
        except OutputFlood:
            raise self._died(DeathReason.OUTPUT) from None
        except StreamClosed:
            raise self._died(*self._exit_reason()) from None
        except ProtocolError as error:
            raise self._died(DeathReason.PROTOCOL, str(error)) from None
        finally:
            self._count(time.monotonic() - started)

    def _count(self, waited: float) -> None:
        """Take the time of a wait, and the processor time since the last one, from what is left."""
        self._waited += waited
        starved = max(self._starved_counted, self._process.starved_seconds())
        self._budget.wait_left -= max(0.0, waited - (starved - self._starved_counted))
        self._starved_counted = starved
        cpu = self._process.cpu_seconds()
        self._budget.cpu_left -= cpu - self._cpu_counted
        self._cpu_counted = cpu

    def renew(self) -> None:
        """Ask for a fresh start without waiting for the reply: another check may use the worker afterwards.

        The modules must have been loaded with ``renewable``.

        Raises:
            WorkerDied: As for ``request``.
        """
        self.post("renew")

    def renewed(self) -> bool:
        """Whether the worker is as it was after it loaded its modules; if so, its limits begin anew.

        It says itself that its modules hold the same as then. What it printed, reported or used is known here.
        """
        try:
            same = self.settle() is True
            with self._talking():
                self._stream.drain()
        except (SubmissionError, WorkerDied):
            return False
        used = self._process.cpu_seconds() - self._cpu_of_process
        grown = self._process.mapped_bytes() - self._mapped
        if not same or self.refusals or self._stream.printed or used > self._limits.worker_cpu_seconds:
            return False
        self._cpu_at_start, self._waited = self._cpu_counted, 0.0
        return grown < _MOST_GROWTH

    def kill(self) -> None:
        """End the worker. May be called twice."""
        self._end(DeathReason.EXITED, "the judge ended the worker")

    def _receive(self, deadline: Deadline) -> Any:
        number, answer = NOTICE, None
        while number == NOTICE:
            number, answer = decode(lambda view: self._stream.read(view, deadline), self._caps)
            if number == NOTICE:
                self._note(answer)
        if number != self._number or self._stream.leftover:
            raise ProtocolError("a reply without a request")
        match answer:
            case [kind, str(problem)] if kind == UNSENDABLE:
                raise ProtocolError(f"the result cannot be sent: {problem}")
        return answer

    def _note(self, notice: Any) -> None:
        """Keep a notice about a forbidden call."""
        match notice:
            case [kind, str(name), str(file), int(line), str(function)] if kind == REFUSED:
                if len(self.refusals) < _MOST_REFUSALS:
                    self.refusals.append((name, file, line, function))
            case _:
                raise ProtocolError("a notice that is not about a forbidden call")

    def _deadline(self, now: float) -> Deadline:
        call, total = self._limits.call_cpu_seconds, self._limits.worker_cpu_seconds
        cpu = self._process.cpu_seconds()
        return Deadline(
            cpu=min(cpu + call, self._cpu_at_start + total, self._cpu_counted + self._budget.cpu_left),
            wall=now + min(WALL_FACTOR * call, WALL_FACTOR * total - self._waited, self._budget.wait_left),
            cpu_clock=self._process.cpu_seconds,
            starved=self._process.starved_seconds,
            asleep=self._process.asleep,
            last=now + LAST_FACTOR * call,
        )

    def _exit_reason(self) -> tuple[DeathReason, str]:
        """Why a worker that closed its socket ended."""
        code = self._exit_code_of(self._pid)
        with contextlib.suppress(OutputFlood):
            self._stream.drain()
        printed = self._stream.printed[-2000:]
        if code is None:
            return DeathReason.EXITED, "it closed its connection and continued to run"
        if code >= 0:
            reason = DeathReason.OUT_OF_MEMORY if code == NO_MEMORY else DeathReason.EXITED
            return reason, f"exit code {code}\n{printed}".strip()
        detail = f"ended by {_signal_name(-code)}\n{printed}".strip()
        # The kernel kills a process when the machine runs out of memory; C++ aborts when an allocation fails.
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
            self._count(0.0)
            self._process.kill()
            self._process.close()
            self._stream.close()  # the template treats this as the worker's end too, and reaps it


def _signal_name(number: int) -> str:
    """The name of a signal; real-time signals have none."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
