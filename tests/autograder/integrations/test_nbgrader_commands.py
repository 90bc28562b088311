"""nbgrader's own commands and formgrader, as programs, in a course that our pipeline graded."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from classroom import Classroom
from formgrader import Formgrader
from tiny_lab import HIDDEN_TESTS, LOOP, MODULE, QUESTION, STAGE, build_tiny_lab, solution

from autograder.base.results import IsolationLevel
from autograder.course.lab import Lab
from autograder.intake import take_in
from autograder.integrations.nbgrader import file_results
from autograder.integrations.nbgrader.course import step_folder
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.messages import Job, Judged
from autograder.judge.run import judge_stage
from autograder.pipeline.grade import Grader, stage_files
from autograder.release import release

CONFIG = Path(__file__).parents[3] / "nbgrader_config.py"
ADDS_TWO = solution(double="return 2 + x", total="return torch.sum(x, dim=axis)")
NOT_FOR_STUDENTS = (
    "normal_tensor",
    "einsum",
    "hypothesis",
    "BEGIN SOLUTION",
    "tests/hidden",
    "test_double_",
    f"{MODULE}.py:",
)


class InProcessJudges:
    """Judges in this process, for code that the test itself wrote."""

    level = IsolationLevel.NONE

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def stop(self) -> None:
        pass

    def judge(self, job: Job) -> Judged:
        stage = self._lab.stage(job.stage)
        return Judged(judge_stage(stage, job.modules, InProcessSession, read_course_code(self._lab, stage), job.seed))


def nbgrader(lab: Lab, *arguments: str) -> str:
    """Run one of nbgrader's commands in the lab's folder; its log."""
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=lab.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def hand_in(folder: Path, student: str, source: str, notebook: bytes) -> Path:
    submission = folder / student / STAGE
    submission.mkdir(parents=True)
    (submission / f"{MODULE}.py").write_text(source, encoding="utf-8")
    (submission / f"{MODULE}.ipynb").write_bytes(notebook)
    return submission


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    """Two students whom our pipeline graded; one has a manual grade too."""
    lab = build_tiny_lab(tmp_path_factory.mktemp("course") / "lab")
    shutil.copy(CONFIG, lab.root)
    release(lab)
    classroom = Classroom(lab)
    folder = lab.root / "class"
    hand_in(folder, "ann", LOOP, classroom.notebook("It says which sizes vanish."))
    hand_in(folder, "bob", ADDS_TWO, classroom.notebook("<script>alert(1)</script> Because."))
    graded = Grader(lab, InProcessJudges(lab)).grade_all(take_in([folder], stage_files(lab)), workers=1)
    assert file_results(lab, graded).differences == ()
    classroom.grade_by_hand("ann", QUESTION, 1.5, "which axis?")
    return classroom


@dataclass(frozen=True)
class Filed:
    """The state after our own pass, before nbgrader's command."""

    grades: dict[str, tuple[Any, ...]]
    shown: dict[str, Any]


