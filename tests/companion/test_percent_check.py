"""Public tests in the process of a notebook: the same results, and nothing changes for the notebook."""

import ast
import importlib
import os
import random
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest
from tiny_lab import MODULE, STAGE

from lab import notebook
from lab.checking import check
from lab.course import CompanionError
from lab.in_process import ThisProcess
from lab.progress import ExerciseStatus, Progress, stage_status
from lab.results import TestOutcome


@pytest.fixture
def run(course):
    """Check exercises in this process; return each exercise's result, by name."""

    def run_tests(*names: str, limit: float = 60.0):
        exercises = [exercise for name in names for exercise in course.select(name)]
        results = check(course, exercises, Progress(), process=ThisProcess(course.root), limit=limit)
        return {result.exercise.name: result for result in results}

    return run_tests


def test_an_endless_loop_is_interrupted_and_the_other_tests_run(write, run):
    write(
        double="while True:\n    try:\n        x = x + 1\n    except Exception:\n        pass",
        total="return x.sum(axis)",
    )
    found = run(STAGE, limit=0.5)
    (hung,) = found["double"].test_results
    assert (hung.outcome, hung.message[:23]) == (TestOutcome.HUNG, "no answer within 0.5 s:")
    assert (hung.student_line["file"], hung.student_line["function"]) == (f"{STAGE}/{MODULE}.py", "double")
    assert found["total"].passed
    assert found["halve"].test_results[0].missing == "halve"


def test_a_loop_is_interrupted_in_a_process_that_ignores_interrupts(write, run):
    """As a shell's script starts processes in the background."""
    write(double="while True:\n    pass")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        (hung,) = run("double", limit=0.5)["double"].test_results
        assert hung.outcome is TestOutcome.HUNG
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_import_that_never_ends_is_interrupted(write, run, monkeypatch):
    monkeypatch.setattr("lab.checking.IMPORT_LIMIT", 0.5)
    write(top="\nwhile True:\n    pass\n")
    (hung,) = run("double")["double"].test_results
    assert (hung.outcome, hung.student_line["function"]) == (TestOutcome.HUNG, "<module>")


def test_the_import_of_a_library_is_never_interrupted(tmp_path, write, run, monkeypatch):
    (tmp_path / "slow_library.py").write_text("import time\ntime.sleep(1.5)\nready = True\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    write(double="import slow_library\nreturn 2 * x")
    assert run("double", limit=0.2)["double"].passed
    assert sys.modules.pop("slow_library").ready


def test_another_module_of_the_same_name_does_not_win(write, run, monkeypatch):
    other = ModuleType(MODULE)
    monkeypatch.setitem(sys.modules, MODULE, other)
    write(double="return 2 * x")
    assert run("double")["double"].passed
    assert sys.modules[MODULE] is other


def test_exit_and_a_syntax_error_are_told(course, write, run):
    write(double="exit()")
    (ended,) = run("double")["double"].test_results
    assert (ended.outcome, ended.message) == (TestOutcome.FAILED, "SystemExit: None")
    write(top="\ndef broken(:\n")
    assert "line" in str(run("double")["double"].problem)


def test_two_saves_within_a_second_are_told_apart(course, write, run):
    file = course.root / STAGE / f"{MODULE}.py"
    write(double="return 3 * x")
    moment = file.stat().st_mtime_ns
    assert not run("double")["double"].passed
    file.write_text(file.read_text(encoding="utf-8").replace("3 * x", "2 * x"), encoding="utf-8")
    os.utime(file, ns=(moment, moment))
    assert run("double")["double"].passed


def test_the_notebook_keeps_its_own(course, write, run, monkeypatch):
    import torch

    monkeypatch.syspath_prepend(course.root / STAGE)
    monkeypatch.chdir(course.root / STAGE)
    write(double="return 2 * x")
    mine = importlib.import_module(MODULE)
    mine.double = None  # a cell of the notebook changed it
    paths = sys.path[:]
    random.seed(1)
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    state = random.getstate(), torch.get_rng_state()
    try:
        assert run("double")["double"].passed
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
        del sys.modules[MODULE]
    assert (mine.double, sys.path, Path.cwd()) == (None, paths, course.root / STAGE)
    assert random.getstate() == state[0]
    assert torch.equal(torch.get_rng_state(), state[1])


def test_an_interrupted_check_says_so(write, run):
    write(double="raise KeyboardInterrupt")
    with pytest.raises(CompanionError, match="the tests were interrupted"):
        run("double")


def test_a_check_in_a_sheet_counts_and_prints_one_line_for_a_stub(course, write, monkeypatch, capsys):
    monkeypatch.chdir(course.root / STAGE)
    write(double="return 2 * x")
    notebook.check("double")
    assert "1 of 1 tests pass" in capsys.readouterr().out
    status = stage_status(course, course.stages[0], Progress.load(course.root))
    assert status.exercises["double"] is ExerciseStatus.DONE
    notebook.check("total")
    (line,) = capsys.readouterr().out.splitlines()
    assert "total  not written yet: write it in 1_tiny/tiny.py, line " in line
    notebook.check("treble")
    assert "there is no exercise or stage called `treble`" in capsys.readouterr().out


def test_the_magic_is_registered_in_a_notebook_only(monkeypatch, capsys):
    class Shell:
        shown: ClassVar[list[str]] = []

        def register_magic_function(self, function, kind, name):
            self.registered = (kind, name)

    shell = Shell()
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": staticmethod(lambda: shell)}))
    autoreload, display = ModuleType("IPython.extensions.autoreload"), ModuleType("IPython.display")
    display.display_html = lambda text, raw: shell.shown.append(text)
    for module in (autoreload, display):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    notebook.register()
    assert shell.shown == [notebook.PRINT_STYLE]
    assert shell.registered == ("line", "check")
    try:
        ast.parse("def broken(:", "attention.py")
    except SyntaxError:
        autoreload.print("a long traceback", file=sys.stderr)
    (line,) = capsys.readouterr().out.splitlines()
    assert "cannot be loaded: SyntaxError: invalid syntax (attention.py, line 1)" in line
    monkeypatch.delitem(sys.modules, "IPython")
    notebook.register()
