"""Fixtures for tests of the isolation: one template for all tests, fresh workers for each test."""

from collections.abc import Iterator

import pytest
from workers import OpenWorker, open_workers, require

from autograder.base.results import IsolationLevel
from autograder.isolation.process import Template


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    """A warm template whose workers are locked by the kernel."""
    require(IsolationLevel.KERNEL)
    with Template.start(level=IsolationLevel.KERNEL) as template:
        yield template


@pytest.fixture
def spawn(template: Template) -> Iterator[OpenWorker]:
    """A function that spawns workers, which end with the test."""
    opener, spawned = open_workers(template)
    yield opener
    for worker in spawned:
        worker.kill()
