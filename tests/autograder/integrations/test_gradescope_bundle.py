"""The zip for Gradescope, run as its containers do: in a clean folder, with a submission and its metadata."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tiny_lab import LOOP, MODULE, STAGE, build_tiny_lab, solution

from autograder.integrations.bundles.gradescope import gradescope_bundle

SECRET = b"0123456789abcdef0123456789abcdef"
METADATA = {
    "id": 7,
    "created_at": "2026-02-28T10:00:00.000000-08:00",
    "users": [{"email": "ada@example.edu", "id": 1, "name": "Ada"}],
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    lab = build_tiny_lab(tmp_path_factory.mktemp("gradescope") / "lab")
    return gradescope_bundle(lab, lab.stages(), SECRET)


@pytest.fixture
def container(bundle: bytes, tmp_path: Path) -> Path:
    """The folder `/autograder` of a fresh container, with an empty submission."""
    base = tmp_path / "autograder"
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, base / "source"))
            path.chmod(entry.external_attr >> 16 & 0o777)
    shutil.copy(base / "source" / "run_autograder", base)
    (base / "submission").mkdir()
    (base / "submission_metadata.json").write_text(json.dumps(METADATA), encoding="utf-8")
    return base


def run(container: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [container / "run_autograder"],
        cwd=container,
        env={"PATH": os.environ["PATH"], "AUTOGRADER_BASE": str(container), "AUTOGRADER_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=300,
    )


def results(container: Path) -> dict:
    """Grade, and read the result by Gradescope's rules."""
    done = run(container)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((container / "results" / "results.json").read_text(encoding="utf-8"))
    assert isinstance(found["score"], int | float)
    assert found.get("stdout_visibility", "hidden") == "hidden"
    for test in found["tests"]:
        assert test["name"]
        assert 0 <= test["score"] <= test["max_score"]
        assert test["status"] in ("passed", "failed")
        assert test["visibility"] in ("hidden", "after_due_date", "after_published", "visible")
    return found


def hands_in(container: Path, text: str, folder: str = STAGE) -> None:
    path = container / "submission" / folder / f"{MODULE}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# Reads the solutions, the secret and the tests, writes a result of its own, and ends Python.
HOSTILE = """
import os
found = []
for folder, _, files in os.walk({base!r}):
    for name in files:
        try:
            found.append(open(os.path.join(folder, name)).read())
        except OSError:
            pass
try:
    os.makedirs({base!r} + "/results", exist_ok=True)
    open({base!r} + "/results/results.json", "w").write('{{"score": 100}}')
except OSError:
    pass


def double(x):
    raise ValueError("".join(found) + "leaked")


def total(x, axis):
    os._exit(0)
"""


def test_a_hostile_submission_reads_nothing_and_earns_nothing(container):
    hands_in(container, HOSTILE.format(base=str(container)))
    found = results(container)
    assert found["score"] == 0
    shown = json.dumps(found)
    assert "leaked" not in shown
    assert SECRET.decode() not in shown
    assert "test_double" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("folder", [STAGE, "."])
def test_good_and_partly_wrong_submissions_have_their_points(container, folder):
    hands_in(container, LOOP, folder)
    good = results(container)
    assert good["score"] == 8  # seven points and the extension
    hands_in(container, solution(double="return 2 * x", total="return x"), folder)
    wrong = results(container)
    assert wrong["score"] == 3
    assert any("total" in json.dumps(test) and test["status"] == "failed" and test["output"] for test in wrong["tests"])


@pytest.mark.slow
def test_late_work_counts_by_the_time_of_the_upload(container):
    late = {**METADATA, "created_at": "2026-03-02T09:00:00.000000-08:00"}  # the second day after the due date
    (container / "submission_metadata.json").write_text(json.dumps(late), encoding="utf-8")
    hands_in(container, LOOP)
    assert 0 < results(container)["score"] < 8


def test_a_submission_without_work_of_the_lab_says_why(container):
    (container / "submission" / "essay.txt").write_text("My thoughts.", encoding="utf-8")
    found = results(container)
    assert found["score"] == 0
    assert "Nothing was graded" in found["output"] or "not begun" in json.dumps(found)


def test_what_a_person_must_decide_leaves_no_number(container):
    hands_in(container, "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 100\n")
    done = run(container)
    assert done.returncode != 0
    assert "a person must look" in done.stdout
    assert not (container / "results" / "results.json").exists()


def test_the_scripts_are_valid_and_executable(container):
    for name in ("setup.sh", "run_autograder"):
        script = container / "source" / name
        assert os.access(script, os.X_OK)
        assert subprocess.run(["bash", "-n", script], capture_output=True, text=True).stderr == ""
