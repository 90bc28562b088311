"""The first cell of every lab sheet, on simulated machines: Colab, Kaggle, a laptop."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from tiny_lab import MODULE, STAGE

from lab import bootstrap

GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@example.org")


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """Start in an empty folder, and restore the current folder, the path and the environment afterwards."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, folder in {"COLAB": "content", "DRIVE": "content/drive/MyDrive", "KAGGLE": "kaggle"}.items():
        monkeypatch.setattr(bootstrap, name, tmp_path / folder)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.setenv("PATH", os.environ["PATH"])


@pytest.fixture
def colab(monkeypatch, tmp_path) -> Path:
    """Colab's module and folder; its secrets are empty."""
    secrets = ModuleType("google.colab.userdata")
    secrets.get = lambda name: (_ for _ in ()).throw(KeyError(name))
    for name, module in {"google": ModuleType("google"), "google.colab": ModuleType("google.colab")}.items():
        module.__path__ = []
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "google.colab.userdata", secrets)
    (tmp_path / "content").mkdir()
    return tmp_path / "content"


@pytest.fixture
def kaggle(monkeypatch, tmp_path) -> Path:
    """Kaggle's variable, module and folders."""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    module = ModuleType("kaggle_secrets")
    module.UserSecretsClient = lambda: SimpleNamespace(get_secret=lambda name: f"secret {name}")
    monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    (tmp_path / "kaggle" / "working").mkdir(parents=True)
    (tmp_path / "kaggle" / "input").mkdir()
    return tmp_path / "kaggle"


@pytest.fixture
def repository(course, tmp_path) -> str:
    """Address of the student's repository, from which git can clone."""
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message", "start")):
        subprocess.run([*GIT, *command], cwd=course.root, check=True)
    target = tmp_path / "hub" / "my-lab.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", course.root, target], check=True)
    return str(target)


def is_set_up(root: Path) -> bool:
    return Path.cwd() == root / STAGE and str(root / STAGE) in sys.path


@pytest.mark.parametrize("inside", ["", STAGE])
def test_on_a_laptop_it_only_changes_to_the_stages_folder(course, monkeypatch, inside):
    monkeypatch.chdir(course.root / inside)
    monkeypatch.setattr(bootstrap, "fetch", None)
    bootstrap.set_up("", STAGE)
    assert is_set_up(course.root)


def test_folders_of_other_stages_come_after_the_stages_own_folder(course, monkeypatch):
    other = course.root / "2_other"
    other.mkdir()
    (course.root / "3_no_folder").touch()
    monkeypatch.chdir(course.root)
    for _ in range(2):
        bootstrap.set_up("", STAGE)
        ours = [folder for folder in sys.path if folder.startswith(str(course.root))]
        assert ours == [str(course.root / STAGE), str(other), str(course.root)]


def test_python_in_a_cell_is_the_python_of_the_notebook(course, monkeypatch):
    monkeypatch.chdir(course.root)
    monkeypatch.setenv("PATH", os.defpath)
    for _ in range(2):
        bootstrap.set_up("", STAGE)
        assert os.environ["PATH"] == os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
    assert Path(shutil.which("python")).parent == Path(sys.executable).parent


def test_outside_the_repository_the_error_says_what_to_do():
    with pytest.raises(SystemExit, match="open this sheet from inside your repository"):
        bootstrap.set_up("", STAGE)


def test_on_colab_it_clones_the_repository(colab, repository):
    bootstrap.set_up(repository, STAGE)
    assert is_set_up(colab / "my-lab")


def test_a_second_run_keeps_the_students_code(colab, repository, monkeypatch):
    bootstrap.set_up(repository, STAGE)
    mine = colab / "my-lab" / STAGE / f"{MODULE}.py"
    mine.write_text("mine\n", encoding="utf-8")
    monkeypatch.chdir(colab)
    bootstrap.set_up("", STAGE)  # the address is not needed again
    assert is_set_up(colab / "my-lab")
    assert mine.read_text(encoding="utf-8") == "mine\n"


