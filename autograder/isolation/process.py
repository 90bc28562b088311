"""The judge's side of a worker: start the template, spawn locked workers, talk to them, end them."""

import contextlib
import math
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from autograder.isolation.control import Control, End, Ended, Failed, Fork, Forked, Reply, Request, Started
from autograder.isolation.errors import DeathReason, IsolationUnavailable, TemplateError, WorkerDied, value_of
from autograder.isolation.launch import LAYERS, available_levels, start_program
from autograder.isolation.lockdown import Layer
from autograder.isolation.serving import NO_MEMORY, READY, UNSENDABLE
from autograder.isolation.stream import Deadline, DeadlinePassed, OutputFlood, StreamClosed, WorkerStream
from autograder.isolation.watch import WatchedProcess
from autograder.isolation.wire import REQUESTS, Caps, ProtocolError, decode, encode
from autograder.results import IsolationLevel

__all__ = ["IsolationUnavailable", "Limits", "Template", "TemplateError", "Worker"]

# A worker that sleeps burns no CPU time: it may take this many times its CPU seconds on the clock on the wall.
WALL_FACTOR = 4
# How long the template may take to import torch, on a cold disk; and to fork, on a machine that swaps.
START_SECONDS = 300.0
FORK_SECONDS = 60.0


@dataclass(frozen=True)
class Limits:
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
    """One locked process that runs an executor for one submission. Made by ``Template.spawn``."""

    def __init__(self, template: "Template", pid: int, descriptors: list[int], limits: Limits) -> None:
        channel, output, *pidfd = descriptors
        self._template = template
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
        deadline = Deadline(math.inf, time.monotonic() + FORK_SECONDS, self._process.cpu_seconds)
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
        if self._death is not None:
            raise WorkerDied(*self._death)
        pieces = encode(self._number + 1, [op, arguments], REQUESTS)
        self._number += 1
        started = time.monotonic()
        try:
            return value_of(self._exchange(pieces, self._deadline(started)))
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

    def _exchange(self, pieces: list[bytes | memoryview], deadline: Deadline) -> Any:
        for piece in pieces:
            self._stream.write(piece, deadline)
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
        )

    def _how_it_exited(self) -> tuple[DeathReason, str]:
        """Why a worker that closed its socket is gone."""
        code = self._template.end(self._pid)
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


class Template:
    """A warm process that forks workers.

    Asked by one judge at a time. Forks of the process that started it may ask too, one after the other;
    one that dies in between harms none of the later ones, and its workers end with it.

    Attributes:
        level: how its workers are kept apart, as far as its layers promise; ``self_check`` proves it.
    """

    level: IsolationLevel

    def __init__(self, level: IsolationLevel, layers: frozenset[Layer]) -> None:
        self.level = level
        self._errors = tempfile.TemporaryFile()  # closed with the template
        ours, theirs = socket.socketpair()
        with theirs:
            self._process: subprocess.Popen[bytes] = start_program(theirs, layers, self._errors)
        self._control = Control(ours)
        ours.settimeout(START_SECONDS)
        try:
            reply, _ = self._receive()
        except BaseException:
            self.close()
            raise
        ours.settimeout(FORK_SECONDS)
        match reply:
            case Started(threads=1):
                return
            case Started(threads=threads):
                problem = f"it runs {threads} threads, which its workers would miss"
            case _:
                problem = getattr(reply, "reason", "it did not say that it started")
        self.close()
        raise TemplateError(f"the template could not start: {problem}")

    @classmethod
    def start(cls, *, level: IsolationLevel | None = None, without: frozenset[Layer] = frozenset()) -> "Template":
        """Start a template whose workers are locked as far as this machine can.

        Args:
            level: this one, rather than the best that works.
            without: for tests alone: layers to leave out, to show that they are what stops an attack.

        Raises:
            IsolationUnavailable: the machine offers no isolation.
            TemplateError: no template could start.
        """
        problems = []
        for candidate in [level] if level else available_levels():
            try:
                return cls(candidate, LAYERS[candidate] - without)
            except TemplateError as error:
                problems.append(f"{candidate.value}: {error}")
        if not problems:
            raise IsolationUnavailable("this machine has no means to isolate student code: see `autograder doctor`")
        raise TemplateError("\n".join(problems))

    @classmethod
    def start_without_isolation(cls) -> "Template":
        """Start a template whose workers are held to their limits, and not locked."""
        return cls(IsolationLevel.NONE, LAYERS[IsolationLevel.NONE])

    def spawn(self, limits: Limits = Limits()) -> Worker:
        """A fresh worker, nothing loaded.

        Raises:
            TemplateError: the template ended, or could not fork or lock a worker.
        """
        asked = Fork(
            number=_fresh_number(),
            memory_mb=limits.memory_mb,
            # A backstop for a worker that nobody watches; deadlines come long before.
            cpu_seconds=math.ceil(2 * limits.worker_cpu_seconds) + 5,
            reply_mb=limits.reply_mb,
        )
        forked, descriptors = self._ask(asked)
        assert isinstance(forked, Forked)
        worker = Worker(self, forked.pid, descriptors, limits)
        worker.wait_until_locked()
        return worker

    def end(self, pid: int) -> int | None:
        """How a worker ended that has closed its socket: exit code, negative signal number, or None if it had not."""
        ended, _ = self._ask(End(_fresh_number(), pid))
        assert isinstance(ended, Ended)
        return ended.exit_code

    @property
    def alive(self) -> bool:
        """Whether its program runs. Asked by the process that started it."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the template and its workers. May be called twice."""
        self._control.close()
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # its session: bubblewrap, template, workers
            self._process.wait()
        self._errors.close()

    def __enter__(self) -> "Template":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Request) -> tuple[Reply, list[int]]:
        try:
            self._control.send(request)
        except OSError:
            raise self._ended() from None
        reply, descriptors = self._receive()
        while reply.number != request.number:  # asked for by a judge that did not live to take it
            for descriptor in descriptors:
                os.close(descriptor)
            reply, descriptors = self._receive()
        if isinstance(reply, Failed):
            raise TemplateError(f"the template could not fork a worker: {reply.reason}")
        return reply, descriptors

    def _receive(self) -> tuple[Any, list[int]]:
        try:
            return self._control.receive(Reply)
        except TimeoutError:
            raise TemplateError("the template does not answer; run `autograder doctor`") from None
        except (EOFError, OSError):
            raise self._ended() from None

    def _ended(self) -> TemplateError:
        return TemplateError(f"the template ended; run `autograder doctor`\n{self._printed()}".rstrip())

    def _printed(self) -> str:
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-4000:]


def _fresh_number() -> int:
    """A number for a request that no other judge has used, forks of this one included."""
    return secrets.randbits(62) + 1
