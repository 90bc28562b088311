"""A worker's process as the judge sees it: how much it has computed, and how to end it."""

import contextlib
import os
import signal
import time
from pathlib import Path


class WatchedProcess:
    """A process that is not a child of ours.

    Args:
        pid: its number in the template's eyes, which another namespace may have given.
        pidfd: what Linux refers to a process by, across namespaces and never to another one; owned.
    """

    def __init__(self, pid: int, pidfd: int | None) -> None:
        self._pid = pid
        self._pidfd = pidfd
        self._number = None if pidfd is None else _own_number(pidfd)
        self._seconds = 0.0

    def cpu_seconds(self) -> float:
        """CPU time it has used, all its threads together; 0 where that cannot be known from outside."""
        if self._number is not None:
            with contextlib.suppress(OSError):  # it is gone: what it had used stays
                self._seconds = time.clock_gettime(_cpu_clock(self._number))
        return self._seconds

    def starved_seconds(self) -> float:
        """How long it was ready to compute while others had the processors; 0 where that cannot be known."""
        try:
            return int(Path(f"/proc/{self._number}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def asleep(self) -> bool:
        """Whether it waits for something other than a processor or the disk; yes where that cannot be known."""
        try:
            state = Path(f"/proc/{self._number}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return True
        return state not in ("R", "D")

    def kill(self) -> None:
        """End it, whatever it does about signals. May be called twice."""
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            elif not hasattr(os, "pidfd_open"):
                os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of it."""
        if self._pidfd is not None:
            os.close(self._pidfd)
        self._pidfd = self._number = None


def _own_number(pidfd: int) -> int:
    """The process's pid in our own namespace."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pid":
            return int(value)
    raise OSError("the kernel does not say which process a pidfd is for")


def _cpu_clock(pid: int) -> int:
    """The number of a process's CPU clock, as ``clock_getcpuclockid(3)`` makes it."""
    return (~pid << 3) | 2
