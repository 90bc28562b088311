"""The judge's side of the isolation: start the template, and let it fork locked workers."""

import contextlib
import math
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
from types import TracebackType
from typing import Any

from autograder.base.results import IsolationLevel
from autograder.isolation.control import Control, End, Ended, Failed, Fork, Forked, Reply, Request, Started
from autograder.isolation.errors import IsolationUnavailable, TemplateError
from autograder.isolation.launch import available_levels, layers_of, start_program
from autograder.isolation.lockdown import Layer
from autograder.isolation.worker import Worker, WorkerLimits

__all__ = ["IsolationUnavailable", "Template", "TemplateError", "Worker", "WorkerLimits"]

# How long the template may take to import torch, on a cold disk; and to fork, on a machine that swaps.
START_SECONDS = 300.0
FORK_SECONDS = 60.0
_USUAL_LIMITS = WorkerLimits()


class Template:
    """A warm process that forks workers.

    Threads may ask at once. Forks of the process that started it may ask too, one after the other; one that dies in
    between harms none of the later ones, and its workers end with it.

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
        self._asking = threading.Lock()
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
                return cls(candidate, layers_of(candidate) - without)
            except TemplateError as error:
                problems.append(f"{candidate.value}: {error}")
        if not problems:
            raise IsolationUnavailable("this machine has no means to isolate student code: see `autograder doctor`")
        raise TemplateError("\n".join(problems))

    @classmethod
    def start_without_isolation(cls) -> "Template":
        """Start a template whose workers are held to their limits, and not locked."""
        return cls(IsolationLevel.NONE, layers_of(IsolationLevel.NONE))

    def spawn(self, limits: WorkerLimits = _USUAL_LIMITS) -> Worker:
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
        worker = Worker(forked.pid, descriptors, limits, self._exit_code_of)
        worker.wait_until_locked()
        return worker

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

    def _exit_code_of(self, pid: int) -> int | None:
        """How a worker ended that has closed its socket: exit code, negative signal number, or None if it had not."""
        ended, _ = self._ask(End(_fresh_number(), pid))
        assert isinstance(ended, Ended)
        return ended.exit_code

    def _ask(self, request: Request) -> tuple[Reply, list[int]]:
        with self._asking:
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
