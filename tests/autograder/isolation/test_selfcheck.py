"""The self-check detects open attempts, and ignores failures that occur without isolation too."""

from pathlib import Path

import pytest
from workers import require

from autograder.base.results import IsolationLevel
from autograder.isolation import escape_attempts, selfcheck
from autograder.isolation.lockdown import Layer
from autograder.isolation.process import Template
from autograder.isolation.selfcheck import Probe, proven_level, self_check

SHARED_MEMORY = Path("/dev/shm")


def open_attempts(template: Template) -> set[str]:
    return {probe.name for probe in self_check(template) if not probe.closed}


def test_everything_is_closed(template):
    probes = self_check(template)
    assert [probe for probe in probes if not probe.closed] == []
    assert len(probes) == len(escape_attempts.ATTEMPTS) - 1  # at this level a worker can see that a file exists
    assert proven_level(template, probes) is IsolationLevel.KERNEL


def test_namespaces_close_one_more_attempt():
    require(IsolationLevel.KERNEL_NAMESPACES)
    with Template.start(level=IsolationLevel.KERNEL_NAMESPACES) as template:
        probes = self_check(template)
    assert [probe for probe in probes if not probe.closed] == []
    assert "see that a file exists" in {probe.name for probe in probes}


def test_a_container_needs_no_landlock():
    require(IsolationLevel.KERNEL)  # has seccomp as well
    with Template.start(level=IsolationLevel.CONTAINER) as template:
        assert open_attempts(template) == set()


@pytest.mark.parametrize(
    ("layer", "open_without"),
    [
        (Layer.LANDLOCK, {"read a file", "list a folder", "write a file", "write to shared memory"}),
        (Layer.SECCOMP, {"change permissions", "send over udp", "start a process", "run a program"}),
        (Layer.LIMITS, {"exceed the memory limit", "raise own limits"}),
        (Layer.PRIVILEGES, {"allow tracing"}),
    ],
)
def test_a_missing_layer_is_detected(layer, open_without):
    require(IsolationLevel.KERNEL)
    before = set(SHARED_MEMORY.iterdir())
    with Template.start(level=IsolationLevel.KERNEL, without=frozenset({layer})) as template:
        probes = self_check(template)
    assert not [leftover for leftover in SHARED_MEMORY.glob("tmp*-*") if leftover not in before]
    assert open_without <= {probe.name for probe in probes if not probe.closed}
    assert proven_level(template, probes) is IsolationLevel.NONE


def test_missing_isolation_is_detected():
    with Template.start_without_isolation() as template:
        assert {"read a file", "write a file", "start a process", "connect over tcp"} <= open_attempts(template)


def test_every_essential_attempt_succeeds_without_isolation(template):
    probes = {probe.name: probe for probe in self_check(template)}
    assert all(probes[name.replace("_", " ")].conclusive for name in selfcheck._ESSENTIAL)


def test_a_failure_that_occurs_without_isolation_too_proves_nothing():
    assert selfcheck._probe("use_io_uring", "stopped", "stopped") == Probe(
        "use io uring", closed=True, detail="inconclusive; without isolation: stopped", conclusive=False
    )


def test_an_inconclusive_essential_attempt_counts_as_open():
    probe = selfcheck._probe("read_a_file", "stopped", "stopped")
    assert not probe.closed
    assert not probe.conclusive


def test_an_attempt_that_succeeds_is_open_whatever_happens_without_isolation():
    assert not selfcheck._probe("use_io_uring", "", "stopped").closed


def test_a_failed_control_run_proves_nothing(template, monkeypatch):
    monkeypatch.setattr(selfcheck, "_attempts_without_isolation", lambda setting: {})
    assert open_attempts(template) == {name.replace("_", " ") for name in selfcheck._ESSENTIAL}
