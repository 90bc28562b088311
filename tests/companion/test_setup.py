"""Ways to set up: what the README names exists, and the scripts do what they say, with the costly parts faked."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from lab.cli import cli

ROOT = Path(__file__).parents[2] / "solutions" / "student_repository"
PAGES = ("README.md", "AGENTS.md", "docs/ai-assistants.md", "docs/debugging.md")


def run_script(script: str, *arguments: str, cwd: Path, tools: dict[str, str], **environment: str):
    """Run a script of the repository where these tools, written in shell, come before all others."""
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
def test_every_command_that_a_page_names_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:python -m )?lab ([a-z]+)", text))
    assert named <= set(cli.commands)
    if page == "README.md":
        assert named == set(cli.commands) - {"ci"}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_readme_is_one_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80


def test_the_container_is_described_as_editors_expect():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["hostRequirements"]["gpu"] == "optional"  # `true` would shut out machines without one
    assert "--gpus" not in json.dumps(container)
    script = container["postCreateCommand"].removeprefix("bash ")
    assert (ROOT / script).is_file()


@pytest.mark.parametrize("gpu", [True, False])
def test_a_container_without_a_gpu_gets_the_small_build(tmp_path, gpu):
    tools = {"python": f'echo "$@" >> "{tmp_path}/calls"', **({"nvidia-smi": "exit 0"} if gpu else {})}
    done = run_script(".devcontainer/install.sh", cwd=tmp_path, tools=tools)
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert any("whl/cpu torch" in call for call in calls) != gpu
    assert calls[-2].endswith("--editable .")
    assert calls[-1] == "-m lab doctor"


def test_a_job_runs_its_command_where_it_was_submitted(tmp_path):
    (tmp_path / "a folder").mkdir()
    tools = {"nvidia-smi": "exit 9", "srun": 'echo "$PWD $OMP_NUM_THREADS $@"'}
    where = str(tmp_path / "a folder")
    environment = {"SLURM_SUBMIT_DIR": where, "SLURM_CPUS_PER_TASK": "3"}
    done = run_script("cluster/gpu.sbatch", "python", "a b.py", cwd=tmp_path, tools=tools, **environment)
    assert done.returncode == 0, done.stderr
    assert "goes on with the CPU" in done.stdout
    assert f"{where} 3 --kill-on-bad-exit=1 python a b.py" in done.stdout


def test_a_job_without_a_command_says_what_is_missing(tmp_path):
    done = run_script("cluster/gpu.sbatch", cwd=tmp_path, tools={})
    assert done.returncode == 2
    assert "Name the command to run" in done.stderr
