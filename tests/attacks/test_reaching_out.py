"""Every attack on the machine is stopped, and with one layer off some get through: so each layer counts."""

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

# Looking only: without namespaces the kernel lets every process read another's clock and see its own folder of files.
NEEDS_NAMESPACES = {"learn_the_clock_of_the_judge"}

# Of those that get through where one layer is missing; each was stopped by it alone.
THROUGH_WITHOUT_SECCOMP = ["ask_a_name_server", "fork", "start_a_thread", "change_the_times"]
THROUGH_WITHOUT_LANDLOCK = ["read_the_reference", "read_the_hidden_tests", "read_the_accounts"]


@pytest.fixture(scope="module", params=[IsolationLevel.KERNEL_NAMESPACES, IsolationLevel.KERNEL])
def template(request: pytest.FixtureRequest) -> Iterator[Template]:
    if request.param not in available_levels():
        pytest.skip(f"this machine does not offer {request.param}")
    with Template.start(level=request.param) as template:
        yield template


def attack(template: Template, name: str, target: dict[str, object]) -> bool:
    """Whether the attack got through."""
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
    """Whether the next submission is served as if nothing had happened."""
    worker = template.spawn(LIMITS)
    try:
        worker.request("load", modules={"right": "def double(x):\n    return 2 * x\n"}, main="right")
        return worker.request("call", target=Reference("double"), args=[21], kwargs={}, grad=False)[0] == 42
    finally:
        worker.kill()


def test_there_are_many_attacks():
    assert len(ATTACKS) >= 60


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_stopped_and_harms_nothing(template, ground, name):
    if name in NEEDS_NAMESPACES and template.level is not IsolationLevel.KERNEL_NAMESPACES:
        pytest.skip("without namespaces the kernel allows this to every process")
    assert not attack(template, name, ground.target)
    ground.assert_unharmed()
    assert still_serves(template)


@pytest.mark.parametrize(
    ("layer", "names"),
    [(Layer.SECCOMP, THROUGH_WITHOUT_SECCOMP), (Layer.LANDLOCK, THROUGH_WITHOUT_LANDLOCK)],
    ids=["seccomp", "landlock"],
)
def test_with_one_layer_off_some_get_through(ground, layer, names):
    if IsolationLevel.KERNEL not in available_levels():
        pytest.skip("this machine does not offer the level that is weakened here")
    with Template.start(level=IsolationLevel.KERNEL, without=frozenset({layer})) as weakened:
        through = [name for name in names if attack(weakened, name, ground.target)]
    assert through == names
