"""Judge processes, several at once: the pipeline's side of ``autograder.judge.server``."""

import os
import queue
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from autograder.judge.messages import Broken, Channel, Job, Judged, Ready, Reply
from autograder.results import IsolationLevel, lowest_level

# One thread each: the pool is what uses the cores, and two OpenMP pools beside each other are
# many times slower than none.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

_CLOSING_SECONDS = 2.0


class JudgeError(Exception):
    """A judge process could not start."""


class IsolationError(JudgeError):
    """This machine does not isolate student code; the message says what to do."""


class JudgeProcess:
    """One warm judge with its template of workers."""

    def __init__(self, root: Path, *, isolated: bool = True) -> None:
        self._root = root
        self._isolated = isolated
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        arguments = [sys.executable, "-m", "autograder.judge.server", str(theirs.fileno()), str(self._root)]
        self._process = subprocess.Popen(
            arguments if self._isolated else [*arguments, "--no-isolation"],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        theirs.close()
        self._channel = Channel(ours)

    def wait_until_ready(self) -> IsolationLevel:
        """The level of isolation that the judge's self-check proved.

        Raises:
            IsolationError: a probe got through, or there is no isolation at all.
            JudgeError: the judge could not start.
        """
        try:
            reply = self._channel.receive(Reply)
        except EOFError:
            raise JudgeError("the judge process ended while starting; run `autograder doctor`") from None
        if isinstance(reply, Broken):
            raise JudgeError(f"the judge could not start; run `autograder doctor`\n{reply.reason}")
        assert isinstance(reply, Ready)
        if self._isolated and (reply.open_probes or reply.level is IsolationLevel.NONE):
            raise IsolationError(refusal(reply.open_probes))
        return reply.level

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job; a judge that dies is an answer too, and a new one takes its place."""
        try:
            self._channel.send(job)
            reply = self._channel.receive(Reply)
        except (EOFError, OSError):
            self.close()
            self._start()
            self.wait_until_ready()
            return Broken("the judge process died")
        assert isinstance(reply, (Judged, Broken))
        return reply

    def close(self) -> None:
        """End the process, and what it is doing."""
        self._channel.close()
        try:
            self._process.wait(_CLOSING_SECONDS)
        except subprocess.TimeoutExpired:  # in the middle of a job, which nobody waits for any more
            self._process.kill()
            self._process.wait()


def refusal(open_probes: tuple[str, ...]) -> str:
    """Why grading is refused on this machine, and what to do."""
    found = f"these got through: {', '.join(open_probes)}" if open_probes else "no isolation is available"
    return (
        f"student code cannot be isolated on this machine ({found}). Grade on Linux with kernel 5.13 or newer; on "
        "macOS or Windows use Docker or WSL2. `autograder doctor` shows each probe. To grade without isolation all the "
        "same, pass --unsafe-no-isolation: the grades are marked, and student code can then read and change your files."
    )


class JudgePool:
    """``size`` judge processes; ``judge`` may be called from as many threads.

    Use as a context manager. ``level`` is the lowest level that any of them proved.
    """

    def __init__(self, root: Path, *, size: int, isolated: bool = True) -> None:
        self._processes = [JudgeProcess(root, isolated=isolated) for _ in range(size)]
        self._idle: queue.SimpleQueue[JudgeProcess] = queue.SimpleQueue()
        self.level = IsolationLevel.NONE

    def __enter__(self) -> "JudgePool":
        try:
            levels = [process.wait_until_ready() for process in self._processes]
        except BaseException:
            self._close()
            raise
        self.level = lowest_level(levels)
        for process in self._processes:
            self._idle.put(process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job on the next idle process."""
        with self._borrowed() as process:
            return process.judge(job)

    @contextmanager
    def _borrowed(self) -> Generator[JudgeProcess, None, None]:
        process = self._idle.get()
        try:
            yield process
        finally:
            self._idle.put(process)

    def _close(self) -> None:
        for process in self._processes:
            process.close()
