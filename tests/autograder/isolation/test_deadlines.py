"""Deadlines limit a worker's CPU time, and the wall-clock time of a sleeping worker."""

import math
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from workers import load

from autograder.isolation.errors import DeathReason, WorkerDied
from autograder.isolation.process import WorkerLimits
from autograder.isolation.process_clock import WatchedProcess
from autograder.isolation.stream import Deadline

SHORT = WorkerLimits(call_cpu_seconds=0.3, worker_cpu_seconds=0.8, memory_mb=400)


def death_after(call, calls: int) -> WorkerDied:
    """The death of a worker that dies within this number of calls."""
    for _ in range(calls):
        try:
            call()
        except WorkerDied as death:
            return death
    raise AssertionError(f"the worker survived {calls} calls")


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "return 7 ** 10 ** 9",
        "import re; re.match(r'(a+)+$', 'a' * 60 + 'b')",
        "import time; time.sleep(1e6)",
        "import signal; signal.pause()",
        "try:\n        while True: pass\n    except BaseException:\n        while True: pass",
    ],
    ids=["loop", "number", "regex", "sleep", "pause", "catch"],
)
def test_a_call_that_does_not_return_is_ended(spawn, body):
    student = load(spawn(SHORT), f"def f():\n    {body}\n")
    with pytest.raises(WorkerDied) as caught:
        student.f()
    assert caught.value.reason is DeathReason.TIMEOUT


def test_loading_has_a_deadline_too(spawn):
    with pytest.raises(WorkerDied) as caught:
        load(spawn(SHORT), "while True: pass")
    assert caught.value.reason is DeathReason.TIMEOUT


def test_computing_the_text_of_an_error_has_a_deadline_too(spawn):
    source = "class Slow(Exception):\n    def __str__(self):\n        while True: pass\ndef f(): raise Slow"
    with pytest.raises(WorkerDied) as caught:
        load(spawn(SHORT), source).f()
    assert caught.value.reason is DeathReason.TIMEOUT


def test_a_worker_that_reads_no_requests_is_ended(spawn):
    """A request that exceeds the socket's buffer blocks until it is read."""
    worker = spawn(SHORT)
    stop = "def stop(): os.read = os.readv = lambda *_: time.sleep(1e6)"
    student = load(worker, f"import os, time\ndef f(x): pass\n{stop}")
    student.stop()
    with pytest.raises(WorkerDied) as caught:
        student.f(torch.zeros(1 << 22))
    assert caught.value.reason is DeathReason.TIMEOUT


def test_many_short_calls_share_one_budget(spawn):
    source = """
import time
def f():
    start = time.process_time()
    while time.process_time() - start < 0.15: pass
"""
    student = load(spawn(SHORT), source)
    assert death_after(student.f, calls=20).reason is DeathReason.TIMEOUT


def test_many_short_sleeps_share_one_budget(spawn):
    student = load(spawn(WorkerLimits(0.1, 0.2, 400)), "import time\ndef f(): time.sleep(0.3)")
    assert death_after(student.f, calls=20).reason is DeathReason.TIMEOUT


def test_time_between_calls_does_not_count(spawn):
    student = load(spawn(WorkerLimits(0.2, 0.2, 400)), "def f(): return 1")
    time.sleep(1.0)  # longer than the worker's total limit
    assert student.f() == 1


def test_cpu_time_decides_without_a_wall_clock_limit():
    clock = iter([0.0, 1.0, 1.9, 2.0])
    deadline = Deadline(cpu=2.0, wall=math.inf, cpu_clock=lambda: next(clock))
    assert [deadline.left() for _ in range(4)] == pytest.approx([2.0, 1.0, 0.1, 0.0])


def test_the_wall_clock_decides_for_a_worker_that_sleeps():
    deadline = Deadline(cpu=math.inf, wall=time.monotonic(), cpu_clock=lambda: 0.0)
    assert deadline.left() == 0.0


def test_waiting_for_a_processor_does_not_count_as_sleeping():
    due = {"cpu": math.inf, "cpu_clock": lambda: 0.0, "wall": time.monotonic() - 5}
    assert Deadline(**due, starved=lambda: 4.0).left() == 0.0
    assert 0.0 < Deadline(**due, starved=lambda: 3600.0).left() < 3600.0
    assert Deadline(cpu=1.0, cpu_clock=lambda: 1.0, wall=due["wall"], starved=lambda: 3600.0).left() == 0.0


def test_a_worker_that_is_awake_at_the_wall_clock_limit_may_continue_until_the_last_limit():
    """Paging from disk and time taken by a hypervisor are invisible in the times of the process."""
    now = time.monotonic()
    due = {"cpu": math.inf, "cpu_clock": lambda: 0.0, "wall": now - 5}
    assert Deadline(**due, asleep=lambda: False, last=now + 3600).left() > 0.0
    assert Deadline(**due, asleep=lambda: True, last=now + 3600).left() == 0.0
    assert Deadline(**due, asleep=lambda: False, last=now).left() == 0.0
    assert Deadline(cpu=1.0, cpu_clock=lambda: 1.0, wall=now - 5, asleep=lambda: False, last=now + 3600).left() == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what a process waits for")
@pytest.mark.parametrize(("program", "asleep"), [("while True: pass", False), ("import time; time.sleep(1e6)", True)])
def test_sleep_is_visible_from_outside(program, asleep):
    with subprocess.Popen([sys.executable, "-S", "-c", program]) as process:
        watched = WatchedProcess(process.pid, os.pidfd_open(process.pid))
        while watched.asleep() is not asleep:  # a starting process reads from the disk
            assert process.poll() is None
        watched.kill()
        process.wait()
        assert watched.asleep()
        watched.close()


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not report it")
def test_waiting_for_a_processor_is_visible_from_outside():
    """Two processes that never sleep share one processor."""
    processor = min(os.sched_getaffinity(0))
    with ExitStack() as stack:
        busy = [stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])) for _ in "ab"]
        for process in busy:
            os.sched_setaffinity(process.pid, {processor})
        watched = WatchedProcess(busy[0].pid, os.pidfd_open(busy[0].pid))
        while watched.starved_seconds() < 0.1:
            assert busy[0].poll() is None
        for process in busy:
            process.kill()
        watched.close()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="pidfd exists on Linux only")
def test_cpu_time_is_visible_from_outside():
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) as busy:
        watched = WatchedProcess(busy.pid, os.pidfd_open(busy.pid))
        while watched.cpu_seconds() < 0.1:
            assert busy.poll() is None
        watched.kill()
        watched.kill()
        busy.wait()
        used = watched.cpu_seconds()
        assert used >= 0.1
        watched.close()
        watched.close()
        assert watched.cpu_seconds() == used