def test_on_colab_it_uses_a_mounted_drive(colab, repository):
    (colab / "drive" / "MyDrive").mkdir(parents=True)
    bootstrap.set_up(repository, STAGE)
    assert is_set_up(colab / "drive" / "MyDrive" / "my-lab")


def test_on_kaggle_it_clones_the_repository(kaggle, repository):
    bootstrap.set_up(repository, STAGE)
    assert is_set_up(kaggle / "working" / "my-lab")


def test_on_kaggle_an_attached_data_set_needs_no_internet(kaggle, course):
    (kaggle / "input" / "set").mkdir()
    course.root.rename(kaggle / "input" / "set" / "my-lab")
    bootstrap.set_up("", STAGE)
    assert is_set_up(kaggle / "working" / "my-lab")


@pytest.mark.parametrize(
    ("address", "message"), [("", "to your repository's address"), ("/nowhere/lab.git", "cannot be cloned")]
)
def test_without_a_repository_it_says_so(colab, address, message):
    with pytest.raises(SystemExit, match=message):
        bootstrap.set_up(address, STAGE)


def test_another_repository_is_refused(colab, repository):
    with pytest.raises(SystemExit, match="has no folder 9_other: is it your lab repository"):
        bootstrap.set_up(repository, "9_other")


def test_a_token_is_a_header_and_is_not_stored_in_a_file(kaggle, repository):
    environment = bootstrap.credentials()
    assert environment["GIT_CONFIG_VALUE_0"].startswith("Authorization: Basic ")
    assert environment["GIT_CONFIG_KEY_0"] == "http.https://github.com/.extraHeader"
    bootstrap.set_up(repository, STAGE)
    config = (kaggle / "working" / "my-lab" / ".git" / "config").read_text(encoding="utf-8")
    assert "Authorization" not in config


def test_without_a_token_git_does_not_prompt(colab, capsys):
    environment = bootstrap.credentials()
    assert "GIT_CONFIG_VALUE_0" not in environment
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert "No secret GITHUB_TOKEN" in capsys.readouterr().out


def test_only_missing_packages_are_installed(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda command: calls.append(command) or SimpleNamespace(returncode=0))
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("torch>=2.6\njupyterlab>=4\nno-such-thing-1>=3\nPyTest\nno.such_2\n", encoding="utf-8")
    bootstrap.install(requirements)
    assert calls == [[sys.executable, "-m", "pip", "install", "--quiet", "no-such-thing-1", "no.such_2"]]


def test_nothing_is_installed_if_nothing_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("torch>=2.6\n", encoding="utf-8")
    bootstrap.install(requirements)


def test_without_internet_the_cell_continues(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", lambda command: SimpleNamespace(returncode=1))
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("no-such-thing\n", encoding="utf-8")
    bootstrap.install(requirements)
    assert "no-such-thing could not be installed: turn on internet access" in capsys.readouterr().out


def test_the_cell_is_the_first_code_cell_and_runs_alone(course, monkeypatch, tmp_path):
    cells = json.loads((course.root / STAGE / f"{MODULE}.ipynb").read_text(encoding="utf-8"))["cells"]
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    source = "".join(first["source"])
    assert first["id"] == "bootstrap"
    assert f'STAGE = "{STAGE}"' in source
    assert "noqa" not in source
    script = tmp_path / "cell.py"
    script.write_text(source, encoding="utf-8")
    monkeypatch.chdir(course.root)
    runpy.run_path(str(script), run_name="__main__")
    assert is_set_up(course.root)


def test_the_cell_needs_only_python():
    imports = {name.split(".")[0] for name in vars(bootstrap) if isinstance(vars(bootstrap)[name], ModuleType)} - {
        "lab"
    }
    assert imports
    assert imports <= sys.stdlib_module_names
