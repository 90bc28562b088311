"""One template serves several judges: forks of one process, each of which may be killed at any moment."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import children_of, wait_until_gone
from workers import SMALL, load

from autograder.base.results import IsolationLevel
from autograder.isolation.control import Fork
from autograder.isolation.launch import available_levels
from autograder.isolation.process import Template, TemplateError

SOURCE = "import os\ndef f(): return 1\ndef pid(): return os.getpid()\ndef hang():\n    while True: pass"


def in_a_fork(work) -> int:
    """Run ``work`` in a fork of this process, which exits without unwinding, like a killed process."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_judges_take_turns(template):
    for _ in range(3):
        reading, writing = os.pipe()
        child = in_a_fork(lambda: os.write(writing, bytes([load(template.spawn(SMALL), SOURCE).f()])))  # noqa: B023
        os.waitpid(child, 0)
        assert os.read(reading, 1) == b"\x01"
        os.close(reading)
        os.close(writing)


def test_killing_a_judge_ends_its_worker_and_does_not_affect_later_judges(template, spawn):
    reading, writing = os.pipe()

    def judge_forever():
        student = load(template.spawn(SMALL), SOURCE)
        os.write(writing, student.pid().to_bytes(4, "little"))
        student.hang()

    judge = in_a_fork(judge_forever)
    worker = int.from_bytes(os.read(reading, 4), "little")
    os.kill(judge, signal.SIGKILL)
    os.waitpid(judge, 0)
    assert wait_until_gone(worker)
    assert load(spawn(), SOURCE).f() == 1


def test_an_unread_reply_is_skipped(template, spawn):
    request = Fork(number=1, memory_mb=SMALL.memory_mb, cpu_seconds=5, reply_mb=1)
    os.waitpid(in_a_fork(lambda: template._control.send(request)), 0)
    assert load(spawn(), SOURCE).f() == 1
    assert load(spawn(), SOURCE).f() == 1


def test_a_hanging_worker_does_not_block_others(spawn):
    hanging = load(spawn(), SOURCE)
    judge = in_a_fork(hanging.hang)
    assert load(spawn(), SOURCE).f() == 1
    os.kill(judge, signal.SIGKILL)
    os.waitpid(judge, 0)


@pytest.mark.parametrize("level", [IsolationLevel.KERNEL, IsolationLevel.KERNEL_NAMESPACES, IsolationLevel.NONE])
def test_closing_ends_the_template_and_its_workers(level):
    if level not in {*available_levels(), IsolationLevel.NONE}:
        pytest.skip(f"this machine does not offer the isolation level {level.value}")
    template = Template.start(level=level)
    before = children_of(template._process.pid)
    assert template.alive
    load(template.spawn(SMALL), SOURCE)
    processes = {template._process.pid} | before | children_of(template._process.pid)
    template.close()
    template.close()
    assert not template.alive
    assert all(wait_until_gone(pid) for pid in processes)
    with pytest.raises(TemplateError, match="ended"):
        template.spawn()


def test_a_killed_template_is_a_grader_error():
    template = Template.start_without_isolation()
    worker = template.spawn(SMALL)
    student = load(worker, SOURCE)
    os.kill(template._process.pid, signal.SIGKILL)
    with pytest.raises(TemplateError):
        template.spawn(SMALL)
    with pytest.raises(TemplateError):  # its worker ended with it, and the submission is not at fault
        student.hang()
    template.close()


def test_the_end_of_the_starting_process_ends_template_and_worker(tmp_path):
    script = tmp_path / "starts a template.py"
    script.write_text(
        "import os, time\n"
        "from autograder.isolation.process import Template\n"
        "template = Template.start_without_isolation()\n"
        "worker = template.spawn()\n"
        f"worker.request('load', modules={{'m': {SOURCE!r}}}, main='m')\n"
        "print(template._process.pid, worker._pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    packages = os.pathsep.join([str(Path(__file__).resolve().parents[3]), *filter(None, sys.path)])
    starter = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": packages}, cwd=tmp_path
    )
    pids = [int(pid) for pid in starter.stdout.readline().split()]
    starter.kill()
    starter.wait()
    starter.stdout.close()
    assert len(pids) == 2
    assert all(wait_until_gone(pid) for pid in pids)


def test_a_template_that_cannot_start_reports_why(monkeypatch):
    monkeypatch.setattr("autograder.isolation.launch._BOOT", "raise SystemExit('no such luck')")
    with pytest.raises(TemplateError, match="no such luck"):
        Template.start_without_isolation()


def test_missing_isolation_is_an_error(monkeypatch):
    monkeypatch.setattr("autograder.isolation.launch.seccomp_available", lambda: False)
    with pytest.raises(TemplateError, match="cannot isolate student code"):
        Template.start()


def test_repeated_spawning_leaks_nothing(template):
    before = open_descriptors()
    for _ in range(20):
        template.spawn(SMALL).kill()
    assert open_descriptors() == before
    template._exit_code_of(0)  # not a worker's pid; the reply comes after the spare worker is forked
    deadline = time.monotonic() + 30
    while len(children_of(template._process.pid)) > 1 and time.monotonic() < deadline:  # one spare worker remains
        time.sleep(0.05)
    assert len(children_of(template._process.pid)) <= 1
