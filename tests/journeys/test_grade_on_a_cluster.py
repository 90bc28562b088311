"""A class graded by a real Dask cluster: one scheduler, four workers, one of which is killed on the way."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from autograder.authoring.sample_class import sample_class, write_class
from autograder.course.lab import Lab

STAGES = ("1_kernels", "2_attention")
WORKERS = 4


def start(program: str, *arguments: str | Path, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + program, *map(str, arguments)],
            cwd=log.parent,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """The scheduler's address, and the processes of the workers."""
    with ExitStack() as stack:

        def process(program: str, *arguments: str | Path, log: str) -> "subprocess.Popen[bytes]":
            started = start(program, *arguments, log=tmp_path / log)
            stack.callback(started.wait)
            stack.callback(started.kill)
            return started

        file = tmp_path / "scheduler.json"
        process("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", file, log="scheduler.log")
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--scheduler-file", file)
        workers = [process("worker", *options, log=f"worker{number}.log") for number in range(WORKERS)]
        while not file.is_file() or not file.read_text(encoding="utf-8").strip():
            assert workers[0].poll() is None
        yield json.loads(file.read_text(encoding="utf-8"))["address"], workers


def results(folder: Path) -> tuple[list[dict[str, object]], list[list[str]]]:
    """What a run left: every check of every report without its seconds, and the gradebook as nbgrader exports it."""
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))

    def timeless(value: object) -> object:
        if isinstance(value, dict):
            return {key: timeless(entry) for key, entry in value.items() if key != "seconds"}
        return [timeless(entry) for entry in value] if isinstance(value, list) else value

    with (folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        return timeless(found), list(csv.reader(file))  # type: ignore[return-value]


@pytest.mark.slow
def test_the_gradebook_is_that_of_a_local_run_although_a_worker_is_killed(autograder, instructor, cluster):
    address, workers = cluster
    lab = Lab(instructor)
    write_class(sample_class([lab.stage(stage) for stage in STAGES], full=False), instructor / "class")
    arguments = ["grade", "class", "--json", "results.json", *(part for name in STAGES for part in ("--stage", name))]
    autograder(*arguments, "--workers", "2", cwd=instructor)
    autograder("export", "nbgrader", "grades.csv", cwd=instructor)
    local = results(instructor)

    shutil.rmtree(instructor / "build")  # stored results; the course's secret stays
    for left in (instructor / "gradebook.db", instructor / "results.json", instructor / "grades.csv"):
        left.unlink()
    program = [sys.executable, "-m", "autograder", *arguments, "--scheduler", address]
    run = subprocess.Popen(program, cwd=instructor, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout is not None
    for line in run.stdout:
        if line.startswith("grading 2/"):
            workers[0].send_signal(signal.SIGKILL)
            break
    shown, notes = run.communicate()
    assert run.returncode == 0, shown + notes
    assert f"the cluster judges {WORKERS} submissions at a time" in notes
    assert workers[0].wait() == -signal.SIGKILL
    autograder("export", "nbgrader", "grades.csv", cwd=instructor)
    assert len(local[0]["reports"] if isinstance(local[0], dict) else local[0]) > 10
    assert results(instructor) == local
