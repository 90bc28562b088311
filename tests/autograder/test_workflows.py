"""Every workflow of the repository, and of students' repositories, uses pinned actions that GitHub still runs."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted(
    path
    for folder in (ROOT, ROOT / "solutions/student_repository", ROOT / "assignments")
    for path in (folder / ".github/workflows").glob("*.y*ml")
)
# The first major version that runs on Node 24, from the releases of each action. GitHub's runners no longer have the
# Node 20 of earlier majors. An action that is not listed is added with its release notes at hand.
FIRST_ON_NODE_24 = {
    "actions/cache": 5,
    "actions/checkout": 5,
    "actions/download-artifact": 7,
    "actions/setup-python": 6,
    "actions/upload-artifact": 6,
}
PINNED = re.compile(r"(?P<action>[\w.-]+/[\w./-]+)@[0-9a-f]{40} # v(?P<major>\d+)\.\d+\.\d+")


def faults(text: str) -> Iterator[str]:
    """Yield what is wrong with the `uses:` of a workflow, one line each."""
    for used in re.findall(r"uses:\s*(.+)", text):
        pinned = PINNED.fullmatch(used.strip())
        if pinned is None:
            yield f"{used}: pin it to the commit of a release and name the release: `NAME@COMMIT # vX.Y.Z`"
        elif pinned["action"] not in FIRST_ON_NODE_24:
            yield f"{used}: no major version on Node 24 is listed for {pinned['action']}"
        elif int(pinned["major"]) < FIRST_ON_NODE_24[pinned["action"]]:
            yield f"{used}: retired; Node 24 begins with v{FIRST_ON_NODE_24[pinned['action']]}"


def test_this_repository_and_students_have_workflows():
    assert {path.name for path in WORKFLOWS} == {"ci.yml", "classroom.yml"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_workflow_uses_pinned_actions_on_node_24(path):
    text = path.read_text(encoding="utf-8")
    assert "uses:" in text
    assert not list(faults(text))


@pytest.mark.parametrize(
    ("used", "fault"),
    [
        (f"actions/checkout@{'0' * 40} # v4.3.1", "retired"),
        (f"actions/setup-python@{'0' * 40} # v5.6.0", "retired"),
        (f"actions/upload-artifact@{'0' * 40} # v5.0.0", "retired"),
        (f"actions/checkout@{'0' * 40}", "pin it"),
        ("actions/checkout@v6", "pin it"),
        (f"someone/grade@{'0' * 40} # v1.0.0", "no major version"),
    ],
)
def test_a_retired_or_floating_action_is_a_fault(used, fault):
    assert [fault in line for line in faults(f"      - uses: {used}\n")] == [True]


@pytest.mark.parametrize("build", ["", "cpu", "cu128"])
def test_make_installs_the_chosen_build_of_pytorch_before_the_rest(build):
    command = ["make", "--dry-run", "--always-make", "setup", f"TORCH={build}"]
    steps = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    *before, everything = [line for line in steps if " pip install " in line]
    assert everything.endswith("--editable '.[dev]'")
    assert [f"--torch-backend {build} " in line for line in before] == ([False, True] if build else [])
