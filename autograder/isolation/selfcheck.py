"""Proves the isolation by trying, on this machine, now."""

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
# Without these the check has shown nothing, so one that cannot be tried counts as open.
_ESSENTIAL = frozenset(
    {"read_a_file", "list_a_folder", "write_a_file", "change_permissions", "connect_over_tcp", "start_a_process",
     "run_a_program", "signal_the_grader", "exceed_the_memory_limit", "find_a_secret_in_the_environment"}
)  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """One thing a worker tried.

    Attributes:
        name: what it tried.
        closed: it was stopped.
        detail: what stopped it.
        conclusive: the same attempt gets through without isolation. Where it does not, that the worker was
            stopped says nothing.
    """

    name: str
    closed: bool
    detail: str = ""
    conclusive: bool = True


def self_check(template: Template) -> list[Probe]:
    """Try every way out from a worker, and the same without isolation.

    Raises:
        TemplateError: the template ended.
    """
    with _setting() as setting:
        without = _attempts_without_isolation(setting)
        within = dict(_attempts_within(template, setting))
    return [_probe(name, stopped_by, without.get(name, "it was not tried")) for name, stopped_by in within.items()]


def proven_level(template: Template, probes: list[Probe]) -> IsolationLevel:
    """The level that the template promises, if every probe was closed, else none."""
    return template.level if all(probe.closed for probe in probes) else IsolationLevel.NONE


def _probe(name: str, stopped_within: str, stopped_without: str) -> Probe:
    name_shown = name.replace("_", " ")
    if not stopped_within:
        return Probe(name_shown, closed=False, detail="it got through")
    if not stopped_without:
        return Probe(name_shown, closed=True, detail=stopped_within)
    detail = f"cannot be tried here: {stopped_without}"
    return Probe(name_shown, closed=name not in _ESSENTIAL, detail=detail, conclusive=False)


@contextmanager
def _setting() -> Iterator[escape_attempts.Setting]:
    """Files to read and change, and a server to reach: everything that attempts aim at."""
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
            for left in shared.parent.glob(f"{shared.name}-*"):  # by the attempt without isolation
                left.unlink(missing_ok=True)


def _attempts_without_isolation(setting: escape_attempts.Setting) -> dict[str, str]:
    """What stops each attempt when nothing of ours does; nothing is known when they cannot be run."""
    descriptors = os.pipe()  # what was left open
    try:
        done = subprocess.run(
            [sys.executable, "-S", "-s", "-P", escape_attempts.__file__, json.dumps(setting)],
            env={**launch.environment(), "SECRET": "secret"},
            pass_fds=descriptors,
            capture_output=True,
            timeout=60,
            check=True,
        )
        stopped: dict[str, str] = json.loads(done.stdout)
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
