"""Set-up: commands and links in the pages exist, and the scripts work, with the slow parts replaced."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli import cli

ROOT = Path(__file__).parents[2] / "solutions" / "student_repository"
UV_CALLERS = (
    *(".devcontainer/install.sh", ".github/workflows/classroom.yml", "README.md"),
    *("lab/__main__.py", "lab/doctor.py", "pyproject.toml"),
)
PAGES = ("README.md", "AGENTS.md", "docs/ai-assistants.md", "docs/debugging.md", "docs/graded-module.md")


def run_script(script: str, *arguments: str, cwd: Path, tools: dict[str, str], **environment: str):
    """Run a script of the repository with these tools, written in shell, first in the path."""
    folder = cwd / "tools"
    folder.mkdir()
    for name, text in tools.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["bash", str(ROOT / script), *arguments],
        cwd=cwd,
        env={"PATH": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin", **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_command_on_a_page_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:python -m )?lab ([a-z]+)", text))
    assert named <= set(cli.commands)
    if page == "README.md":
        assert named == set(cli.commands) - {"ci"}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_has_a_target(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_readme_is_one_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80


def test_the_container_has_the_format_of_editors():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["hostRequirements"]["gpu"] == "optional"  # `true` would exclude machines without a GPU
    assert "--gpus" not in json.dumps(container)
    script = container["postCreateCommand"].removeprefix("bash ")
    assert (ROOT / script).is_file()


def test_a_container_installs_the_fitting_build(tmp_path):
    done = run_script(".devcontainer/install.sh", cwd=tmp_path, tools={"python": f'echo "$@" >> "{tmp_path}/calls"'})
    assert done.returncode == 0, done.stderr
    first, install, last = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert first.endswith(" uv")
    assert "--torch-backend auto --editable ." in install
    assert last == "-m lab doctor"


def test_uv_accepts_the_options_in_use():
    """Run the real program, offline: it fetches nothing."""
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in UV_CALLERS)
    for backend in set(re.findall(r"--torch-backend (\w+)", text)):
        command = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--dry-run", "--python", sys.executable]
        done = subprocess.run([*command, "--torch-backend", backend, "torch"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_plain_command_of_the_readme_gets_the_cpu_build(tmp_path):
    """Uv reads the choice from pyproject.toml; the command line can still change it."""
    assert "`pip install uv && uv pip install -e .`" in (ROOT / "README.md").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "missing.txt").write_text("torch==99\n", encoding="utf-8")

    def backend(*options: str) -> set[str]:
        command = [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "--offline",
            "--no-cache",
            "-v",
            *options,
            "missing.txt",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return set(re.findall(r"/whl/(\w+)/torch/", done.stderr))

    assert (backend(), backend("--torch-backend", "cu128")) == ({"cpu"}, {"cu128"})


def test_no_file_names_a_package_index():
    for path in ROOT.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"index-url|/(whl|simple)/", text), path


def test_a_job_runs_its_command_in_the_folder_of_its_submission(tmp_path):
    (tmp_path / "a folder").mkdir()
    tools = {"nvidia-smi": "exit 9", "srun": 'echo "$PWD $OMP_NUM_THREADS $@"'}
    folder = str(tmp_path / "a folder")
    environment = {"SLURM_SUBMIT_DIR": folder, "SLURM_CPUS_PER_TASK": "3"}
    done = run_script("cluster/gpu.sbatch", "python", "a b.py", cwd=tmp_path, tools=tools, **environment)
    assert done.returncode == 0, done.stderr
    assert "runs on the CPU" in done.stdout
    assert f"{folder} 3 --kill-on-bad-exit=1 python a b.py" in done.stdout


def test_a_job_without_a_command_is_refused(tmp_path):
    done = run_script("cluster/gpu.sbatch", cwd=tmp_path, tools={})
    assert done.returncode == 2
    assert "missing command" in done.stderr
