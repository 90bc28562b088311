"""Fixtures of attacks: their targets."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attack_targets import TOKEN, AttackTargets, targets_in


@pytest.fixture(scope="session")
def stand_in_for_the_judge() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that attacks may end: it stands for the judge, which runs as the same user."""
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture
def targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in_for_the_judge: "subprocess.Popen[bytes]"
) -> Iterator[AttackTargets]:
    """A folder of valuable files, a process, and a server that attacks must not reach."""
    monkeypatch.setenv("COURSE_TOKEN", TOKEN)
    with targets_in(tmp_path / "valuables", stand_in_for_the_judge) as targets:
        yield targets
