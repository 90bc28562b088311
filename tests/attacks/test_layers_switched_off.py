"""Without one layer of isolation, named attacks get through: each layer is needed, and the suite can fail."""

import os

import pytest
from attack_targets import targets_in
from machine_attacks import machine_attacks, named

from autograder.base.results import IsolationLevel
from autograder.isolation.launch import available_levels, layers_of
from autograder.isolation.lockdown import Layer
from autograder.isolation.process import Template

pytestmark = pytest.mark.slow

KERNEL, CONTAINER = IsolationLevel.KERNEL, IsolationLevel.CONTAINER
READING = ["read_the_hidden_tests", "read_the_reference", "read_the_accounts", "read_with_numpy", "read_as_a_library"]
LOOKING = ["see_that_a_file_exists", "see_who_may_read_a_file", "learn_the_clock_of_the_judge"]

# Level, layers left out, and attacks that then get through.
WITHOUT = {
    "seccomp": (KERNEL, {Layer.SECCOMP}, ["ask_a_name_server", "fork", "start_a_thread", "change_the_times"]),
    "landlock": (KERNEL, {Layer.LANDLOCK}, READING),
    "limits": (KERNEL, {Layer.LIMITS}, ["allocate_more_memory", "map_more_memory", "open_many_files", "dump_core"]),
    "privileges": (KERNEL, {Layer.PRIVILEGES}, ["be_open_to_tracing"]),
    "namespaces": (IsolationLevel.KERNEL_NAMESPACES, {Layer.NAMESPACES}, LOOKING),
    "no files": (CONTAINER, {Layer.NO_FILES, Layer.NAMESPACES}, READING),
}
ONLY_ROOT = (KERNEL, {Layer.SECCOMP, Layer.PRIVILEGES}, ["change_the_owner", "take_capabilities", "join_other_groups"])

# Attacks that prove nothing, because they fail without isolation too.
FIND_NOTHING = {  # the template never held what they look for
    "import_the_judge",
    "find_an_open_file",
    "find_a_secret_in_the_environment",
    "find_the_answers_in_memory",
    "find_the_answers_in_frames",
    "find_a_module_of_the_judge",
}
LACKED_BY_SOME_KERNELS = {"load_a_kernel_module", "load_another_kernel", "use_ports", "use_the_kernels_ciphers"}
NEED_MORE = {"type_into_the_terminal"}  # workers have no terminal
# Attacks that would harm the machine of the test.
HARMFUL = {
    "plant_a_compiled_module",
    "change_the_root",
    "mount_something",
    "unmount_something",
    "end_the_template",
    "stop_the_template",
    "trace_the_template",
    "lower_the_templates_limits",
    "end_the_judge",
    "slow_the_judge_down",
    "keep_a_message_queue",
    "keep_semaphores",
    "keep_shared_memory",
}
INCONCLUSIVE = FIND_NOTHING | LACKED_BY_SOME_KERNELS | NEED_MORE


def get_through(targets, level: IsolationLevel, without: set[Layer], names: list[str]) -> list[str]:
    if level not in available_levels() and level is not CONTAINER:
        pytest.skip(f"this machine does not offer the level {level} that this test weakens")
    with Template(level, layers_of(level) - without) as weakened:
        return [name for name in names if named(name).succeeds(weakened, targets.names)]


@pytest.mark.parametrize("layer", WITHOUT)
def test_without_one_layer_these_attacks_get_through(targets, layer):
    level, without, names = WITHOUT[layer]
    assert get_through(targets, level, without, names) == names


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has no capabilities to drop")
def test_without_dropped_capabilities_root_keeps_its_rights(targets):
    level, without, names = ONLY_ROOT
    assert get_through(targets, level, without, names) == names
    assert get_through(targets, level, {Layer.SECCOMP}, names) == []


def test_every_layer_is_switched_off_by_some_test():
    assert set().union(*(without for _, without, _ in WITHOUT.values())) == set(Layer)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user may do less, also without isolation")
def test_without_isolation_the_attacks_get_through(tmp_path, stand_in_for_the_judge):
    """An attack that fails without isolation too would prove nothing about the isolation."""
    stopped = []
    with Template(IsolationLevel.NONE, frozenset()) as template:
        for attack in machine_attacks():
            if attack.name in HARMFUL:
                continue
            with targets_in(tmp_path / attack.name, stand_in_for_the_judge) as targets:
                if not attack.succeeds(template, targets.names):
                    stopped.append(attack.name)
    assert set(stopped) <= INCONCLUSIVE


def test_the_lists_name_attacks():
    assert {attack.name for attack in machine_attacks()} >= INCONCLUSIVE | HARMFUL
