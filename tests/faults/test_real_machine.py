"""Real commands on a machine that misbehaves: full and read-only disks, signals, a judge that is killed."""

import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import descendants_of
from tiny_course import POINTS, points_in
from tiny_lab import STAGE

pytestmark = pytest.mark.slow
ENVIRONMENT = {**{name: value for name, value in os.environ.items() if name != "AUTOGRADER_SECRET"}, "COLUMNS": "200"}
COMMANDS = (
    "release",
    "grade --fresh ../class",
    "report --html html",
    "export nbgrader grades.csv",
    "export junit results.xml",
    "export markdown reports",
    "schema",
    "new-stage 2_new new",
)
DEADLINE = 300


def autograder(arguments: str, folder: Path, before: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command in ``folder/lab``, in a mount namespace of its own if the shell commands ``before`` need one."""
    script = f"cd {shlex.quote(str(folder))}/lab && exec {sys.executable} -m autograder {arguments}"
    wrapped = ["unshare", "--mount", "bash", "-ec", f"{before}\n{script}"] if before else ["bash", "-c", script]
    return subprocess.run(wrapped, env=ENVIRONMENT, capture_output=True, text=True, timeout=DEADLINE)


@pytest.fixture
def mounts(graded_folder: Path) -> Path:
    """The graded course, on a machine where this account may mount."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("this account may not mount a file system: run as root")
    return graded_folder


def check_end(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """Check that a command did its work, or said in one sentence why not."""
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    if done.returncode != 0:
        assert done.returncode == 3, done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("autograder: ")
        assert any(word in last for word in words), last


@pytest.mark.parametrize("command", COMMANDS)
def test_a_read_only_file_system(mounts, command):
    folder = shlex.quote(str(mounts))
    done = autograder(command, mounts, f"mount --bind {folder} {folder}; mount -o remount,ro,bind {folder}")
    check_end(done, "read-only")
    assert done.returncode == 3


@pytest.mark.parametrize("free_kilobytes", [8, 40, 200])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk(mounts, tmp_path, command, free_kilobytes):
    """The disk is a small one in memory; what the command left there is copied back, and grading continues from it."""
    disk, left = tmp_path / "disk", tmp_path / "left"
    disk.mkdir()
    source, target = shlex.quote(str(mounts)), shlex.quote(str(disk))
    fill = (
        f"mount -t tmpfs -o size=16m tmpfs {target}; cp -a {source}/. {target}; "
        f"free=$(df -k --output=avail {target} | tail -1); fallocate -l $((free - {free_kilobytes}))k {target}/fill"
    )
    keep = f"rm {target}/fill; cp -a {target} {shlex.quote(str(left))}; exit $code"
    script = f"cd {target}/lab; code=0; {sys.executable} -m autograder {command} || code=$?; {keep}"
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-ec", f"{fill}; {script}"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    check_end(done, "disk is full", "the disk failed or is full", "free space")
    assert autograder("grade ../class", left).returncode == 0
    assert points_in(left / "lab" / "gradebook.db") == POINTS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_at_random_points(graded_folder, number):
    lab, moments = graded_folder / "lab", random.Random(int(number))
    for _ in range(5):
        run = subprocess.Popen(
            [sys.executable, "-m", "autograder", "grade", "--fresh", "../class"],
            cwd=lab,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(moments.uniform(2.0, 9.0))
        run.send_signal(number)
        _, errors = run.communicate(timeout=DEADLINE)
        assert run.returncode in (0, 130), errors
        assert "Traceback" not in errors
        if run.returncode == 130:
            assert errors.strip().splitlines()[-1].startswith("autograder: stopped")
    assert autograder("grade ../class", graded_folder).returncode == 0
    assert points_in(lab / "gradebook.db") == POINTS


def test_a_judge_that_is_killed_costs_nobody_a_point(graded_folder):
    lab = graded_folder / "lab"
    module = graded_folder / "class" / "cem" / STAGE / "tiny.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nimport time\n\ntime.sleep(1.0)\n", encoding="utf-8")
    run = subprocess.Popen(
        [sys.executable, "-m", "autograder", "grade", "--workers", "1", "../class"],
        cwd=lab,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + DEADLINE
    while not (judges := [pid for pid in descendants_of(run.pid) if is_judge(pid)]) and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for judge in judges:
        os.kill(judge, signal.SIGKILL)
    output, _ = run.communicate(timeout=DEADLINE)
    assert "Traceback" not in output
    assert run.returncode in (0, 3), output
    again = autograder("grade ../class", graded_folder)
    assert again.returncode == 0, again.stderr
    assert points_in(lab / "gradebook.db") == POINTS


def is_judge(pid: int) -> bool:
    """Whether a process is the judge's server."""
    try:
        return b"autograder.judge.start" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
