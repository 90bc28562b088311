"""A pool of judge processes: the pipeline's side of ``autograder.judge.server``."""

import os
import queue
import socket
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from autograder.base.results import IsolationLevel, lowest_level
from autograder.judge.messages import Broken, Channel, Job, Judged, Ready, Reply

# One thread each: the pool uses the cores, and two OpenMP pools at the same time are many times
# slower than none.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

_CLOSING_SECONDS = 2.0


class JudgeError(Exception):
    """A judge process could not start."""


class IsolationError(JudgeError):
    """This machine does not isolate student code; the message says what to do."""


class JudgesStopped(Exception):
    """The judges were stopped; the job has no result."""


class JudgeProcess:
    """One warm judge with its template of workers, started when it is first used.

    Attributes:
        level: the isolation level that its self-check proved; None before it has started.
    """

    def __init__(self, root: Path, *, isolated: bool = True) -> None:
        self.level: IsolationLevel | None = None
        self._root = root
        self._isolated = isolated
        self._running: _Running | None = None
        self._stopped = False

    def start(self) -> "_Running":
        """Start the process and wait until it is ready, unless it is running already.

        Raises:
            IsolationError: a probe was not blocked, or this machine has no isolation.
            JudgeError: the judge could not start.
            JudgesStopped: see ``stop``.
        """
        if self._stopped:
            raise JudgesStopped
        if self._running is None:
            running = _Running.start(self._root, self._isolated)
            self._running = running
            try:
                self.level = wait_until_ready(running.channel, self._isolated)
            except BaseException:
                self.close()
                raise
        return self._running

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job; if the judge dies, return ``Broken`` and start a new judge for the next job.

        Raises:
            JudgeError: see ``start``.
            JudgesStopped: see ``stop``.
        """
        channel = self.start().channel
        try:
            channel.send(job)
            reply = channel.receive(Reply)
        except (EOFError, OSError):
            self.close()
            if self._stopped:
                raise JudgesStopped from None
            return Broken("the judge process died")
        assert isinstance(reply, (Judged, Broken))
        return reply

    def stop(self) -> None:
        """Kill the process and judge nothing more: the job that it is judging has no result. For another thread."""
        self._stopped = True
        if (running := self._running) is not None:
            running.process.kill()

    def close(self) -> None:
        """End the process, and the job that it is judging."""
        if self._running is not None:
            self._running.end()
        self._running = self.level = None


@dataclass(frozen=True)
class _Running:
    """A server process and the channel to it."""

    process: "subprocess.Popen[bytes]"
    channel: Channel

    @classmethod
    def start(cls, root: Path, isolated: bool) -> "_Running":
        ours, theirs = socket.socketpair()
        # -P: nothing is imported from the current folder, which may be a student's.
        arguments = [sys.executable, "-P", "-m", "autograder.judge.start", str(theirs.fileno()), str(root)]
        paths = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(Path(__file__).parents[2]))))
        with theirs:
            process = subprocess.Popen(
                arguments if isolated else [*arguments, "--no-isolation"],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_ONE_THREAD, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": paths},
            )
        return cls(process, Channel(ours))

    def end(self) -> None:
        self.channel.close()
        try:
            self.process.wait(_CLOSING_SECONDS)
        except subprocess.TimeoutExpired:  # it is judging a job whose result is no longer needed
            self.process.kill()
            self.process.wait()


def wait_until_ready(channel: Channel, isolated: bool) -> IsolationLevel:
    """Wait for the judge's first message, and return the isolation level that its self-check proved.

    Raises:
        IsolationError: a probe was not blocked, or isolation is required and this machine has none.
        JudgeError: the judge could not start.
    """
    try:
        reply = channel.receive(Reply)
    except EOFError:
        raise JudgeError("the judge process ended while starting; run `autograder doctor`") from None
    if isinstance(reply, Broken):
        raise JudgeError(f"the judge could not start; run `autograder doctor`\n{reply.reason}")
    assert isinstance(reply, Ready)
    if isolated and (reply.open_probes or reply.level is IsolationLevel.NONE):
        raise IsolationError(no_isolation_message(reply.open_probes))
    return reply.level


def no_isolation_message(open_probes: tuple[str, ...]) -> str:
    """Explain why this machine cannot grade, and what to do."""
    found = f"not blocked: {', '.join(open_probes)}" if open_probes else "no isolation is available"
    return (
        f"student code cannot be isolated on this machine ({found}). Grade on Linux with kernel 5.13 or newer; on "
        "macOS or Windows use Docker or WSL2. `autograder doctor` shows each probe. To grade without isolation, pass "
        "--unsafe-no-isolation: the grades are marked, and student code can then read and change your files."
    )


class JudgePool:
    """Up to ``size`` judge processes; ``judge`` may be called from several threads.

    A process starts when a job needs it: a run whose results are all stored starts no process. Use as a context
    manager.
    """

    def __init__(self, root: Path, *, size: int, isolated: bool = True) -> None:
        self._processes = [JudgeProcess(root, isolated=isolated) for _ in range(size)]
        self._idle: queue.LifoQueue[JudgeProcess] = queue.LifoQueue()  # the process used last is warm
        for process in self._processes:
            self._idle.put(process)

    def __enter__(self) -> "JudgePool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        for process in self._processes:
            process.close()

    @property
    def level(self) -> IsolationLevel:
        """The lowest level that any process has proved; starts a process if none has started.

        Raises:
            JudgeError: the process could not start, or this machine does not isolate student code.
        """
        if not self._levels():
            with self._borrowed() as process:
                process.start()
        return lowest_level(self._levels()) or IsolationLevel.NONE

    @contextmanager
    def warming(self, count: int) -> Generator[None, None, None]:
        """Start up to ``count`` processes while the block runs, and wait until they are ready.

        A process that cannot start reports why with its first job.
        """
        first = self._processes[-count:] if count else []  # the order in which jobs take them
        with ThreadPoolExecutor(max(1, count)) as threads:
            for process in first:
                threads.submit(process.start)
            try:
                yield
            except BaseException:
                self.stop()
                raise

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job on the next idle process.

        Raises:
            JudgeError: the process could not start, or this machine does not isolate student code.
            JudgesStopped: see ``stop``.
        """
        with self._borrowed() as process:
            return process.judge(job)

    def stop(self) -> None:
        """Kill every process: jobs that are being judged have no result, and no more jobs are judged."""
        for process in self._processes:
            process.stop()

    def _levels(self) -> list[IsolationLevel]:
        return [process.level for process in self._processes if process.level is not None]

    @contextmanager
    def _borrowed(self) -> Generator[JudgeProcess, None, None]:
        process = self._idle.get()
        try:
            yield process
        finally:
            self._idle.put(process)
