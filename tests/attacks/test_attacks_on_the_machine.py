"""Every attack on the machine is stopped at every level of isolation, and harms nothing."""

from collections.abc import Iterator

import pytest
from machine_attacks import LIMITS, machine_attacks, marked_slow_beyond

from autograder.base.results import IsolationLevel
from autograder.isolation.launch import available_levels
from autograder.isolation.process import Template
from autograder.isolation.wire import Reference

ATTACKS = machine_attacks()
PARAMETERS = marked_slow_beyond(ATTACKS, lambda attack: attack.goal, lambda attack: f"{attack.goal}-{attack.name}")

# These attacks only look: the kernel lets every process see that a file exists and read the clock of another process.
NEEDS_NAMESPACES = {
    "see_that_a_file_exists",
    "see_who_may_read_a_file",
    "learn_how_full_the_disk_is",
    "learn_the_clock_of_the_judge",
}
LEVELS = [
    IsolationLevel.KERNEL_NAMESPACES,
    pytest.param(IsolationLevel.KERNEL, marks=pytest.mark.slow),
    pytest.param(IsolationLevel.CONTAINER, marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=LEVELS)
def template(request: pytest.FixtureRequest) -> Iterator[Template]:
    level = request.param
    if level not in available_levels() and level is not IsolationLevel.CONTAINER:
        pytest.skip(f"this machine does not offer {level}")
    with Template.start(level=level) as template:
        yield template


def test_there_are_many_attacks():
    assert len(ATTACKS) >= 150


@pytest.mark.parametrize("attack", PARAMETERS)
def test_an_attack_is_stopped_and_does_no_harm(template, targets, attack):
    if attack.name in NEEDS_NAMESPACES and template.level is IsolationLevel.KERNEL:
        pytest.skip("without namespaces the kernel allows this to every process")
    assert not attack.succeeds(template, targets.names)
    targets.assert_unharmed()
    assert template.alive


def test_after_the_attacks_the_next_submission_runs_normally(template):
    worker = template.spawn(LIMITS)
    try:
        worker.request("load", modules={"right": "def double(x):\n    return 2 * x\n"}, main="right")
        assert worker.request("call", target=Reference("double"), args=[21], kwargs={}, grad=False)[0] == 42
    finally:
        worker.kill()
