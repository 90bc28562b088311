"""The self-check finds what is open, and believes no refusal that would have come anyway."""

from pathlib import Path

import pytest
from workers import require

from autograder.base.results import IsolationLevel
from autograder.isolation import escape_attempts, selfcheck
from autograder.isolation.lockdown import Layer
from autograder.isolation.process import Template
from autograder.isolation.selfcheck import Probe, proven_level, self_check

SHARED_MEMORY = Path("/dev/shm")


def opened(template: Template) -> set[str]:
    return {probe.name for probe in self_check(template) if not probe.closed}


def test_everything_is_closed(template):
    probes = self_check(template)
    assert [probe for probe in probes if not probe.closed] == []
    assert len(probes) == len(escape_attempts.ATTEMPTS) - 1  # that a file exists can be seen at this level
    assert proven_level(template, probes) is IsolationLevel.KERNEL


def test_namespaces_close_one_more():
    require(IsolationLevel.KERNEL_NAMESPACES)
    with Template.start(level=IsolationLevel.KERNEL_NAMESPACES) as template:
        probes = self_check(template)
    assert [probe for probe in probes if not probe.closed] == []
    assert "see that a file exists" in {probe.name for probe in probes}


def test_a_container_needs_no_landlock():
    require(IsolationLevel.KERNEL)  # has seccomp as well
    with Template.start(level=IsolationLevel.CONTAINER) as template:
        assert opened(template) == set()


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        (Layer.LANDLOCK, {"read a file", "list a folder", "write a file", "write to shared memory"}),
        (Layer.SECCOMP, {"change permissions", "send over udp", "start a process", "run a program"}),
        (Layer.LIMITS, {"exceed the memory limit", "raise own limits"}),
        (Layer.PRIVILEGES, {"be open to tracing"}),
    ],
)
def test_a_layer_that_is_missing_is_noticed(layer, found):
    require(IsolationLevel.KERNEL)
    before = set(SHARED_MEMORY.iterdir())
    with Template.start(level=IsolationLevel.KERNEL, without=frozenset({layer})) as template:
        probes = self_check(template)
    assert not [left for left in SHARED_MEMORY.glob("tmp*-*") if left not in before]
    assert found <= {probe.name for probe in probes if not probe.closed}
    assert proven_level(template, probes) is IsolationLevel.NONE


def test_no_isolation_is_found_out():
    with Template.start_without_isolation() as template:
        assert {"read a file", "write a file", "start a process", "connect over tcp"} <= opened(template)


def test_every_essential_attempt_gets_through_without_isolation(template):
    probes = {probe.name: probe for probe in self_check(template)}
    assert all(probes[name.replace("_", " ")].conclusive for name in selfcheck._ESSENTIAL)


def test_a_refusal_that_comes_anyway_proves_nothing():
    assert selfcheck._probe("use_io_uring", "stopped", "stopped") == Probe(
        "use io uring", closed=True, detail="cannot be tried here: stopped", conclusive=False
    )


def test_an_essential_attempt_that_cannot_be_tried_counts_as_open():
    probe = selfcheck._probe("read_a_file", "stopped", "stopped")
    assert not probe.closed
    assert not probe.conclusive


def test_what_got_through_is_open_whatever_happened_without_isolation():
    assert not selfcheck._probe("use_io_uring", "", "stopped").closed


def test_a_control_run_that_fails_leaves_nothing_proved(template, monkeypatch):
    monkeypatch.setattr(selfcheck, "_attempts_without_isolation", lambda setting: {})
    assert opened(template) == {name.replace("_", " ") for name in selfcheck._ESSENTIAL}
