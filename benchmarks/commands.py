"""Commands timed from outside, in a copy of the lab's files."""

import contextlib
import ctypes
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

# What grading reads. A copy of these files is a lab of its own.
_READ_BY_GRADING = ("grading.yml", "solutions", "tests/hidden", "data")

# From <linux/prctl.h>.
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Duration:
    """Wall time and CPU time of a command, its children included, in seconds."""

    seconds: float
    cpu: float


def timed(folder: Path, *arguments: str, python: str = sys.executable) -> Duration:
    """Run a module of an environment in a folder.

    Raises:
        click.ClickException: the command failed.
    """
    # nbgrader runs `alembic` by name, and stops if it is not on the path.
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")])
    _adopt_orphans()
    started, cpu = time.monotonic(), _cpu_of_children()
    done = subprocess.run(
        [python, "-m", *arguments], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise click.ClickException(f"{' '.join(arguments)} failed\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    ended = time.monotonic()
    _reap_orphans()
    return Duration(ended - started, _cpu_of_children() - cpu)


def _adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends first: otherwise their CPU time is counted nowhere."""
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise click.ClickException("processes that a command leaves cannot be waited for, so their time is unknown")


def _reap_orphans() -> None:
    """Wait for the processes that the command left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def copy_lab(root: Path, folder: Path) -> None:
    """Copy the files of the lab that grading reads."""
    for name in _READ_BY_GRADING:
        source, target = root / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.is_file():
            shutil.copy(source, target)


def processor() -> str:
    """The name of the processor."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if platform.system() == "Linux" else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
