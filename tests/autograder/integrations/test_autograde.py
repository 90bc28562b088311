"""``nbgrader autograde`` in this process, with broken submissions and a failing judge."""

import json
import shutil

import pytest
from classroom import CHECKS, IN_TIME, Classroom
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from tiny_lab import MODULE, QUESTION, STAGE
from traitlets.config import Config

from autograder.base.results import IsolationLevel, Outcome
from autograder.integrations.nbgrader import configure
from autograder.integrations.nbgrader.course import step_folder
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.pool import IsolationError, JudgePool
from autograder.judge.unrun import unrun_stage


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
    assert "# better" in json.dumps(classroom.shown("ann"))


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
    assert str(marker) not in json.dumps(classroom.shown("mal"))


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


def test_a_notebook_that_is_a_link_is_not_followed(classroom, judged):
    classroom.file(classroom.graded(classroom.submission("ann", answer="The answer of ann.")))
    classroom.file(classroom.graded(classroom.submission("mal")))
    submitted = step_folder(classroom.lab, "submitted")
    notebook = submitted / "mal" / STAGE / f"{MODULE}.ipynb"
    notebook.unlink()
    notebook.symlink_to(submitted / "ann" / STAGE / f"{MODULE}.ipynb")
    autograde(classroom)
    assert "The answer of ann." not in json.dumps(classroom.shown("mal"))
    assert classroom.grades("mal")[QUESTION] == (None, None, None, True), "a person must look"


def test_results_that_a_killed_run_left_incomplete_are_made_again(classroom, judged):
    classroom.file(classroom.graded(classroom.submission("ann"), passes=()))
    hand_in_again(classroom, "ann", "# better\n")
    autograded = step_folder(classroom.lab, "autograded") / "ann" / STAGE
    shutil.copy(step_folder(classroom.lab, "submitted") / "ann" / STAGE / f"{MODULE}.ipynb", autograded)
    autograde(classroom)
    assert classroom.score("ann") == (8.0, 0.0)
