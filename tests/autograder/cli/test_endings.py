"""The sentence and the exit code of every kind of error, and the table of codes in the documentation."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.base.errors import UnusableError
from autograder.base.results import ResultsFormatError
from autograder.cli import endings, main, report
from autograder.cli.endings import OutputClosedError, Stopped, ending
from autograder.course.config import ConfigError
from autograder.course.lab import LabError
from autograder.intake import IntakeError
from autograder.integrations.nbgrader import GradebookError
from autograder.integrations.nbgrader.faults import GradebookFaultError
from autograder.isolation.errors import TemplateError
from autograder.judge.errors import HiddenTestsError
from autograder.judge.pool import IsolationError, JudgeError
from autograder.pipeline.secret import SecretError

PAGE = Path(__file__).parents[3] / "docs" / "exit-codes.md"


def test_the_page_lists_the_exit_codes():
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.M)}
    codes = (endings.DONE, endings.FAILURES, endings.WRONG_USE, endings.GRADER_ERROR, endings.INTERRUPTED)
    assert sorted(listed) == list(codes) == [0, 1, 2, 3, 130]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (LabError("no lab"), 2, "no lab"),
        (ConfigError("line 3"), 2, "line 3"),
        (IntakeError("not understood"), 2, "not understood"),
        (ResultsFormatError("version 9"), 2, "version 9"),
        (GradebookError("run release"), 2, "run release"),
        (GradebookFaultError("damaged"), 3, "damaged"),
        (SecretError("lost"), 3, "lost"),
        (UnusableError("other run"), 3, "other run"),
        (JudgeError("did not start"), 3, "did not start"),
        (TemplateError("no template"), 3, "no template"),
        (IsolationError("not blocked"), 3, "not blocked"),
        (HiddenTestsError("no test"), 3, "no test"),
        (OSError(errno.ENOSPC, "No space", "/d/f"), 3, "the disk is full (/d/f)"),
        (OSError(errno.EDQUOT, "Quota", "/d/f"), 3, "quota"),
        (OSError(errno.EFBIG, "Too large", "/d/f"), 3, "ulimit -f"),
        (OSError(errno.EROFS, "Read-only", "/d/f"), 3, "is read-only (/d/f)"),
        (PermissionError(errno.EACCES, "Permission", "/d/f"), 3, "permission denied (/d/f)"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/d/f"), 3, "missing (/d/f)"),
        (OSError(errno.EMFILE, "Too many", "/d/f"), 3, "--workers"),
        (OSError(errno.ENOSPC, "No space"), 3, "the disk is full. Free space"),
        (MemoryError(), 3, "memory is used up"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 3, "reads the output has ended"),
        (OutputClosedError(), 3, "reads the output has ended"),
        (UnicodeEncodeError("ascii", "✓", 0, 1, "not in range"), 3, "PYTHONIOENCODING=utf-8"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 3, "torch is not installed: run `make setup`"),
        (KeyboardInterrupt(), 130, "run the same command again to continue"),
        (Stopped("2 of 3 results are stored"), 130, "stopped: 2 of 3"),
        (ValueError("a bug"), 3, ""),
        (OSError("without a number"), 3, ""),
        (ModuleNotFoundError("No module named 'autograder.x'", name="autograder.x"), 3, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_each_kind_of_error_has_its_code_and_its_words(error, code, words):
    sentence, found = ending(error)
    assert found == code
    assert words in sentence
    assert bool(sentence) == bool(words)


@pytest.fixture
def _faulty_report(monkeypatch, tmp_path):
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(report, "stored_reports", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.usefixtures("_faulty_report")
def test_an_unexpected_error_is_a_fault_of_the_autograder_with_its_traceback_in_a_file(tiny_lab, tmp_path):
    done = CliRunner().invoke(main, ["--lab", str(tiny_lab.root), "report"])
    assert done.exit_code == 3
    assert "This is a fault of the autograder (ZeroDivisionError)" in " ".join(done.output.split())
    assert "Traceback" not in done.output
    (saved,) = tmp_path.glob("autograder-fault-*.txt")
    assert str(saved) in done.output.replace("\n", "")
    assert "a bug" in saved.read_text(encoding="utf-8")


@pytest.mark.usefixtures("_faulty_report")
@pytest.mark.parametrize(("arguments", "env"), [(["--debug"], {}), ([], {"AUTOGRADER_DEBUG": "1"})])
def test_debug_prints_the_traceback(tiny_lab, arguments, env):
    done = CliRunner().invoke(main, [*arguments, "--lab", str(tiny_lab.root), "report"], env=env)
    assert done.exit_code == 3
    assert "Traceback" in done.output
    assert "ZeroDivisionError: a bug" in done.output


@pytest.mark.usefixtures("_faulty_report")
def test_a_traceback_that_cannot_be_saved_is_printed(tiny_lab, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tiny_lab.root / "missing"))
    done = CliRunner().invoke(main, ["--lab", str(tiny_lab.root), "report"])
    assert done.exit_code == 3
    assert "ZeroDivisionError: a bug" in done.output
    assert "This is a fault of the autograder" in done.output


def run_with_output(target: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autograder", *arguments]
    return subprocess.run(command, stdout=target, stderr=subprocess.PIPE, text=True)


def test_a_reader_of_the_output_that_has_ended_ends_the_command_with_a_sentence():
    reading, writing = os.pipe()
    os.close(reading)
    done = run_with_output(writing, "--version")
    os.close(writing)
    assert done.returncode == 3
    assert done.stderr.startswith("autograder: the program that reads the output has ended")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_output_on_a_full_disk_ends_the_command_with_a_sentence():
    with Path("/dev/full").open("w") as full:
        done = run_with_output(full.fileno(), "--version")
    assert done.returncode == 3
    assert done.stderr.startswith("autograder: the disk is full")
    assert done.stderr.count("\n") == 1
