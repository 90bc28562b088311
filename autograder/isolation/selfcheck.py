"""Checks the isolation of this machine by running escape attempts."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autograder.base.results import IsolationLevel
from autograder.isolation import escape_attempts, launch
from autograder.isolation.errors import WorkerDied
from autograder.isolation.process import Template, Worker, WorkerLimits
from autograder.isolation.syscalls import call_number
from autograder.isolation.wire import Reference

_LIMITS = WorkerLimits(memory_mb=256)
_TOO_MUCH_MEMORY = 512 << 20
_CALLS = ("ptrace", "process_vm_readv", "io_uring_setup", "unshare", "keyctl")

# Landlock does not hide that a file exists; namespaces do.
_NAMESPACES_ONLY = frozenset({"see_that_a_file_exists"})
# The self-check depends on these attempts, so an essential attempt that is inconclusive counts as open.
_ESSENTIAL = frozenset(
    {"read_a_file", "list_a_folder", "write_a_file", "change_permissions", "connect_over_tcp", "start_a_process",
     "run_a_program", "signal_the_grader", "exceed_the_memory_limit", "find_a_secret_in_the_environment"}
)  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """The result of one escape attempt.

    Attributes:
        name: What the worker attempted.
        closed: Whether the attempt was stopped.
        detail: What stopped the attempt.
        conclusive: Whether the same attempt succeeds without isolation. Otherwise stopping the worker proves
            nothing.
    """

    name: str
    closed: bool
    detail: str = ""
    conclusive: bool = True


def self_check(template: Template) -> list[Probe]:
    """Run every escape attempt in a worker, and again without isolation as a control.

    Raises:
        TemplateError: The template ended.
    """
    with _setting() as setting:
        without = _attempts_without_isolation(setting)
        within = dict(_attempts_within(template, setting))
    return [_probe(name, stopped_by, without.get(name, "not attempted")) for name, stopped_by in within.items()]


def proven_level(template: Template, probes: list[Probe]) -> IsolationLevel:
    """The template's level if every probe was closed, else ``IsolationLevel.NONE``."""
    return template.level if all(probe.closed for probe in probes) else IsolationLevel.NONE


def _probe(name: str, stopped_within: str, stopped_without: str) -> Probe:
    label = name.replace("_", " ")
    if not stopped_within:
        return Probe(label, closed=False, detail="the attempt succeeded")
    if not stopped_without:
        return Probe(label, closed=True, detail=stopped_within)
    detail = f"inconclusive; without isolation: {stopped_without}"
    return Probe(label, closed=name not in _ESSENTIAL, detail=detail, conclusive=False)


@contextmanager
def _setting() -> Iterator[escape_attempts.Setting]:
    """Create the targets of the attempts: files to read and change, and a server to reach."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        secret, spare = Path(folder, "secret"), Path(folder, "spare")
        for path in (secret, spare):
            path.write_text("secret")
        shared = Path("/dev/shm", Path(folder).name)
        setting = {
            "folder": folder,
            "shared_files": str(shared),
            "secret": str(secret),
            "spare": str(spare),
            "grader_source": escape_attempts.__file__,
            "port": server.getsockname()[1],
            "grader": os.getpid(),
            "too_much_memory": _TOO_MUCH_MEMORY,
            "harmless_variables": sorted({*launch.environment(), "LC_CTYPE"}),
            "numbers": {name: call_number(name) for name in _CALLS},
        }
        try:
            yield setting
        finally:
            for leftover in shared.parent.glob(f"{shared.name}-*"):  # written by the attempt without isolation
                leftover.unlink(missing_ok=True)


def _attempts_without_isolation(setting: escape_attempts.Setting) -> dict[str, str]:
    """What stops each attempt without isolation, by name; empty if the attempts cannot be run."""
    descriptors = os.pipe()  # the open files to find
    try:
        completed = subprocess.run(
            [sys.executable, "-S", "-s", "-P", escape_attempts.__file__, json.dumps(setting)],
            env={**launch.environment(), "SECRET": "secret"},
            pass_fds=descriptors,
            capture_output=True,
            timeout=60,
            check=True,
        )
        stopped: dict[str, str] = json.loads(completed.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return stopped


def _attempts_within(template: Template, setting: escape_attempts.Setting) -> Iterator[tuple[str, str]]:
    worker: Worker | None = None
    for name in escape_attempts.ATTEMPTS:
        if name in _NAMESPACES_ONLY and template.level is not IsolationLevel.KERNEL_NAMESPACES:
            continue
        worker = worker or _worker_with_attempts(template)
        try:
            reply = worker.request("call", target=Reference("attempt"), args=[name, setting], kwargs={}, grad=False)
            yield name, reply[0]
        except WorkerDied as death:
            worker = None
            yield name, f"the worker died: {death}"
    if worker is not None:
        worker.kill()


def _worker_with_attempts(template: Template) -> Worker:
    worker = template.spawn(_LIMITS)
    source = Path(escape_attempts.__file__).read_text(encoding="utf-8")
    worker.request("load", modules={"escape_attempts": source}, main="escape_attempts")
    return worker
