"""Every attack on the machine is stopped. Without one layer some attacks succeed, so each layer is needed."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import reaching_out

from autograder.base.results import IsolationLevel
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.launch import available_levels
from autograder.isolation.lockdown import Layer
from autograder.isolation.process import Template, Worker, WorkerLimits
from autograder.isolation.wire import Reference

SOURCE = Path(reaching_out.__file__).read_text(encoding="utf-8")
ATTACKS = [
    name
    for name, function in inspect.getmembers(reaching_out, inspect.isfunction)
    if list(inspect.signature(function).parameters) == ["target"]
]
LIMITS = WorkerLimits(call_cpu_seconds=5, worker_cpu_seconds=20, memory_mb=300, reply_mb=4)

# This attack only reads: without namespaces the kernel lets every process read the clock of another process.
NEEDS_NAMESPACES = {"learn_the_clock_of_the_judge"}

# Some of the attacks that succeed without one layer; only that layer stops them.
SUCCEED_WITHOUT_SECCOMP = ["ask_a_name_server", "fork", "start_a_thread", "change_the_times"]
SUCCEED_WITHOUT_LANDLOCK = ["read_the_reference", "read_the_hidden_tests", "read_the_accounts"]


@pytest.fixture(scope="module", params=[IsolationLevel.KERNEL_NAMESPACES, IsolationLevel.KERNEL])
def template(request: pytest.FixtureRequest) -> Iterator[Template]:
    if request.param not in available_levels():
        pytest.skip(f"this machine does not offer {request.param}")
    with Template.start(level=request.param) as template:
        yield template


def attack(template: Template, name: str, target: dict[str, object]) -> bool:
    """Run an attack in a worker and return whether it succeeded."""
    worker: Worker = template.spawn(LIMITS)
    try:
        worker.request("load", modules={"reaching_out": SOURCE}, main="reaching_out")
        worker.request("call", target=Reference(name), args=[target], kwargs={}, grad=False)
    except (SubmissionError, WorkerDied):
        return False
    finally:
        worker.kill()
    return True


def still_serves(template: Template) -> bool:
    """Whether the next submission runs normally."""
    worker = template.spawn(LIMITS)
    try:
        worker.request("load", modules={"right": "def double(x):\n    return 2 * x\n"}, main="right")
        return worker.request("call", target=Reference("double"), args=[21], kwargs={}, grad=False)[0] == 42
    finally:
        worker.kill()


def test_there_are_many_attacks():
    assert len(ATTACKS) >= 60


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_stopped_and_does_no_harm(template, targets, name):
    if name in NEEDS_NAMESPACES and template.level is not IsolationLevel.KERNEL_NAMESPACES:
        pytest.skip("without namespaces the kernel allows this to every process")
    assert not attack(template, name, targets.names)
    targets.assert_unharmed()
    assert still_serves(template)


@pytest.mark.parametrize(
    ("layer", "names"),
    [(Layer.SECCOMP, SUCCEED_WITHOUT_SECCOMP), (Layer.LANDLOCK, SUCCEED_WITHOUT_LANDLOCK)],
    ids=["seccomp", "landlock"],
)
def test_some_attacks_succeed_without_one_layer(targets, layer, names):
    if IsolationLevel.KERNEL not in available_levels():
        pytest.skip("this machine does not offer the level that this test weakens")
    with Template.start(level=IsolationLevel.KERNEL, without=frozenset({layer})) as weakened:
        successful = [name for name in names if attack(weakened, name, targets.names)]
    assert successful == names
