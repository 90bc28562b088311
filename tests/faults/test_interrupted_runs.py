"""Runs that are stopped, that overlap, or whose machine misbehaves: nothing is lost, and a line says so."""

import errno
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from tiny_course import LONG_FORM, POINTS, Course

from autograder.base.run_lock import LOCK_FILE, OtherRunError, only_run
from autograder.integrations.nbgrader.autograde import JudgedNotebookExporter


def at_job(number: int, action):
    """Do something before one job of a run."""
    return lambda current: action() if current == number else None


def interrupt() -> None:
    raise KeyboardInterrupt


def end_by_signal() -> None:
    """The signal interrupts the main thread, which waits for this one."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)


@pytest.mark.parametrize("stop", [interrupt, end_by_signal])
def test_a_stopped_run_says_what_is_kept_and_continues(course, stop):
    course.before_job = at_job(3, stop)
    done = course.grade("--fresh")
    assert done.exit_code == 130, done.output
    # The third job may still end after the signal.
    assert re.search("autograder: stopped: [23] of 3 results are stored", " ".join(done.output.split()))
    course.before_job = lambda number: None
    assert course.grade().exit_code == 0
    assert course.points() == POINTS


def fail_with(code: int):
    def fail(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        pytest.param(errno.EROFS, "the file system is read-only", marks=LONG_FORM),
        pytest.param(errno.EACCES, "permission denied", marks=LONG_FORM),
        pytest.param(errno.EIO, "the disk does not read or write", marks=LONG_FORM),
    ],
)
def test_a_disk_that_refuses_a_result_ends_with_its_name_and_loses_nothing(course, monkeypatch, code, words):
    before = {path: path.read_bytes() for path in course.lab.build.rglob("*.json")}
    course.class_folder.joinpath("bob", "1_tiny", "tiny.py").write_text("# wrong\n", encoding="utf-8")
    monkeypatch.setattr(os, "fsync", fail_with(code))
    done = course.grade()
    assert done.exit_code == 3
    said = "".join(done.output.split())
    assert words.replace(" ", "") in said
    assert str(course.result("bob")).replace(" ", "") in said
    assert {path: path.read_bytes() for path in course.lab.build.rglob("*.json")} == before
    monkeypatch.undo()


def test_results_that_are_deleted_during_the_run_are_judged_again(course):
    course.before_job = at_job(2, lambda: shutil.rmtree(course.lab.build / "results"))
    assert course.grade("--fresh").exit_code == 0
    assert course.points() == POINTS
    course.before_job = lambda number: None
    done = course.grade()
    assert (done.exit_code, course.points()) == (0, POINTS)
    assert "was removed: 1 (ada 1_tiny)" in done.output


def test_a_clock_that_jumps_back_changes_nothing(course, monkeypatch):
    start, day = time.time(), 86400
    readings = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: start - day * next(readings))
    done = course.grade("--fresh")
    assert (done.exit_code, course.points()) == (0, POINTS), done.output


def hold_lock(folder: Path) -> int:
    """Hold the lock of a course in another process; its id."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with only_run(folder, "autograder grade"):
            os.write(writing, b"locked")
            time.sleep(600)
        os._exit(0)
    assert os.read(reading, 6) == b"locked"
    os.close(reading)
    os.close(writing)
    return child


def test_a_second_run_names_the_first_and_takes_over_when_that_is_dead(course):
    other = hold_lock(course.lab.root)
    try:
        for done in (course.grade(), course.run("release")):
            assert done.exit_code == 3
            assert f"`autograder grade`, process {other} on " in " ".join(done.output.split())
            assert ", since 20" in " ".join(done.output.split())
        assert course.judged == 0
        assert course.run("report").exit_code == 0
    finally:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
    assert (course.lab.root / LOCK_FILE).read_bytes()  # as a killed run leaves it
    assert course.grade().exit_code == 0
    assert (course.lab.root / LOCK_FILE).read_bytes() == b""


@LONG_FORM
@pytest.mark.parametrize("content", [b"", b"\0\0", b'{"pid": 1}'])
def test_an_unreadable_lock_file_stops_nobody(course, content):
    (course.lab.root / LOCK_FILE).write_bytes(content)
    assert course.grade().exit_code == 0


@pytest.mark.parametrize("content", [None, *(pytest.param(raw, marks=LONG_FORM) for raw in (b"", b"\0" * 65))])
def test_a_lost_or_damaged_secret_stops_every_command_that_needs_it(course: Course, content):
    path = course.lab.root / ".course_secret"
    secret = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    for done in (course.grade(), course.run("report"), course.run("export", "junit", "results.xml")):
        assert done.exit_code == 3
        assert "Restore it from a backup, or pass the secret in AUTOGRADER_SECRET" in " ".join(done.output.split())
    assert course.judged == 0
    path.write_bytes(secret)
    assert (course.grade().exit_code, course.judged, course.points()) == (0, 0, POINTS)


def test_nbgrader_autograde_waits_for_no_lock_and_changes_nothing(course):
    exporter = JudgedNotebookExporter(lab=str(course.lab.root), workspace=str(course.lab.root))
    names = {"student": "ada", "assignment": "1_tiny", "notebook": "tiny", "db_url": "sqlite:///no database"}
    with only_run(course.lab.root, "autograder grade"), pytest.raises(OtherRunError, match="`autograder grade`"):
        exporter.from_filename("autograded/ada/1_tiny/tiny.ipynb", {"nbgrader": names})
    assert course.points() == POINTS
