"""The template: a warm process that has imported torch and forks one locked worker per request.

It starts as a separate program with a clean environment, so its memory, and that of every worker, holds no
test, no reference and no secret. It runs one thread and performs no tensor computation, because the state of
torch's thread pools would not survive a fork.
"""

import contextlib
import fcntl
import gc
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.isolation import lockdown
from autograder.isolation.control import Control, End, Ended, Failed, Fork, Forked, Request, Started
from autograder.isolation.executor import seed_all
from autograder.isolation.huge_pages import use_huge_pages
from autograder.isolation.lockdown import Layer
from autograder.isolation.preload import hide_origin, preload, remember_library
from autograder.isolation.readable import readable_paths
from autograder.isolation.serving import LOCKING_FAILED, SOCKET, serve

_REAP_AGAIN_MS = 20
# Huge pages take half a second once; from this number of forks on, the time saved per fork outweighs that.
_FORKS_FOR_HUGE_PAGES = 50
# How long a worker that has closed its socket may take to end.
_EXIT_SECONDS = 1.0


@dataclass
class _Child:
    """A worker's record in the template.

    ``lifeline`` is the template's copy of the writing end of the worker's output. It breaks when the judge
    closes the reading end or dies, so no worker outlives its judge.
    """

    pid: int
    lifeline: int


@dataclass
class _Spare:
    """A worker forked in advance, with the judge's ends of its socket and output."""

    child: _Child
    request: Fork
    descriptors: list[int]


class _TemplateProcess:
    def __init__(self, control: Control, layers: frozenset[Layer], sites: Iterable[str]) -> None:
        self._control = control
        self._layers = layers
        self._ruleset = lockdown.landlock_ruleset(readable_paths(sites)) if Layer.LANDLOCK in layers else None
        self._children: dict[int, _Child] = {}
        self._ending: set[int] = set()
        self._spare: _Spare | None = None
        self._forks = 0
        self._poll = select.poll()
        self._poll.register(control.fileno(), select.POLLIN)

    def run(self) -> None:
        """Serve until the judge's side closes."""
        while True:
            for descriptor, _ in self._poll.poll(_REAP_AGAIN_MS if self._ending else None):
                if descriptor == self._control.fileno():
                    self._serve()
                else:
                    self._end_orphan(descriptor)
            for pid in list(self._ending):
                self._reap(pid, os.WNOHANG)

    def _serve(self) -> None:
        request, _ = self._control.receive(Request)
        try:
            if isinstance(request, Fork):
                self._hand_out(request)
            else:
                self._control.send(Ended(request.number, self._end(request)))
        except OSError as error:
            self._control.send(Failed(request.number, str(error)))

    def _hand_out(self, request: Fork) -> None:
        spare = self._take_spare(request) or self._fork(request)
        self._control.send(Forked(request.number, spare.child.pid), spare.descriptors)
        for descriptor in spare.descriptors:
            os.close(descriptor)
        self._children[spare.child.pid] = spare.child
        self._poll.register(spare.child.lifeline, 0)
        with contextlib.suppress(OSError):  # if this fails, the next worker is forked on request
            self._spare = self._fork(request)

    def _take_spare(self, request: Fork) -> _Spare | None:
        """The spare worker, if it has the requested limits and is alive."""
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        ended, _ = os.waitpid(spare.child.pid, os.WNOHANG)
        if not ended and spare.request.limits == request.limits:
            return spare
        for descriptor in [*spare.descriptors, spare.child.lifeline]:
            os.close(descriptor)
        if not ended:
            os.kill(spare.child.pid, signal.SIGKILL)
            os.waitpid(spare.child.pid, 0)
        return None

    def _fork(self, request: Fork) -> _Spare:
        self._forks += 1
        if self._forks == _FORKS_FOR_HUGE_PAGES:
            use_huge_pages()
        judge_end, worker_end = socket.socketpair()
        reading, writing = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(worker_end.fileno(), writing, request, parent)
        worker_end.close()
        descriptors = [judge_end.detach(), reading]
        if hasattr(os, "pidfd_open"):
            descriptors.append(os.pidfd_open(pid))
        return _Spare(_Child(pid, writing), request, descriptors)

    def _become_worker(self, channel: int, output: int, request: Fork, parent: int) -> None:
        """Run as the worker; never returns."""
        status = LOCKING_FAILED
        try:
            _set_descriptors(channel, output)
            self._lock(request, parent)
            status = 1
            seed_all(0)
            serve(request.reply_mb << 20)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def _lock(self, request: Fork, parent: int) -> None:
        most_descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if Layer.LIMITS in self._layers:
            lockdown.limit_resources(request.memory_mb, request.cpu_seconds)
        if Layer.PRIVILEGES in self._layers:
            lockdown.drop_privileges()
        lockdown.die_with_parent(parent)
        if self._layers & {Layer.LANDLOCK, Layer.SECCOMP}:
            lockdown.forbid_new_privileges()
        if self._ruleset is not None:
            lockdown.restrict_files(self._ruleset)
        os.closerange(SOCKET + 1, most_descriptors)
        if Layer.SECCOMP in self._layers:
            lockdown.restrict_system_calls(open_files=Layer.NO_FILES not in self._layers)

    def _end_orphan(self, lifeline: int) -> None:
        child = next(child for child in self._children.values() if child.lifeline == lifeline)
        self._forget(child)
        self._ending.add(child.pid)
        os.kill(child.pid, signal.SIGKILL)

    def _end(self, request: End) -> int | None:
        """The exit code of a worker that closed its socket; None if it does not exit and is killed."""
        child = self._children.get(request.pid)
        if child is None:
            return None
        self._forget(child)
        deadline = time.monotonic() + _EXIT_SECONDS
        while time.monotonic() < deadline:
            if (code := self._reap(child.pid, os.WNOHANG)) is not None:
                return code
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        self._reap(child.pid, 0)
        return None

    def _forget(self, child: _Child) -> None:
        del self._children[child.pid]
        self._poll.unregister(child.lifeline)
        os.close(child.lifeline)

    def _reap(self, pid: int, options: int) -> int | None:
        reaped, status = os.waitpid(pid, options)
        if reaped == 0:
            return None
        self._ending.discard(pid)
        return os.waitstatus_to_exitcode(status)


def _set_descriptors(channel: int, output: int) -> None:
    """Connect stdin to /dev/null, output to the pipe and the judge to ``SOCKET``; locking closes the rest."""
    empty_input = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty_input, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(channel, SOCKET)
    sys.stdout = open(1, "w", errors="replace", closefd=False)
    sys.stderr = open(2, "w", buffering=1, errors="replace", closefd=False)


def _threads() -> Iterator[str]:
    folder = Path("/proc/self/task")
    return (entry.name for entry in folder.iterdir()) if folder.is_dir() else iter(["main"])


def main(descriptor: int, layers: str, sites: list[str]) -> None:
    """Start the template, report that it started, and serve requests.

    Args:
        descriptor: The control socket.
        layers: The layers that lock workers, comma-separated.
        sites: The folders that torch and the other listed packages are imported from.
    """
    control = Control(socket.socket(fileno=descriptor))
    fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    try:
        preload()
        hide_origin()
        remember_library()
        template = _TemplateProcess(control, frozenset(map(Layer, filter(None, layers.split(",")))), sites)
        threads = len(list(_threads()))
    except Exception:
        control.send(Failed(0, traceback.format_exc(limit=-3)))
        return
    gc.collect()
    gc.freeze()  # otherwise a garbage collection in a worker would copy the pages of everything imported
    control.send(Started(threads))
    with contextlib.suppress(EOFError):
        template.run()
