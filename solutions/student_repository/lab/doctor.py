"""``lab doctor``: examines this machine and gives a fix for each problem."""

import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab.course import CompanionError, Course
from lab.progress import read_module
from lab.shadows import hiding_files

_GB = 1024**3
_MIN_MEMORY = 3 * _GB
_MIN_DISK = _GB
_TORCH = """
import torch
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
assert torch.ones(2, 2, device=device).matmul(torch.ones(2, 2, device=device)).sum().item() == 8
print(f"{torch.__version__} on {device} ({name}), {torch.get_num_threads()} threads")
if device == "cpu" and torch.version.cuda:
    print("(the CUDA build, and no GPU: it works; the CPU build needs a tenth of the space)")
"""
_SLOWEST_IMPORT = 180
_INSTALL_TORCH = (
    f'"{sys.executable}" -m pip install uv, then "{sys.executable}" -m uv pip install --reinstall --torch-backend cpu '
    "torch (auto instead of cpu for an NVIDIA GPU)"
)


@dataclass(frozen=True)
class Finding:
    """Result of one examination. ``fix`` says what to do about a problem; it is empty if there is none."""

    name: str
    found: str
    fix: str = ""


def examine(course: Course) -> Iterator[Finding]:
    """Yield the findings, one at a time."""
    yield _python(course)
    yield _environment()
    yield from _packages(course.root)
    yield _torch()
    yield _memory()
    yield _disk(course.root)
    yield from _modules(course)
    yield _shadows(course)


def _python(course: Course) -> Finding:
    version = platform.python_version()
    oldest, newest = course.grading.python, course.grading.newest
    supported = _numbers(oldest) <= sys.version_info[:2] <= _numbers(newest)
    fix = "" if supported else f"install Python {oldest} to {newest}, then create the environment again"
    return Finding("Python", f"{version} on {platform.system()} {platform.machine()}", fix)


def _environment() -> Finding:
    if sys.prefix != sys.base_prefix:
        return Finding("environment", sys.prefix)
    if any(Path(folder).exists() for folder in ("/content", "/kaggle", "/workspaces", "/.dockerenv")):
        return Finding("environment", f"{sys.prefix}, on a hosted machine")
    activate = r".venv\Scripts\activate" if sys.platform == "win32" else "source .venv/bin/activate"
    return Finding(
        "environment",
        f"{sys.prefix}, shared by all programs on this machine",
        f"create one for the lab, so that nothing else breaks it: python -m venv .venv, then {activate}",
    )


def _packages(root: Path) -> Iterator[Finding]:
    """Yield a finding for each package in ``requirements.txt``."""
    for line in (root / "requirements.txt").read_text(encoding="utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9_.-]+)(?:>=([\d.]+))?", line.strip())
        if match is None:
            continue
        name, minimum = match[1], match[2] or "0"
        install = _INSTALL_TORCH if name == "torch" else f'"{sys.executable}" -m pip install "{line.strip()}"'
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "not installed", install)
        else:
            old = _numbers(version) < _numbers(minimum)
            yield Finding(name, version, f"{install}  (this lab needs {minimum} or newer)" if old else "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _torch() -> Finding:
    """Import torch and multiply, in a separate process because a bad build may crash Python."""
    if importlib.util.find_spec("torch") is None:
        return Finding("tensors", "torch is not installed", _INSTALL_TORCH)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", "import platform\n" + _TORCH],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SLOWEST_IMPORT,
        )
    except subprocess.TimeoutExpired:
        return Finding("tensors", f"no answer in {_SLOWEST_IMPORT} seconds", "restart the machine and try again")
    if done.returncode == 0:
        return Finding("tensors", " ".join(done.stdout.split()))
    last = (done.stderr.strip().splitlines() or [f"Python ended with code {done.returncode}"])[-1]
    fix = _INSTALL_TORCH
    if sys.platform == "win32":
        fix += "; Windows also needs the Microsoft Visual C++ Redistributable"
    return Finding("tensors", last, fix)


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    text = f"{free / _GB:.1f} GB free of {psutil.virtual_memory().total / _GB:.1f} GB"
    fix = "close other programs and notebooks; training needs about 3 GB" if free < _MIN_MEMORY else ""
    return Finding("memory", text, fix)


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    fix = "free some disk space: results and checkpoints are saved here" if free < _MIN_DISK else ""
    return Finding("disk", f"{free / _GB:.1f} GB free", fix)


def _modules(course: Course) -> Iterator[Finding]:
    """Yield the modules that are missing or cannot be read."""
    problems = 0
    for stage in course.stages:
        try:
            read_module(course.root, stage)
        except CompanionError as error:
            problems += 1
            yield Finding(stage.id, str(error), "fix that line, or start the stage again: lab reset " + stage.id)
    if not problems:
        yield Finding("your modules", f"{len(course.stages)} stages, all modules readable")


def _shadows(course: Course) -> Finding:
    if hiding := hiding_files(course):
        hides = "hides a library" if len(hiding) == 1 else "each hide a library"
        return Finding("file names", f"{', '.join(hiding)} {hides} of that name", "rename it, for example to my_NAME")
    return Finding("file names", "no file hides a library")
