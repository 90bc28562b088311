"""The bundle for Classroom 50, run as its runner does: in a student's checkout, with the job's environment."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tiny_lab import HIDDEN_TESTS, LOOP, MODULE, STAGE, build_tiny_lab, solution

from autograder.course.lab import Lab
from autograder.integrations.bundles.classroom50 import MOST_BYTES, classroom50_bundle
from autograder.release import ReleaseError
from autograder.release.folders import replace_folder

SKELETON = Path(__file__).parents[3] / "solutions" / "student_repository"
TAG = "submit/2026-11-23T14-32-05Z-a1b2c3d"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The tiny lab with the real companion."""
    lab = build_tiny_lab(tmp_path_factory.mktemp("bundles") / "lab")
    for name in ("lab", "conftest.py", "pytest.ini"):
        source, target = SKELETON / name, lab.root / "solutions" / "student_repository" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return lab


@pytest.fixture(scope="module")
def bundle(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classroom") / "autograders" / "tiny"
    folder.parent.mkdir()
    replace_folder(folder, classroom50_bundle(lab, lab.stages()))
    return folder


class Job:
    """A job of Classroom 50 in a clean folder."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        self.bundle, self.checkout = bundle, folder / "checkout"
        (self.checkout / STAGE).mkdir(parents=True)
        self.module = self.checkout / STAGE / f"{MODULE}.py"
        self.steering = {name: folder / name for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT")}
        for file in self.steering.values():
            file.touch()

    def run(self) -> dict[str, object]:
        """Run the autograder; the result, which follows Classroom 50's rules."""
        given = {"CLASSROOM": "dl-fall", "ASSIGNMENT": "tiny", "SUBMISSION_TAG": TAG, "GH_TOKEN": "secret-token"}
        links = {name: f"https://example.org/{name}" for name in ("COMMIT_URL", "RELEASE_URL", "REVIEW_URL")}
        done = subprocess.run(
            [sys.executable, str(self.bundle / "autograder.py")],
            cwd=self.checkout,
            env={**os.environ, **given, **links, **{name: str(file) for name, file in self.steering.items()}},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert "::" not in done.stdout
        result = json.loads((self.checkout / "result.json").read_text(encoding="utf-8"))
        follows_the_rules(result)
        return result


def follows_the_rules(result: dict) -> None:
    """The validator of Classroom 50, from its documentation: integers, names, bounds and the submission's tag."""
    assert result["schema"] == "classroom50/result/v1"
    assert (result["classroom"], result["assignment"], result["submission"]) == ("dl-fall", "tiny", TAG)
    assert all(result[link].startswith("https://") for link in ("commit", "release", "review"))
    for entry in (result, *result["tests"]):
        assert type(entry["score"]) is int
        assert type(entry["max-score"]) is int
        assert 0 <= entry["score"] <= entry["max-score"]
    assert all(test["test-name"] and type(test["passed"]) is bool for test in result["tests"])
    assert sum(test["score"] for test in result["tests"]) == result["score"]


@pytest.fixture
def job(bundle: Path, tmp_path: Path) -> Job:
    return Job(bundle, tmp_path)


def scores(result: dict) -> dict[str, int]:
    return {test["test-name"].partition("/")[2]: test["score"] for test in result["tests"]}


@pytest.mark.slow
def test_a_good_submission_has_all_points(job):
    job.module.write_text(LOOP, encoding="utf-8")
    result = job.run()
    assert (result["score"], result["max-score"]) == (7, 7)
    assert scores(result) == {"double": 3, "total": 4, "halve": 0}
    assert "7 of 7 points" in (job.checkout / "release-body.md").read_text(encoding="utf-8")


def test_a_wrong_or_unfinished_exercise_has_a_hint(job):
    job.module.write_text(solution(double="return 2 * x", total="return x"), encoding="utf-8")
    result = job.run()
    assert scores(result) == {"double": 3, "total": 0, "halve": 0}
    hints = {test["test-name"]: test.get("hint", "") for test in result["tests"]}
    assert hints[f"{STAGE}/double"] == ""
    assert "axis 1 has three elements to add" in hints[f"{STAGE}/total"]
    assert hints[f"{STAGE}/halve"] == "not written yet"


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["no Python", "a link", "nothing"])
def test_a_module_that_cannot_be_read_has_no_points(job, tmp_path, damage):
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text(LOOP, encoding="utf-8")
    if damage == "no Python":
        job.module.write_text("def double(:\n", encoding="utf-8")
    elif damage == "a link":
        job.module.symlink_to(elsewhere)
    result = job.run()
    assert result["score"] == 0
    assert all(test["hint"] for test in result["tests"])


HOSTILE = """
import os, subprocess, sys
checkout = {checkout!r}
os.makedirs(checkout + "/result.json", exist_ok=True)
for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GH_TOKEN"):
    if name in os.environ:
        open(os.environ.get(name, "/dev/null"), "a").write("EVIL=1")
print("::error::evil", flush=True)
writer = "import time, pathlib, json\\nwhile True: pathlib.Path({checkout!r}, 'release-body.md').write_text('evil')"
subprocess.Popen([sys.executable, "-c", writer], start_new_session=True)
os._exit(0)
"""


def test_a_hostile_submission_steers_neither_the_result_nor_the_job(job):
    """It replaces the result, writes to the job's files, prints commands, leaves a process and ends Python."""
    job.module.write_text(LOOP + HOSTILE.format(checkout=str(job.checkout)), encoding="utf-8")
    result = job.run()
    assert result["score"] == 0
    assert [file.read_text() for file in job.steering.values()] == ["", "", ""]
    assert "evil" not in (job.checkout / "release-body.md").read_text(encoding="utf-8")
    left = [p for p in psutil.process_iter(["cmdline"]) if str(job.checkout) in " ".join(p.info["cmdline"] or [])]
    assert left == []


def test_python_is_pinned_and_the_size_fits(bundle):
    assert json.loads((bundle / "runtime.json").read_text(encoding="utf-8"))["python"] == "3.12"
    assert sum(file.stat().st_size for file in bundle.iterdir()) <= MOST_BYTES


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("lab/helper.py", HIDDEN_TESTS, f"equals tests/hidden/{STAGE}"),
        ("lab/helper.py", '"""Run test_double_multiplies_by_two."""\n', "names the hidden check"),
        ("lab/hidden/values.json", "[1, 2]", "`hidden` is the instructor's"),
        ("lab/helper.py", "def f(x):\n    return torch.sum(x, dim=axis)\n", "students would read a line"),
    ],
)
def test_a_bundle_with_anything_hidden_is_refused(tiny_lab, name, text, complaint):
    path = tiny_lab.root / "solutions" / "student_repository" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReleaseError, match=complaint):
        classroom50_bundle(tiny_lab, tiny_lab.stages())


@pytest.mark.slow
def test_the_bundle_of_the_whole_lab_is_accepted():
    lab = Lab.find(Path(__file__).parent)
    files = classroom50_bundle(lab, lab.stages())
    assert {"autograder.py", "public_tests.py", "public.zip", "bundle.json", "runtime.json"} <= files.keys()
