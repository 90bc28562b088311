"""The isolation levels of a machine, and the errors on machines without any."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from autograder.base.results import IsolationLevel as Level
from autograder.isolation import launch, lockdown
from autograder.isolation.lockdown import Layer, landlock_abi, landlock_ruleset
from autograder.isolation.process import IsolationUnavailable, Template


@pytest.mark.parametrize(
    ("seccomp", "landlock", "container", "bubblewrap", "levels"),
    [
        (True, 1, False, True, [Level.KERNEL_NAMESPACES, Level.KERNEL]),
        (True, 7, True, False, [Level.KERNEL]),
        (True, 0, True, False, [Level.CONTAINER]),
        (True, 0, False, True, [Level.CONTAINER]),
        (True, 0, False, False, []),  # a single layer
        (False, 7, True, True, []),
    ],
)
def test_levels_follow_from_the_available_layers(monkeypatch, seccomp, landlock, container, bubblewrap, levels):
    monkeypatch.setattr(launch, "seccomp_available", lambda: seccomp)
    monkeypatch.setattr(launch, "landlock_abi", lambda: landlock)
    monkeypatch.setattr(launch, "in_container", lambda: container)
    monkeypatch.setattr(launch, "bubblewrap", lambda: "bwrap" if bubblewrap else None)
    assert list(launch.available_levels()) == levels
    for level in levels:
        layers = launch.layers_of(level)
        assert Layer.SECCOMP in layers
        assert Layer.LANDLOCK in layers or (Layer.NO_FILES in layers and (container or Layer.NAMESPACES in layers))


def test_level_none_has_limits_only():
    assert launch.layers_of(Level.NONE) == {Layer.LIMITS}


@pytest.mark.parametrize("mark", ["container", "KUBERNETES_SERVICE_HOST"])
def test_containers_are_recognised_by_their_variables(monkeypatch, mark):
    monkeypatch.setenv(mark, "1")
    assert launch.in_container()


def test_the_templates_environment_is_a_fixed_list_without_secrets(monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    environment = launch.environment()
    assert "GITHUB_TOKEN" not in environment
    assert environment["LD_LIBRARY_PATH"] == "/opt/lib"


@pytest.mark.skipif(landlock_abi() == 0, reason="this kernel has no Landlock")
def test_a_ruleset_can_be_created_for_every_older_landlock(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    for abi in range(1, landlock_abi() + 1):
        monkeypatch.setattr(lockdown, "landlock_abi", lambda abi=abi: abi)
        ruleset = landlock_ruleset([str(tmp_path), str(tmp_path / "file"), str(tmp_path / "missing")])
        assert ruleset >= 10  # above the descriptors that a worker uses
        os.close(ruleset)


def test_the_error_on_a_machine_without_fork_names_alternatives(monkeypatch):
    monkeypatch.delattr(launch.os, "fork")
    with pytest.raises(IsolationUnavailable, match="WSL2"):
        Template.start_without_isolation()


def test_the_judges_side_can_be_imported_on_windows():
    """Imitated on other systems by removing the modules that Windows lacks."""
    program = """
import sys, torch, socket, subprocess, tempfile
sys.platform = "win32"
sys.modules["fcntl"] = sys.modules["resource"] = None
import autograder.isolation.process, autograder.isolation.selfcheck
from autograder.isolation.process import IsolationUnavailable, Template
try:
    Template.start()
except IsolationUnavailable as error:
    print(error)
"""
    root = Path(launch.__file__).parents[2]
    packages = Path(torch.__file__).parents[1]
    completed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{packages}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot isolate student code" in completed.stdout, completed.stderr
