"""Templates and workers for tests."""

from collections.abc import Callable

import pytest

from autograder.base.results import IsolationLevel
from autograder.isolation.launch import available_levels
from autograder.isolation.process import Template, Worker, WorkerLimits
from autograder.isolation.proxy import Student

OpenWorker = Callable[..., Worker]

# Small enough for tests to exceed, large enough for torch.
SMALL = WorkerLimits(call_cpu_seconds=5.0, worker_cpu_seconds=20.0, memory_mb=400, reply_mb=4)


def require(level: IsolationLevel) -> None:
    """Skip the test if this machine does not support the isolation level."""
    if level not in available_levels():
        pytest.skip(f"this machine does not offer the isolation level {level.value}")


def load(worker: Worker, source: str, name: str = "submission", **others: str) -> Student:
    """Load a source text into a worker and return the submission."""
    worker.request("load", modules={name: source, **others}, main=name)
    return Student(worker)


def open_workers(template: Template) -> tuple[OpenWorker, list[Worker]]:
    """A function that spawns workers, and the list of the workers it has spawned."""
    spawned: list[Worker] = []

    def spawn(limits: WorkerLimits = SMALL) -> Worker:
        spawned.append(template.spawn(limits))
        return spawned[-1]

    return spawn, spawned
