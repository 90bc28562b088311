"""Observe other processes, for tests that must not leave any behind; end a test that does not end."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

# The modules that the student's process runs. They import torch, numpy, msgspec and each other, and no other module
# of the grader.
WORKER_SIDE = set(
    "borrowing control error_report executor guard huge_pages lockdown module_state outline placeholders preload "
    "readable replacement self_contained serving sources syscalls template wire".split()
)


@contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """Fail a block that takes this long: it would not end."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def wait_until_gone(pid: int, seconds: float = 30.0) -> bool:
    """Wait for a process to end; whether it ended in time. A zombie has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


def children_of(pid: int) -> set[int]:
    """The children of a process that have not ended."""
    children = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] not in "ZX":
                children.add(int(entry.name))
    return children


def descendants_of(pid: int) -> set[int]:
    """The children of a process, their children, and so on."""
    children = children_of(pid)
    return children.union(*map(descendants_of, children))
