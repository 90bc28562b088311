"""A run over a class that is killed repeatedly ends with the gradebook of an undisturbed run."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tiny_lab import MODULE, STAGE, build_tiny_lab, solution

from autograder.course.lab import Lab
from autograder.release import release

# The number of kills during a whole run, and during a repeated run, where most results are stored and scores are filed.
JUDGING, FILING = 6, 4
BODIES = {
    "double": ("return 2 * x", "return x + 2", "raise NotImplementedError"),
    "total": ("return x.sum(axis)", "return x.sum()", "return x.sum(abs(axis) % x.ndim)"),
    "halve": ("return x / 2", "return x"),
}


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    """Eighteen students, each with a different mix of correct and wrong functions."""
    folder = tmp_path / "class"
    mixes = [
        dict(zip(BODIES, mix, strict=True))
        for mix in ((d, t, h) for d in BODIES["double"] for t in BODIES["total"] for h in BODIES["halve"])
    ]
    for number, bodies in enumerate(mixes):
        stage_folder = folder / f"student{number:02}" / STAGE
        stage_folder.mkdir(parents=True)
        (stage_folder / f"{MODULE}.py").write_text(solution(**bodies), encoding="utf-8")
    return folder


def grades(gradebook: Path) -> list[tuple[object, ...]]:
    """Every score in the gradebook, by student and cell."""
    query = """
        SELECT submitted_assignment.student_id, base_cell.name, grade.auto_score, grade.manual_score, grade.extra_credit
        FROM grade
        JOIN base_cell ON base_cell.id = grade.cell_id
        JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
        JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
        ORDER BY 1, 2
    """
    with sqlite3.connect(gradebook) as database:
        return list(database.execute(query))


def start(lab: Lab, class_folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "autograder", "grade", str(class_folder)],
        cwd=lab.root,
        env={**os.environ, "AUTOGRADER_SECRET": "the same for both"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def timed(run: "subprocess.Popen[bytes]") -> float:
    """Wait for a run to succeed and return its duration in seconds."""
    began = time.monotonic()
    assert run.wait() == 0
    return time.monotonic() - began


def kill(run: "subprocess.Popen[bytes]", after: float) -> None:
    """Kill a run and its child processes, unless it has ended by then."""
    with suppress(subprocess.TimeoutExpired):
        run.wait(after)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()


@pytest.mark.slow
def test_a_killed_run_resumes_where_it_stopped(tmp_path, class_folder):
    undisturbed = build_tiny_lab(tmp_path / "undisturbed")
    release(undisturbed)
    whole_run = timed(start(undisturbed, class_folder))
    repeated_run = timed(start(undisturbed, class_folder))

    killed = build_tiny_lab(tmp_path / "killed")
    release(killed)
    moments = random.Random(11)
    for seconds in [whole_run] * JUDGING + [repeated_run] * FILING:
        kill(start(killed, class_folder), moments.uniform(0.1, 0.9) * seconds)
    timed(start(killed, class_folder))

    expected = grades(undisturbed.gradebook)
    assert len(expected) > 18
    assert grades(killed.gradebook) == expected
