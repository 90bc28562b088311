"""Looking at processes from outside, for tests that must leave none behind."""

import time
from pathlib import Path


def wait_until_gone(pid: int, seconds: float = 30.0) -> bool:
    """Whether a process ends; a zombie has ended."""
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
    """The processes that a process has started and that have not ended."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] not in "ZX":
                found.add(int(entry.name))
    return found


def descendants_of(pid: int) -> set[int]:
    """The processes that a process has started, those that they have started, and so on."""
    children = children_of(pid)
    return children.union(*map(descendants_of, children))
