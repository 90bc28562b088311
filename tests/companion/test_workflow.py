"""The workflow in students' repositories: linted, and its steps run on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny_lab import STAGE

WORKFLOW = Path(__file__).parents[2] / "solutions/student_repository/.github/workflows/classroom.yml"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def workflow() -> dict:
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def steps(workflow) -> dict[str, str]:
    job = workflow["jobs"]["run-autograding-tests"]
    return {step["name"]: step["run"] for step in job["steps"] if "run" in step}


def run_step(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
    )


def test_it_has_the_format_of_github_classroom(workflow):
    assert workflow["name"] == "Autograding Tests"
    assert set(workflow["jobs"]) == {"run-autograding-tests"}
    job = workflow["jobs"]["run-autograding-tests"]
    assert job["runs-on"] == "ubuntu-24.04"
    assert 0 < job["timeout-minutes"] <= 30
    assert workflow["permissions"] == {"contents": "read"}


def test_it_reads_no_secret_and_no_event():
    text = WORKFLOW.read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "github.event" not in text
    assert not (WORKFLOW.parent / "autograde.yaml").exists()  # Classroom 50 adds its own


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_it_follows_githubs_schema(schema):
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", schema, WORKFLOW], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_security_linter_finds_nothing():
    done = subprocess.run([BIN / "zizmor", "--offline", "--quiet", WORKFLOW], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("file", "expected"), [(None, "run=true\n"), (".classroom50.yaml", "run=false\n")])
def test_it_does_nothing_where_classroom_50_runs(steps, tmp_path, file, expected):
    if file is not None:
        (tmp_path / file).touch()
    output = tmp_path / "output"
    done = run_step(steps["Decide whether this workflow runs"], tmp_path, GITHUB_OUTPUT=str(output))
    assert done.returncode == 0, done.stderr
    assert output.read_text(encoding="utf-8") == expected


def test_every_later_step_depends_on_the_gate(workflow):
    job = workflow["jobs"]["run-autograding-tests"]
    gate = next(index for index, step in enumerate(job["steps"]) if step.get("id") == "gate")
    later = job["steps"][gate + 1 :]
    assert later
    assert all(step["if"] == "steps.gate.outputs.run == 'true'" for step in later)


def test_the_install_step_accepts_the_requirements(steps, course):
    """All packages are installed, so nothing is fetched: the programs only parse the requirements."""
    done = run_step(steps["Install"], course.root, PIP_NO_INDEX="1", UV_OFFLINE="1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_are_run_and_reported(steps, course, write, tmp_path):
    write(double="return 2 * x", total="return x")
    page = tmp_path / "page.md"
    done = run_step(steps["Public tests"], course.root, GITHUB_STEP_SUMMARY=str(page))
    assert done.returncode == 1, done.stderr  # total was started and fails
    assert "::notice title=Autograding complete::Points 3/7" in done.stdout
    assert f"::error file={STAGE}/tiny.py,line=" in done.stdout
    assert "| ⬜ | `halve` | 0/1 | not started |" in page.read_text(encoding="utf-8")
