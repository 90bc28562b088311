"""The judge's side of the isolation: starts the template and has it fork locked workers."""

import contextlib
import math
import os
import secrets
import signal
import threading
from types import TracebackType
from typing import Any

from autograder.base.results import IsolationLevel
from autograder.isolation.budget import Budget
from autograder.isolation.control import Control, End, Ended, Failed, Fork, Forked, Reply, Request, Started
from autograder.isolation.errors import DeathReason, IsolationUnavailable, TemplateError, WorkerDied
from autograder.isolation.launch import Program, available_levels, layers_of
from autograder.isolation.lockdown import Layer
from autograder.isolation.worker import Worker, WorkerLimits

__all__ = ["IsolationUnavailable", "Template", "TemplateError", "Worker", "WorkerLimits"]

# How long the template may take to import torch from a cold disk, and to fork on a machine that swaps.
START_SECONDS = 300.0
FORK_SECONDS = 60.0
_USUAL_LIMITS = WorkerLimits()


class Template:
    """A warm process that forks workers.

    Several threads may use it at once. Forks of the process that started it may use it too, one after the other.
    If such a fork dies during a request, later forks are unaffected, and its workers end with it.

    Attributes:
        level: The isolation level that its layers should give; ``self_check`` verifies it.
    """

    level: IsolationLevel

    def __init__(self, program: Program) -> None:
        self.level = program.level
        self._errors = program.errors
        self._process = program.process
        self._control = Control(program.control)
        self._lock = threading.Lock()
        program.control.settimeout(START_SECONDS)
        try:
            reply, _ = self._receive()
        except BaseException:
            self.close()
            raise
        program.control.settimeout(FORK_SECONDS)
        match reply:
            case Started(threads=1):
                return
            case Started(threads=threads):
                problem = f"it runs {threads} threads, and forked workers would lose all but one"
            case _:
                problem = getattr(reply, "reason", "it did not report that it started")
        self.close()
        raise TemplateError(f"the template could not start: {problem}")

    @classmethod
    def start(
        cls,
        *,
        level: IsolationLevel | None = None,
        without: frozenset[Layer] = frozenset(),
        started: Program | None = None,
    ) -> "Template":
        """Start a template whose workers are locked as strongly as this machine supports.

        Args:
            level: The level to use, instead of the strongest that works.
            without: Layers to leave out; only for tests, which show that a layer stops an attack.
            started: The result of ``Program.first``, which is used first.

        Raises:
            IsolationUnavailable: The machine offers no isolation.
            TemplateError: No template could start.
        """
        problems = []
        for candidate in [level] if level else available_levels():
            program, started = started or Program.start(candidate, layers_of(candidate) - without), None
            try:
                return cls(program)
            except TemplateError as error:
                problems.append(f"{candidate.value}: {error}")
        if not problems:
            raise IsolationUnavailable("this machine cannot isolate student code; run `autograder doctor` for details")
        raise TemplateError("\n".join(problems))

    @classmethod
    def start_without_isolation(cls, started: Program | None = None) -> "Template":
        """Start a template whose workers have resource limits but are not locked."""
        return cls(started or Program.start(IsolationLevel.NONE, layers_of(IsolationLevel.NONE)))

    def spawn(self, limits: WorkerLimits = _USUAL_LIMITS, budget: Budget | None = None) -> Worker:
        """Start a worker with nothing loaded.

        Args:
            limits: The resources that the worker may use.
            budget: The time that it shares with other workers, if any.

        Raises:
            WorkerDied: Nothing is left of the budget.
            TemplateError: The template ended, or could not fork or lock a worker.
        """
        if budget is not None and budget.exhausted:
            raise WorkerDied(DeathReason.OUT_OF_TIME)
        request = Fork(
            number=_fresh_number(),
            memory_mb=limits.memory_mb,
            # A backstop for a worker whose judge is gone; deadlines end a worker much earlier.
            cpu_seconds=math.ceil(2 * limits.worker_cpu_seconds) + 5,
            reply_mb=limits.reply_mb,
        )
        forked, descriptors = self._send(request)
        assert isinstance(forked, Forked)
        worker = Worker(forked.pid, descriptors, limits, self._exit_code_of, budget)
        worker.wait_until_locked()
        return worker

    @property
    def alive(self) -> bool:
        """Whether its program runs. Valid only in the process that started it."""
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
        """Exit code or negative signal number of a worker that closed its socket; None if it had to be killed."""
        ended, _ = self._send(End(_fresh_number(), pid))
        assert isinstance(ended, Ended)
        return ended.exit_code

    def _send(self, request: Request) -> tuple[Reply, list[int]]:
        with self._lock:
            try:
                self._control.send(request)
            except OSError:
                raise self._ended() from None
            reply, descriptors = self._receive()
            while reply.number != request.number:  # a reply to a judge that died before it received it
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
            raise TemplateError("the template does not respond; run `autograder doctor`") from None
        except (EOFError, OSError):
            raise self._ended() from None

    def _ended(self) -> TemplateError:
        return TemplateError(f"the template ended; run `autograder doctor`\n{self._error_output()}".rstrip())

    def _error_output(self) -> str:
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-4000:]


def _fresh_number() -> int:
    """A request number that no other judge uses, including forks of this process."""
    return secrets.randbits(62) + 1