@pytest.fixture(scope="module")
def autograded(course: Classroom) -> dict[str, Filed]:
    """Run ``nbgrader autograde`` on our two students and on three submissions that intake has not seen.

    The three have duplicate cells, a link to the reference, and an invalid notebook.
    """
    filed = {student: Filed(course.grades(student), course.shown(student)) for student in ("ann", "bob")}
    for student in filed:
        shutil.rmtree(step_folder(course.lab, "autograded") / student)
    submitted = step_folder(course.lab, "submitted")
    notebook = json.loads(course.notebook("Because."))
    notebook["cells"] += [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader")]
    hand_in(submitted, "doubled", LOOP, json.dumps(notebook).encode())
    link = hand_in(submitted, "linker", "", course.notebook()) / f"{MODULE}.py"
    link.unlink()
    link.symlink_to(course.lab.stage(STAGE).reference)
    hand_in(submitted, "broken", ADDS_TWO, b"{ not json")
    nbgrader(course.lab, "autograde", STAGE)
    return filed


def test_autograde_files_what_our_own_pass_files(course, autograded):
    for student, filed in autograded.items():
        assert course.grades(student) == filed.grades
        assert course.shown(student) == filed.shown
    assert course.comment("ann") == "which axis?"


def test_autograde_judges_unchecked_submissions_in_isolation(course, autograded):
    scores = {student: course.score(student)[0] for student in ("doubled", "linker", "broken")}
    assert scores == {"doubled": 8.0, "linker": 0.0, "broken": 4.0}
    assert "is a link" in json.dumps(course.shown("linker"))
    for student in scores:
        left = {path.name for path in (step_folder(course.lab, "autograded") / student / STAGE).iterdir()}
        assert left == {f"{MODULE}.ipynb"}


def test_feedback_shows_symptom_location_and_hint_and_nothing_hidden(course, autograded):
    nbgrader(course.lab, "generate_feedback", STAGE)
    pages = {
        student: (step_folder(course.lab, "feedback") / student / STAGE / f"{MODULE}.html").read_text(encoding="utf-8")
        for student in ("ann", "bob", "linker")
    }
    assert "your output is what you get when 2 is added to each element" in pages["bob"]
    assert "tiny.py, line 4" in pages["bob"]
    assert "Hint: think of one element first." in pages["bob"]
    assert "<script>alert(1)" not in pages["bob"]
    assert "which axis?" in pages["ann"]
    for page in pages.values():
        assert not [word for word in NOT_FOR_STUDENTS if word in page]
        assert not [line for line in HIDDEN_TESTS.splitlines() if len(line) > 60 and line.strip() in page]


def test_export_has_the_scores_of_judge_and_person(course, autograded):
    nbgrader(course.lab, "export", "--to", "all.csv")
    with (course.lab.root / "all.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert (rows["ann"]["raw_score"], rows["ann"]["max_score"]) == ("9.5", "9.0")
    assert (rows["bob"]["raw_score"], rows["bob"]["needs_manual_grade"]) == ("4.0", "True")


def test_generate_assignment_gives_what_the_release_gave_and_keeps_what_is_graded(course):
    before = {student: course.grades(student) for student in ("ann", "bob")}
    nbgrader(course.lab, "generate_assignment", STAGE)
    folder = step_folder(course.lab, "release") / STAGE
    released = json.loads((folder / f"{MODULE}.ipynb").read_text(encoding="utf-8"))
    ours = json.loads(course.released())
    assert [cell["source"] for cell in released["cells"]] == [cell["source"] for cell in ours["cells"]]
    assert checksums(released) == checksums(ours)
    assert {path.name for path in folder.iterdir()} == {f"{MODULE}.py", f"{MODULE}.ipynb", f"test_{MODULE}.py"}
    assert {student: course.grades(student) for student in ("ann", "bob")} == before


def checksums(notebook: dict[str, Any]) -> list[str | None]:
    return [cell["metadata"].get("nbgrader", {}).get("checksum") for cell in notebook["cells"]]


@pytest.fixture(scope="module")
def formgrader(course: Classroom, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Formgrader]:
    server = Formgrader(course.lab, tmp_path_factory.mktemp("jupyter"))
    yield server
    server.close()


def test_formgrader_lists_the_class_and_shows_each_submission_with_its_results(autograded, formgrader):
    (assignment,) = json.loads(formgrader.get("api/assignments"))
    assert (assignment["name"], assignment["max_score"]) == (STAGE, 9.0)
    listed = json.loads(formgrader.get(f"api/submitted_notebooks/{STAGE}/{MODULE}"))
    entries: dict[str, Any] = {entry["student"]: entry for entry in listed}
    assert (entries["ann"]["score"], entries["bob"]["score"]) == (9.5, 4.0)
    page = formgrader.get(f"submissions/{entries['bob']['id']}/")
    assert "your output is what you get when 2 is added to each element" in page
    assert "Because." in page
    assert "<script>alert(1)" not in page
    assert "NotImplementedError" in page  # the submitted module
    cells = json.loads(formgrader.get(f"api/grades?submission_id={entries['bob']['id']}"))
    grades = {grade["name"]: grade for grade in cells}
    assert (grades["check_double"]["auto_score"], grades["check_double"]["failed_tests"]) == (0.0, True)
