"""How a template is started: its environment, its command line, and bubblewrap around it."""

import functools
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from autograder.base.results import IsolationLevel
from autograder.isolation.errors import IsolationUnavailable
from autograder.isolation.lockdown import Layer, landlock_abi, seccomp_available

_LOCKED = frozenset({Layer.LIMITS, Layer.PRIVILEGES, Layer.SECCOMP})
_LAYERS = {
    IsolationLevel.KERNEL_NAMESPACES: _LOCKED | {Layer.LANDLOCK, Layer.NAMESPACES},
    IsolationLevel.KERNEL: _LOCKED | {Layer.LANDLOCK},
    IsolationLevel.CONTAINER: _LOCKED | {Layer.NO_FILES},
    IsolationLevel.NONE: frozenset({Layer.LIMITS}),
}

_ROOT = str(Path(__file__).resolve().parents[2])
# The package is found in its own folder, which may be installed nowhere; nothing else is found there.
_BOOT = """
import sys
_, root, descriptor, layers, *sites = sys.argv
sys.path.insert(0, root)
import autograder.isolation
sys.path[:1] = []
sys.path += sites
from autograder.isolation.template import main
main(int(descriptor), layers, sites)
"""
_PACKAGES = ("torch", "numpy", "msgspec", "safetensors")


def available_levels() -> Iterator[IsolationLevel]:
    """The levels worth trying on this machine, best first.

    Never one layer alone: without Landlock a worker opens no file at all, and a container has to stand
    around that, somebody else's or one of bubblewrap's.
    """
    if not seccomp_available():
        return
    if landlock_abi() > 0:
        if bubblewrap() is not None:
            yield IsolationLevel.KERNEL_NAMESPACES
        yield IsolationLevel.KERNEL
    elif in_container() or bubblewrap() is not None:
        yield IsolationLevel.CONTAINER


def layers_of(level: IsolationLevel) -> frozenset[Layer]:
    """What a level locks workers with."""
    own_container = level is IsolationLevel.CONTAINER and not in_container() and bubblewrap() is not None
    return _LAYERS[level] | ({Layer.NAMESPACES} if own_container else frozenset())


def in_container() -> bool:
    """Whether Docker, Podman, Kubernetes or another container runtime says that it runs us."""
    marks = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
    named = {"container", "KUBERNETES_SERVICE_HOST"} & os.environ.keys()
    return bool(named) or any(Path(mark).exists() for mark in marks)


def start_program(control: socket.socket, layers: frozenset[Layer], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the template's program.

    Args:
        control: its end of the control socket.
        layers: what its workers are locked with.
        errors: a file for what it prints while starting.

    Raises:
        IsolationUnavailable: the system has no ``fork``.
    """
    if not hasattr(os, "fork"):
        raise IsolationUnavailable("student code runs in forked processes, which Windows lacks: use WSL2 or Docker")
    python = os.path.realpath(sys.executable)
    sites = _sites()
    inner = [
        *(python, "-S", "-s", "-P", "-B", "-c", _BOOT),
        *(_ROOT, str(control.fileno()), ",".join(sorted(layers - {Layer.NAMESPACES})), *sites),
    ]
    command = [*_namespaces(python, sites), *inner] if Layer.NAMESPACES in layers else inner
    return subprocess.Popen(
        command,
        env=environment(),
        cwd="/",
        pass_fds=[control.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,  # an interrupt at the terminal is for the judge; and no terminal for workers
    )


def _sites() -> list[str]:
    """The folders that the template imports torch and its kin from, and nothing else from."""
    folders = []
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            folders.append(str(Path(spec.origin).resolve().parents[1]))
    return list(dict.fromkeys(folders))


def environment() -> dict[str, str]:
    """What the template, and so student code, finds in ``os.environ``."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",  # torch.set_num_threads(4) does nothing, instead of failing to start threads
        "CUDA_VISIBLE_DEVICES": "",
        "TORCH_DEVICE_BACKEND_AUTOLOAD": "0",
        "TORCHINDUCTOR_CACHE_DIR": "/nonexistent",
    }
    # Some installations find their shared libraries through it.
    library_path = os.environ.get("LD_LIBRARY_PATH")
    return environment | ({"LD_LIBRARY_PATH": library_path} if library_path else {})


@functools.cache
def bubblewrap() -> str | None:
    """Where bubblewrap is, if it can make namespaces for us here."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    everything = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
    trial = [*_unshare(program), *everything, os.path.realpath(sys.executable), "-S", "-c", ""]
    try:
        done = subprocess.run(trial, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return program if done.returncode == 0 else None


def _unshare(program: str) -> list[str]:
    kinds = ("user", "net", "pid", "ipc", "uts")
    return [program, *(f"--unshare-{kind}" for kind in kinds), "--unshare-cgroup-try"]


def _namespaces(python: str, sites: Sequence[str]) -> list[str]:
    """The command line of bubblewrap: a file system of Python, torch and this package, and nothing else."""
    program = bubblewrap() or "bwrap"
    system = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/nix/store")
    here = Path(__file__).parent
    ours = [str(here.parent / "__init__.py"), *map(str, sorted(here.glob("*.py")))]
    arguments = _unshare(program)
    for path in dict.fromkeys([*system, os.path.realpath(sys.base_prefix), str(Path(python).parent), *sites, *ours]):
        arguments += ["--ro-bind-try", path, path]
    return [*arguments, "--proc", "/proc", "--dev", "/dev", "--chdir", "/"]
