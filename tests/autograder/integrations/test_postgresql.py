"""The gradebook on a PostgreSQL server: what a file of SQLite holds, and clear errors.

The test starts a server of its own. It needs Debian's package `postgresql`. Run it with ``pytest -m slow``.
"""

import csv
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from classroom import CHECKS, IN_TIME, Classroom
from click.testing import CliRunner
from postgres import free_port, has_account, postgresql, programs
from tiny_lab import QUESTION, STAGE

from autograder.cli.main import main
from autograder.course.lab import Lab
from autograder.integrations.gradebook import file_results
from autograder.integrations.gradebook_server import VARIABLE, GradebookUrlError, gradebook_name, server_url
from autograder.integrations.nbgrader import GradebookError
from autograder.integrations.nbgrader.course import open_gradebook

needs_server = pytest.mark.skipif(
    programs() is None or not has_account(), reason="no PostgreSQL server on this machine: apt-get install postgresql"
)


def grade_a_class(lab: Lab) -> Classroom:
    """A class with points by hand and late work; filed twice, as a regrade does."""
    room = Classroom(lab)
    late = IN_TIME + timedelta(days=3)
    graded = [
        room.graded(room.submission("ada", answer="Because.")),
        room.graded(room.submission("bo", at=late), passes=CHECKS[:4], handed_in=late, days_late=3, points_lost=2),
    ]
    assert file_results(lab, graded).differences == ()
    room.grade_by_hand("ada", QUESTION, 1.5, "Well said.")
    assert file_results(lab, graded).differences == ()
    return room


def exported(lab: Lab, folder: Path) -> list[dict[str, str]]:
    done = CliRunner().invoke(main, ["--lab", str(lab.root), "export", "nbgrader", str(folder / "grades.csv")])
    assert done.exit_code == 0, done.output
    return list(csv.DictReader((folder / "grades.csv").open()))


@pytest.mark.slow
@needs_server
def test_a_server_holds_what_a_file_holds(released_lab, tmp_path, monkeypatch):
    file_lab = Lab(Path(shutil.copytree(released_lab.root, tmp_path / "file")))
    expected = grade_a_class(file_lab)
    rows = exported(file_lab, tmp_path)
    with postgresql() as url:
        server_lab = Lab(Path(shutil.copytree(released_lab.root, tmp_path / "lab")))
        server_lab.gradebook.unlink()
        monkeypatch.setenv(VARIABLE, url)
        room = grade_a_class(server_lab)
        assert exported(server_lab, tmp_path) == rows
        assert [room.grades(name) for name in ("ada", "bo")] == [expected.grades(name) for name in ("ada", "bo")]
        assert room.comment("ada") == "Well said."
        assert not server_lab.gradebook.exists()
        with pytest.raises(GradebookError, match=r"teacher:\*\*\*@.* holds the course tiny"):
            with open_gradebook(_of_another_course(server_lab)):
                pass


def _of_another_course(lab: Lab) -> Lab:
    grading = lab.root / "grading.yml"
    grading.write_text(grading.read_text(encoding="utf-8").replace("course: tiny", "course: other"), encoding="utf-8")
    return Lab(lab.root)


def test_a_server_that_does_not_answer_is_named_without_its_password(released_lab, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv(VARIABLE, f"postgresql://teacher:s3cret@127.0.0.1:{free_port()}/{STAGE}")
    with pytest.raises(GradebookError) as caught:
        with open_gradebook(released_lab):
            pass
    assert "postgresql://teacher:***@127.0.0.1" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert VARIABLE in str(caught.value)


def test_a_url_of_another_database_is_refused_and_a_workspace_has_a_file(released_lab, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "mysql://teacher:s3cret@host/db")
    with pytest.raises(GradebookUrlError, match=r"mysql://teacher:\*\*\*@host/db; expected postgresql://"):
        server_url(released_lab)
    workspace = Lab(released_lab.root, tmp_path)
    assert server_url(workspace) is None
    assert gradebook_name(workspace) == str(tmp_path / "gradebook.db")
