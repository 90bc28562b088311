"""A worker's process as the judge sees it: its CPU time, and how to end it."""

import contextlib
import mmap
import os
import signal
import time
from pathlib import Path


class WatchedProcess:
    """A process that is not a child of this process.

    Args:
        pid: The pid as the template sees it, possibly in another pid namespace.
        pidfd: On Linux, a descriptor of the process, valid across namespaces and never reused for another process;
            owned.
    """

    def __init__(self, pid: int, pidfd: int | None) -> None:
        self._pid = pid
        self._pidfd = pidfd
        self._own_pid = None if pidfd is None else _own_pid(pidfd)
        self._seconds = 0.0

    def cpu_seconds(self) -> float:
        """CPU time of all its threads; 0 if it cannot be read from outside."""
        if self._own_pid is not None:
            with contextlib.suppress(OSError):  # the process has ended: its last reading stays
                self._seconds = time.clock_gettime(_cpu_clock(self._own_pid))
        return self._seconds

    def starved_seconds(self) -> float:
        """Time that it was runnable without a processor; 0 if it cannot be read."""
        try:
            return int(Path(f"/proc/{self._own_pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def asleep(self) -> bool:
        """Whether it waits for something other than a processor or the disk; True if the state cannot be read."""
        try:
            state = Path(f"/proc/{self._own_pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return True
        return state not in ("R", "D")

    def mapped_bytes(self) -> int:
        """Size of its address space; 0 if it cannot be read."""
        try:
            return int(Path(f"/proc/{self._own_pid}/statm").read_text().split()[0]) * mmap.PAGESIZE
        except (OSError, IndexError, ValueError):
            return 0

    def kill(self) -> None:
        """Kill it, even if it blocks signals. May be called twice."""
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            elif not hasattr(os, "pidfd_open"):
                os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the pidfd. May be called twice."""
        if self._pidfd is not None:
            os.close(self._pidfd)
        self._pidfd = self._own_pid = None


def _own_pid(pidfd: int) -> int:
    """The pid of the process in this process's own namespace."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pid":
            return int(value)
    raise OSError("the kernel does not report the pid of a pidfd")


def _cpu_clock(pid: int) -> int:
    """The id of a process's CPU clock, as ``clock_getcpuclockid(3)`` computes it."""
    return (~pid << 3) | 2
