"""The companion on a full disk, in a folder that cannot be written, and beside packages of the same names."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_lab import MODULE, STAGE

from lab import bootstrap, cli, notebook
from lab.checking import ExerciseResult
from lab.course import CompanionError
from lab.progress import Progress
from lab.reset import reset
from lab.results import TestOutcome, TestResult
from lab.runner_process import RunnerProcess
from lab.shadows import refuse_hiding_files


@pytest.fixture
def full(monkeypatch):
    """Every write fails after some bytes, as on a full disk."""
    write_bytes = Path.write_bytes

    def write(path: Path, content: bytes) -> int:
        write_bytes(path, content[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def fill() -> None:
        monkeypatch.setattr(Path, "write_bytes", write)

    return fill


@pytest.fixture
def run(course, monkeypatch, capsys):
    """Run a command as the student types it; return the exit code and the output. One test passes, without a run."""
    monkeypatch.chdir(course.root)
    passed = (TestResult(STAGE, "test_double", TestOutcome.PASSED),)
    results = [ExerciseResult(course.exercises[0], passed)]
    monkeypatch.setattr(cli, "check", lambda *arguments, **options: results)

    def run_command(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        code = 0
        try:
            code = cli.run()
        except SystemExit as error:
            code = int(error.code or 0)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run_command


@pytest.mark.parametrize("command", [["check", "double"], ["ci"], ["hint", "double"]])
def test_on_a_full_disk_the_result_comes_first(course, run, full, write, command):
    write(double="return 2 * x")
    Progress(student="ada").save(course.root)
    full()
    code, output = run(*command)
    assert code == 0
    lines = output.splitlines()
    assert "double" in lines[0] or "1 of 1 exercises pass" in lines[0]
    assert f"Your progress could not be saved ({course.root}/.lab: No space left on device)." in output
    assert Progress.load(course.root) == Progress(student="ada")
    assert sorted(path.name for path in (course.root / ".lab").iterdir()) == ["progress.json"]


def test_on_a_full_disk_a_reset_changes_nothing(course, run, full, write):
    write(double="return 2 * x")
    mine = (course.root / STAGE / f"{MODULE}.py").read_bytes()
    full()
    code, output = run("reset", "double")
    assert code == 2
    assert output.replace("\n", "").endswith("cannot be read or written: No space left on device")
    assert (course.root / STAGE / f"{MODULE}.py").read_bytes() == mine


def test_on_a_full_disk_no_half_archive_is_left(course, run, full, write):
    write(double="return 2 * x")
    full()
    code, output = run("submit", "--student", "ada")
    assert code == 2
    assert "No space left on device" in output
    assert not list(course.root.glob("handin/*"))


def test_without_room_for_temporary_files_the_check_says_so(course, monkeypatch):
    def no_folder(**options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/tmp")

    monkeypatch.setattr("tempfile.TemporaryDirectory", no_folder)
    with pytest.raises(CompanionError, match=r"no temporary file can be written .*Read-only file system"):
        RunnerProcess(course.root)


def test_a_reset_keeps_line_ends_and_the_byte_order_mark(course, write):
    """Windows writes both; the other lines of the module must stay as they are."""
    write(double="return 2 * x", total="return x.sum(axis)")
    file = course.root / STAGE / f"{MODULE}.py"
    mine = b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n")
    file.write_bytes(mine)
    reset(course, course.select("double"), Progress())
    stub = b'raise NotImplementedError("double")'
    assert file.read_bytes() == mine.replace(b"return 2 * x", stub)


def test_advice_on_a_file_that_hides_a_library_is_a_name(course):
    (course.root / STAGE / "random.py").touch()
    with pytest.raises(CompanionError, match=rf"{STAGE}/random\.py hides a library .* to my_random\.py"):
        refuse_hiding_files(course)


@pytest.fixture
def packages(course, tmp_path) -> Path:
    """A folder of installed packages, one of which has the name of a stage."""
    folder = tmp_path / "site-packages"
    (folder / MODULE).mkdir(parents=True)
    (folder / MODULE / "__init__.py").write_text("WRONG = True\n", encoding="utf-8")
    (course.root / "2_other").mkdir()
    return folder


def test_pytest_imports_the_stage_and_not_a_package_of_its_name(course, packages):
    program = f"import sys; sys.path[1:1] = [{str(packages)!r}]; import conftest, {MODULE}; print({MODULE}.__file__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=course.root, capture_output=True, text=True)
    assert Path(done.stdout.strip()) == course.root / STAGE / f"{MODULE}.py", done.stderr


def test_a_sheet_of_another_stage_imports_the_stage_and_not_a_package_of_its_name(course, packages, monkeypatch):
    monkeypatch.chdir(course.root)
    monkeypatch.setattr(notebook, "register", lambda: None)  # with this path it could import nothing
    monkeypatch.setattr(sys, "path", ["/python/lib", str(packages)])
    bootstrap.set_up("", "2_other")
    found = [course.root / "2_other", Path("/python/lib"), course.root / STAGE, course.root, packages]
    assert list(map(Path, sys.path)) == found


def test_the_status_of_a_wrong_stage_is_a_usage_error(course, monkeypatch):
    monkeypatch.chdir(course.root)
    done = CliRunner().invoke(cli.cli, ["status", "7"])
    assert isinstance(done.exception, CompanionError)
