"""Starts a template: its environment, its command line, and bubblewrap around it."""

import functools
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from autograder.base.results import IsolationLevel
from autograder.isolation.lockdown import Layer, landlock_abi, seccomp_available

_LOCKED = frozenset({Layer.LIMITS, Layer.PRIVILEGES, Layer.SECCOMP})
_LAYERS = {
    IsolationLevel.KERNEL_NAMESPACES: _LOCKED | {Layer.LANDLOCK, Layer.NAMESPACES},
    IsolationLevel.KERNEL: _LOCKED | {Layer.LANDLOCK},
    IsolationLevel.CONTAINER: _LOCKED | {Layer.NO_FILES},
    IsolationLevel.NONE: frozenset({Layer.LIMITS}),
}

_ROOT = str(Path(__file__).resolve().parents[2])
# The package is imported from its own folder, which need not be installed; nothing else is imported from there.
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
    """The levels that this machine may support, strongest first.

    A level always has at least two layers. Without Landlock a worker cannot open any file, and must run in a
    container: an existing one, or one that bubblewrap creates.
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
    """The layers that lock the workers of a level."""
    own_container = level is IsolationLevel.CONTAINER and not in_container() and bubblewrap() is not None
    return _LAYERS[level] | ({Layer.NAMESPACES} if own_container else frozenset())


def in_container() -> bool:
    """Whether this process runs in a container, by the marks of Docker, Podman, Kubernetes and systemd."""
    marks = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
    variables = {"container", "KUBERNETES_SERVICE_HOST"} & os.environ.keys()
    return bool(variables) or any(Path(mark).exists() for mark in marks)


@dataclass(frozen=True)
class Program:
    """A template's program, which may still be importing torch.

    Attributes:
        level: the isolation level that its layers should give.
        process: the program, or bubblewrap around it.
        control: the judge's end of the control socket.
        errors: a file for the output that it prints while it starts.
    """

    level: IsolationLevel
    process: "subprocess.Popen[bytes]"
    control: socket.socket
    errors: IO[bytes]

    @classmethod
    def start(cls, level: IsolationLevel, layers: frozenset[Layer]) -> "Program":
        """Start a program whose workers are locked by these layers.

        Raises:
            IsolationUnavailable: The system has no ``fork``.
        """
        if not hasattr(os, "fork"):
            from autograder.isolation.errors import IsolationUnavailable  # needs torch, which a judge imports later

            raise IsolationUnavailable("student code runs in forked processes, which Windows lacks; use WSL2 or Docker")
        errors = tempfile.TemporaryFile()  # closed with the template
        ours, theirs = socket.socketpair()
        with theirs:
            return cls(level, _popen(theirs, layers, errors), ours, errors)

    @classmethod
    def first(cls, *, isolated: bool) -> "Program | None":
        """Start the program of the strongest level that this machine may support; None if there is no such level."""
        level = next(available_levels(), None) if isolated else IsolationLevel.NONE
        return cls.start(level, layers_of(level)) if level is not None else None


def _popen(control: socket.socket, layers: frozenset[Layer], errors: IO[bytes]) -> "subprocess.Popen[bytes]":
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
        start_new_session=True,  # interrupts at the terminal reach the judge only, and workers have no terminal
    )


def _sites() -> list[str]:
    """The folders that the template imports torch and the other listed packages from."""
    folders = []
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            folders.append(str(Path(spec.origin).resolve().parents[1]))
    return list(dict.fromkeys(folders))


def environment() -> dict[str, str]:
    """The content of ``os.environ`` in the template, and so in student code."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",  # torch.set_num_threads(4) has no effect, instead of failing to start threads
        "CUDA_VISIBLE_DEVICES": "",
        "TORCH_DEVICE_BACKEND_AUTOLOAD": "0",
        "TORCHINDUCTOR_CACHE_DIR": "/nonexistent",
        # Compilers start threads, programs and files. Compiled functions run as they are written; so do scripts.
        "PYTORCH_JIT": "0",
        "TORCHDYNAMO_DISABLE": "1",
    }
    # Some installations need it to find their shared libraries.
    library_path = os.environ.get("LD_LIBRARY_PATH")
    return environment | ({"LD_LIBRARY_PATH": library_path} if library_path else {})


@functools.cache
def bubblewrap() -> str | None:
    """The path of bubblewrap, if it can create namespaces on this machine."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    everything = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
    command = [*_unshare(program), *everything, os.path.realpath(sys.executable), "-S", "-c", ""]
    try:
        completed = subprocess.run(command, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return program if completed.returncode == 0 else None


def _unshare(program: str) -> list[str]:
    kinds = ("user", "net", "pid", "ipc", "uts")
    return [program, *(f"--unshare-{kind}" for kind in kinds), "--unshare-cgroup-try"]


def _namespaces(python: str, sites: Sequence[str]) -> list[str]:
    """The command line of bubblewrap: a file system with only Python, torch and this package."""
    program = bubblewrap() or "bwrap"
    system = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/nix/store")
    here = Path(__file__).parent
    package = [str(here.parent / "__init__.py"), *map(str, sorted(here.glob("*.py")))]
    arguments = _unshare(program)
    for path in dict.fromkeys([*system, os.path.realpath(sys.base_prefix), str(Path(python).parent), *sites, *package]):
        arguments += ["--ro-bind-try", path, path]
    return [*arguments, "--proc", "/proc", "--dev", "/dev", "--chdir", "/"]
