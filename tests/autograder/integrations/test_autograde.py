"""``nbgrader autograde`` in this process, with broken submissions and a failing judge."""

import json
import os
import shutil
from dataclasses import replace

import pytest
from classroom import CHECKS, IN_TIME, Classroom
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from processes import deadline
from tiny_lab import MODULE, QUESTION, STAGE
from traitlets.config import Config

from autograder.base.results import IsolationLevel, Outcome
from autograder.intake import StageSubmission, take_in
from autograder.integrations.nbgrader import configure, register_release
from autograder.integrations.nbgrader.course import step_folder
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.pool import IsolationError, JudgePool
from autograder.judge.unrun import unrun_stage
from autograder.pipeline.grade import stage_files


def autograde(classroom: Classroom) -> None:
    """Run nbgrader's converter as its command does."""
    config = Config()
    configure(config, classroom.lab)
    Autograde(coursedir=CourseDirectory(config=config, assignment_id=STAGE), config=config).start()


@pytest.fixture
def judged(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Judge without processes, so that every check passes; the jobs so far."""
    jobs: list[Job] = []

    def judge(pool: JudgePool, job: Job) -> Judged:
        jobs.append(job)
        return Judged(unrun_stage(classroom.lab.stage(job.stage), "", "", Outcome.PASSED))

    monkeypatch.setattr(JudgePool, "judge", judge)
    monkeypatch.setattr(JudgePool, "level", IsolationLevel.KERNEL)
    return jobs


def break_judge(monkeypatch: pytest.MonkeyPatch, student_code: str = "") -> None:
    """Make the judge fail on submissions that contain a text."""
    judge = JudgePool.judge

    def broken(pool: JudgePool, job: Job) -> Judged | Broken:
        return Broken("out of disk") if student_code in job.modules[MODULE] else judge(pool, job)

    monkeypatch.setattr(JudgePool, "judge", broken)


def hand_in_again(classroom: Classroom, student: str, source: str) -> None:
    (step_folder(classroom.lab, "submitted") / student / STAGE / f"{MODULE}.py").write_text(source, encoding="utf-8")


def test_a_submission_is_judged_and_filed_with_its_time(classroom, judged):
    classroom.file(classroom.graded(classroom.submission("ann", answer="Because.", at=IN_TIME), passes=()))
    hand_in_again(classroom, "ann", "# better\n")
    autograde(classroom)
    assert [job.modules[MODULE] for job in judged] == ["# better\n"]
    assert classroom.score("ann") == (8.0, 0.0)
    assert classroom.grades("ann")[QUESTION] == (None, None, None, True)
    assert "# better" in classroom.shown_text("ann")


def test_if_the_judge_fails_older_points_are_removed_and_the_others_are_graded(classroom, judged, monkeypatch):
    everybody = [classroom.submission(student) for student in ("ann", "bob", "cem")]
    classroom.file(*(classroom.graded(submission, CHECKS[:1]) for submission in everybody))
    for student in ("ann", "bob", "cem"):
        hand_in_again(classroom, student, f"# by {student}\n")
    break_judge(monkeypatch, "bob")
    with pytest.raises(NbGraderException):
        autograde(classroom)
    assert [classroom.score(student)[0] for student in ("ann", "bob", "cem")] == [8.0, 0.0, 8.0]
    assert classroom.grades("bob")["check_double"] == (None, None, None, True)
    assert classroom.grades("bob")["check_halve"] == (None, None, None, True)
    assert not (step_folder(classroom.lab, "autograded") / "bob" / STAGE).exists()


def test_without_isolation_nothing_is_graded_and_nothing_stays(classroom, monkeypatch):
    def refuse(pool: JudgePool, job: Job) -> Judged:
        raise IsolationError("student code cannot be isolated on this machine")

    monkeypatch.setattr(JudgePool, "judge", refuse)
    classroom.file(classroom.graded(classroom.submission("ann")))
    hand_in_again(classroom, "ann", "# another\n")
    with pytest.raises(NbGraderException):
        autograde(classroom)
    assert classroom.grades("ann")["check_double"] == (None, None, None, True)


def test_no_cell_that_a_student_wrote_is_executed(classroom, judged, tmp_path):
    classroom.file(classroom.graded(classroom.submission("mal")))
    folder = step_folder(classroom.lab, "submitted") / "mal" / STAGE
    notebook = json.loads(classroom.notebook())
    marker = tmp_path / "executed"
    evil = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "id": "evil"}
    notebook["cells"].insert(0, {**evil, "source": f"open({str(marker)!r}, 'w')"})
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id", "").startswith("check_"):
            cell["source"] = f"open({str(marker)!r}, 'w')"
    (folder / f"{MODULE}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    autograde(classroom)
    assert not marker.exists()
    assert str(marker) not in classroom.shown_text("mal")


def test_further_files_reach_neither_formgrader_nor_feedback(classroom, judged, tmp_path):
    classroom.file(classroom.graded(classroom.submission("mal")))
    secret = tmp_path / "gradebook.db"
    secret.write_text("secret", encoding="utf-8")
    folder = step_folder(classroom.lab, "submitted") / "mal" / STAGE
    (folder / "link.txt").symlink_to(secret)
    (folder / "more").mkdir()
    (folder / "more" / "link.txt").symlink_to(secret)
    autograde(classroom)
    left = [path.name for path in (step_folder(classroom.lab, "autograded") / "mal" / STAGE).rglob("*")]
    assert sorted(left) == ["timestamp.txt", f"{MODULE}.ipynb"]
    assert secret.read_text(encoding="utf-8") == "secret"


SPECIAL = {"cem": ("data.bin", "more/data.bin", "timestamp.txt"), "dan": (f"{MODULE}.py",), "eve": (f"{MODULE}.ipynb",)}


@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_nothing_is_read_through_a_special_file(classroom, judged, kind):
    """Otherwise nbgrader copies until the disk is full, or waits for a pipe's writer."""
    classroom.file(*(classroom.graded(classroom.submission(student)) for student in ("ann", *SPECIAL)))
    for student, names in SPECIAL.items():
        for name in names:
            path = step_folder(classroom.lab, "submitted") / student / STAGE / name
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
            _ = path.symlink_to("/dev/zero") if kind == "device" else os.mkfifo(path)
    with deadline(30):
        autograde(classroom)
    assert {student: classroom.score(student)[0] for student in ("ann", "cem", "dan", "eve")} == {
        "ann": 8.0,
        "cem": 8.0,
        "dan": 0.0,
        "eve": 8.0,
    }
    left = [path.name for path in (step_folder(classroom.lab, "autograded") / "cem" / STAGE).rglob("*")]
    assert left == [f"{MODULE}.ipynb"]


def test_a_notebook_that_is_a_link_is_not_followed(classroom, judged):
    classroom.file(classroom.graded(classroom.submission("ann", answer="The answer of ann.")))
    classroom.file(classroom.graded(classroom.submission("mal")))
    submitted = step_folder(classroom.lab, "submitted")
    notebook = submitted / "mal" / STAGE / f"{MODULE}.ipynb"
    notebook.unlink()
    notebook.symlink_to(submitted / "ann" / STAGE / f"{MODULE}.ipynb")
    autograde(classroom)
    assert "The answer of ann." not in classroom.shown_text("mal")
    assert classroom.grades("mal")[QUESTION] == (None, None, None, True), "a person must look"


def test_results_that_a_killed_run_left_incomplete_are_made_again(classroom, judged):
    classroom.file(classroom.graded(classroom.submission("ann"), passes=()))
    hand_in_again(classroom, "ann", "# better\n")
    autograded = step_folder(classroom.lab, "autograded") / "ann" / STAGE
    shutil.copy(step_folder(classroom.lab, "submitted") / "ann" / STAGE / f"{MODULE}.ipynb", autograded)
    autograde(classroom)
    assert classroom.score("ann") == (8.0, 0.0)


ANSWERED = {"Copy of tiny.ipynb", "tiny (1).ipynb", "tiny.ipynb.txt", "tiny.ipynb", "Tiny.ipynb"}


def taken_in(classroom: Classroom, student: str) -> StageSubmission:
    """The submission as intake reads it from nbgrader's folder."""
    folder = step_folder(classroom.lab, "submitted") / student
    (submission,) = take_in([folder], stage_files(classroom.lab))
    return replace(submission, student=student)


def hand_in_sheet(classroom: Classroom, student: str, name: str, raw: bytes) -> None:
    folder = step_folder(classroom.lab, "submitted") / student / STAGE
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{MODULE}.ipynb").unlink(missing_ok=True)
    (folder / f"{MODULE}.py").write_text("# code\n", encoding="utf-8")
    (folder / name).write_bytes(raw)


@pytest.mark.parametrize("name", sorted(ANSWERED))
def test_the_answer_of_a_renamed_sheet_is_filed_for_a_person(classroom, judged, name):
    hand_in_sheet(classroom, "ann", name, classroom.notebook("The answer of ann."))
    classroom.file(classroom.graded(taken_in(classroom, "ann")))
    assert classroom.grades("ann")[QUESTION] == (None, None, None, True)
    assert "The answer of ann." in classroom.shown_text("ann")
    # Filing leaves the notebook for nbgrader under its right name.
    autograde(classroom)
    assert classroom.grades("ann")[QUESTION] == (None, None, None, True)
    assert "The answer of ann." in classroom.shown_text("ann")


@pytest.mark.parametrize("by_nbgrader", [False, True], ids=["filed", "by nbgrader autograde"])
@pytest.mark.parametrize("damage", [lambda raw: raw[:-40], lambda raw: b"<html>", lambda raw: b""])
def test_the_question_of_a_damaged_sheet_stays_for_a_person_both_ways(classroom, judged, damage, by_nbgrader):
    hand_in_sheet(classroom, "ann", f"{MODULE}.ipynb", damage(classroom.notebook("The answer of ann.")))
    register_release(classroom.lab)
    if not by_nbgrader:
        report = classroom.file(classroom.graded(taken_in(classroom, "ann")))
        assert any(f"{STAGE}/{MODULE}.ipynb" in note for note in report.notes)
    autograde(classroom)
    assert classroom.grades("ann")[QUESTION] == (None, None, None, True)
    assert f"{STAGE}/{MODULE}.ipynb" in classroom.shown_text("ann")


def test_nbgrader_alone_refuses_a_renamed_sheet_and_files_no_zero(classroom, judged):
    hand_in_sheet(classroom, "ann", f"Copy of {MODULE}.ipynb", classroom.notebook("The answer of ann."))
    register_release(classroom.lab)
    with pytest.raises(NbGraderException):
        autograde(classroom)
    grades = classroom.grades("ann")
    assert [grade for grade in grades.values() if grade[0] is not None] == []


def test_a_sheet_without_the_question_stays_for_a_person_both_ways(classroom, judged):
    notebook = json.loads(classroom.notebook())
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != QUESTION]
    hand_in_sheet(classroom, "ann", f"{MODULE}.ipynb", json.dumps(notebook).encode())
    classroom.file(classroom.graded(taken_in(classroom, "ann")))
    assert classroom.grades("ann")[QUESTION] == (None, None, None, True)
    autograde(classroom)
    assert classroom.grades("ann")[QUESTION] == (None, None, None, True)


def test_points_by_hand_for_a_damaged_sheet_stay_and_a_repaired_sheet_is_marked_again(classroom, judged):
    hand_in_sheet(classroom, "ann", f"{MODULE}.ipynb", b"{ damaged")
    classroom.file(classroom.graded(taken_in(classroom, "ann")))
    classroom.grade_by_hand("ann", QUESTION, 1.5)
    hand_in_sheet(classroom, "ann", f"{MODULE}.ipynb", b"{ damaged")
    classroom.file(classroom.graded(taken_in(classroom, "ann")))
    assert classroom.grades("ann")[QUESTION] == (None, 1.5, None, False)
    hand_in_sheet(classroom, "ann", f"{MODULE}.ipynb", classroom.notebook("The answer of ann."))
    classroom.file(classroom.graded(taken_in(classroom, "ann")))
    assert classroom.grades("ann")[QUESTION] == (None, 1.5, None, True)


def test_without_any_sheet_the_question_is_unanswered(classroom, judged):
    hand_in_sheet(classroom, "ann", "README.md", b"hello")
    classroom.file(classroom.graded(taken_in(classroom, "ann")))
    assert classroom.grades("ann")[QUESTION] == (0.0, None, None, False)
    assert classroom.comment("ann") == "No response."
