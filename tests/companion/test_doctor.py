"""``lab doctor``: problems of students' machines, each with its fix."""

import importlib.metadata
import subprocess
import sys
from types import SimpleNamespace

import pytest
from tiny_lab import STAGE

from lab import __main__, doctor

GB = 1024**3


@pytest.fixture
def look(course, monkeypatch):
    """Return the findings by name; only one test runs the real torch."""

    def examine(torch=None):
        answer = torch or SimpleNamespace(returncode=0, stdout="2.13 on cpu\n", stderr="")
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "run", lambda *arguments, **options: answer)
            return {finding.name: finding for finding in doctor.examine(course)}

    return examine


def test_a_good_machine_has_no_problems(look, monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/home/ada/.venv")
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * GB, total=16 * GB))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=8 * GB))
    assert [finding for finding in look().values() if finding.fix] == []


def test_the_real_torch_works():
    finding = doctor._torch()
    assert finding.fix == ""
    assert " on cpu (" in finding.found or " on cuda (" in finding.found or " on mps (" in finding.found


def test_the_finding_says_why_torch_cannot_be_loaded(look, monkeypatch):
    broken = SimpleNamespace(returncode=1, stdout="", stderr="Traceback …\nOSError: [WinError 126] c10.dll\n")
    monkeypatch.setattr(sys, "platform", "win32")
    finding = look(broken)["tensors"]
    assert finding.found == "OSError: [WinError 126] c10.dll"
    assert "-m uv pip install --reinstall --torch-backend cpu torch" in finding.fix
    assert "Visual C++" in finding.fix


def test_a_crash_of_python_in_torch_is_reported(look):
    assert look(SimpleNamespace(returncode=-11, stdout="", stderr=""))["tensors"].found == "Python ended with code -11"


def test_a_missing_or_old_package_comes_with_the_command_to_install_it(course, look, monkeypatch):
    def version(name: str) -> str:
        if name == "rich":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.9.2" if name == "torch" else "99.0"

    (course.root / "requirements.txt").write_text("rich>=13\ntorch>=2.6\nclick>=8.1\n# a comment\n", encoding="utf-8")
    monkeypatch.setattr(importlib.metadata, "version", version)
    found = look()
    assert (found["rich"].found, found["click"].fix) == ("not installed", "")
    assert '-m pip install "rich>=13"' in found["rich"].fix
    assert "--torch-backend cpu torch" in found["torch"].fix
    assert "needs 2.6 or newer" in found["torch"].fix


def test_too_little_memory_or_disk_space_is_reported(look, monkeypatch):
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: SimpleNamespace(available=GB, total=8 * GB))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=GB // 2))
    found = look()
    assert found["memory"].found == "1.0 GB free of 8.0 GB"
    assert found["memory"].fix.startswith("close other programs")
    assert found["disk"].fix.startswith("free some disk space")


def test_a_missing_environment_is_reported(look, monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(doctor.Path, "exists", lambda path: False)
    assert "python -m venv .venv" in doctor._environment().fix


def test_an_unreadable_module_is_reported(course, look, write):
    write(top="\ndef broken(:\n")
    assert look()[STAGE].fix.endswith(f"lab reset {STAGE}")


HIDING = [
    "torch.py",
    "random.py",
    "pytest.py",
    "queue.py",
    "torch/__init__.py",
    f"{STAGE}/numpy.py",
    f"{STAGE}/random/__init__.py",
]


def put(course, *names: str) -> None:
    for name in names:
        path = course.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("# my notes\nx = 1\n", encoding="utf-8")


def test_files_that_hide_libraries_are_each_reported(course, look):
    put(course, *HIDING, "math_utils.py", "attention_test.py", f"{STAGE}/helpers/__init__.py", "random2/queue.py")
    found = look()["file names"].found
    assert set(found.removesuffix(" each hide a library of that name").split(", ")) == {
        name.removesuffix("__init__.py") for name in HIDING
    }


def test_files_with_other_names_are_fine(course, look):
    put(course, "math_utils.py", "attention_test.py", "my_random.py", f"{STAGE}/torch/notes.py")
    assert look()["file names"].fix == ""


@pytest.mark.parametrize("command", [["check", "double"], ["doctor"], ["ci"]])
def test_with_hidden_libraries_a_command_ends_with_words(course, command):
    """As a student types it: the current folder is searched first, so that the files hide Python's own."""
    put(
        course,
        "random.py",
        "queue.py",
        "tokenize.py",
        "copy.py",
        "bisect.py",
        "typing.py",
        "psutil.py",
        "watchfiles.py",
        "torch/__init__.py",
    )
    done = subprocess.run([sys.executable, "-m", "lab", *command], cwd=course.root, capture_output=True, text=True)
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    assert "random.py" in output
    assert "torch/" in output
    assert done.returncode in (1, 2)


def test_work_can_be_handed_in_although_a_file_hides_a_library(course, write):
    write(double="return 2 * x")
    put(course, "random.py")
    command = [sys.executable, "-m", "lab", "submit", "--student", "ada"]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True)
    assert done.returncode == 0
    assert "random.py hides a library" in done.stdout.replace("\n", " ")
    assert list(course.root.glob("handin/*/ada.zip"))


def test_without_its_packages_the_companion_says_how_to_install_them(monkeypatch, capsys):
    monkeypatch.setattr(__main__, "NEEDED", ("click", "no_such_package"))
    assert __main__.main() == 2
    output = capsys.readouterr().out
    assert "Missing packages: no_such_package." in output
    assert "-m uv pip install --torch-backend cpu -r requirements.txt" in output


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 99, 0)])
def test_a_python_outside_the_range_is_reported(look, monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    assert look()["Python"].fix.startswith("install Python 3.11 to 3.")


def test_an_old_python_is_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert __main__.main() == 2
    assert "needs Python 3.11 or newer" in capsys.readouterr().out
