"""Templates and workers for tests, and waiting for processes to be gone."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.isolation.launch import available_levels
from autograder.isolation.process import Limits, Template, Worker
from autograder.isolation.proxy import Student
from autograder.results import IsolationLevel

OpenWorker = Callable[..., Worker]

# Small enough for tests to reach, large enough for torch.
SMALL = Limits(call_cpu_seconds=5.0, worker_cpu_seconds=20.0, memory_mb=400, reply_mb=4)


def require(level: IsolationLevel) -> None:
    """Skip where this machine cannot lock workers this way."""
    if level not in available_levels():
        pytest.skip(f"this machine does not offer the isolation level {level.value}")


def load(worker: Worker, source: str, name: str = "submission", **others: str) -> Student:
    """Load a source text into a worker."""
    worker.request("load", modules={name: source, **others}, main=name)
    return Student(worker)


def open_workers(template: Template) -> tuple[OpenWorker, list[Worker]]:
    """A function that spawns workers, and the list of those that it has spawned."""
    spawned: list[Worker] = []

    def spawn(limits: Limits = SMALL) -> Worker:
        spawned.append(template.spawn(limits))
        return spawned[-1]

    return spawn, spawned


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
