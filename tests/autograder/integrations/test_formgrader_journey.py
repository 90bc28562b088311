"""An instructor's way through formgrader in a real browser, with a gradebook in a file and on a PostgreSQL server.

List, submission, points and a comment by hand, regrade with formgrader's own button, feedback, export: the points are
everywhere those of the judge and of the instructor. The test needs Chromium, and for the server Debian's package
`postgresql`. Run it with ``pytest -m slow``.
"""

import csv
import html
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from browser_visit import Visit, needs_browser
from classroom import Classroom
from click.testing import CliRunner
from formgrader import Formgrader, graded_page
from postgres import has_account, postgresql, programs
from tiny_lab import LOOP, MODULE, QUESTION, STAGE, solution

from autograder.cli.main import main
from autograder.course.lab import Lab
from autograder.integrations.gradebook_server import VARIABLE
from autograder.integrations.nbgrader import generate_feedback
from autograder.integrations.nbgrader.course import step_folder

CONFIG = Path(__file__).parents[3] / "nbgrader_config.py"
ADDS_TWO = solution(double="return 2 + x", total="return torch.sum(x, dim=axis)")
COMMENT = "Name the axis that stays."
needs_server = pytest.mark.skipif(programs() is None or not has_account(), reason="apt-get install postgresql")

pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture(params=["file", pytest.param("server", marks=needs_server)])
def lab(request, released_lab, tmp_path, monkeypatch) -> Iterator[Lab]:
    """A lab whose gradebook is in a file or on a server."""
    root = Path(shutil.copytree(released_lab.root, tmp_path / "lab"))
    shutil.copy(CONFIG, root)
    with postgresql() if request.param == "server" else nullcontext() as url:
        if url is not None:
            (root / "gradebook.db").unlink()
            monkeypatch.setenv(VARIABLE, url)
        yield Lab(root)


def autograder(lab: Lab, *arguments: str | Path) -> str:
    done = CliRunner().invoke(main, ["--lab", str(lab.root), *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def write_class(lab: Lab, folder: Path) -> None:
    """Ann's code is right; Bob adds two, and answers the question."""
    room = Classroom(lab)
    for student, source, answer in (("ann", LOOP, None), ("bob", ADDS_TWO, "Because.")):
        (folder / student / STAGE).mkdir(parents=True)
        (folder / student / STAGE / f"{MODULE}.py").write_text(source, encoding="utf-8")
        (folder / student / STAGE / f"{MODULE}.ipynb").write_bytes(room.notebook(answer))


def exported(lab: Lab, folder: Path) -> dict[str, float]:
    autograder(lab, "export", "nbgrader", folder / "grades.csv")
    return {row["student_id"]: float(row["score"]) for row in csv.DictReader((folder / "grades.csv").open())}


def listed_scores(visit: Visit, formgrader: Formgrader) -> dict[str, str]:
    """The column of scores on formgrader's page of an assignment's submissions."""
    visit.page.goto(formgrader.address(f"manage_submissions/{STAGE}"), timeout=60_000)
    visit.page.wait_for_selector("td.score:has-text('/')", timeout=60_000)
    rows = visit.page.locator("tbody tr").all()
    return {row.locator("td").nth(1).inner_text().strip(): row.locator("td.score").inner_text() for row in rows}


def test_points_and_comments_agree_from_the_list_to_the_export(lab, browser, tmp_path):
    write_class(lab, tmp_path / "class")
    autograder(lab, "grade", tmp_path / "class", "--workers", "1")
    before = exported(lab, tmp_path)
    assert before == {"ann": 8.0, "bob": 4.0}
    formgrader = Formgrader(lab, tmp_path / "jupyter")
    visit = Visit(browser, formgrader.url)
    try:
        assert {name[:3]: score for name, score in listed_scores(visit, formgrader).items()} == {
            "ann": "8 / 9",
            "bob": "4 / 9",
        }
        _grade_by_hand(visit, formgrader)
        scores = {name[:3]: score for name, score in listed_scores(visit, formgrader).items()}
        assert scores == {"ann": "8 / 9", "bob": "5.5 / 9"}
        assert exported(lab, tmp_path) == {"ann": 8.0, "bob": 5.5}
        _regrade(visit, "bob")
        assert {name[:3]: score for name, score in listed_scores(visit, formgrader).items()} == scores
    finally:
        visit.close()
        formgrader.close()
    assert exported(lab, tmp_path) == {"ann": 8.0, "bob": 5.5}
    assert "0 differences" in autograder(lab, "grade", tmp_path / "class", "--workers", "1")
    assert exported(lab, tmp_path) == {"ann": 8.0, "bob": 5.5}
    generate_feedback(lab, [STAGE])
    page = html.unescape((step_folder(lab, "feedback") / "bob" / STAGE / f"{MODULE}.html").read_text(encoding="utf-8"))
    assert COMMENT in page
    assert "5.5 / 9.0" in page


def _grade_by_hand(visit: Visit, formgrader: Formgrader) -> None:
    """Give Bob points and a comment for his answer; formgrader saves them when the field loses the focus."""
    visit.open(graded_page(formgrader, "bob"))
    assert "Because." in visit.page.inner_text("body")
    assert "2 is added to each element" in visit.page.inner_text("body")
    assert visit.page.input_value("#check_total") == ""
    assert visit.page.get_attribute("#check_total", "placeholder") == "4"
    with visit.page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.request.method == "PUT"):
        visit.page.fill(f"#{QUESTION}", "1.5")
        visit.page.press(f"#{QUESTION}", "Tab")
    with visit.page.expect_response(lambda answer: "/api/comment/" in answer.url and answer.request.method == "PUT"):
        visit.page.fill(f"#{QUESTION}-comment", COMMENT)
        visit.page.press(f"#{QUESTION}-comment", "Tab")


def _regrade(visit: Visit, student: str) -> None:
    """Click formgrader's own button; our judge answers."""
    row = visit.page.locator("tbody tr", has_text=student)
    row.locator("td.autograde a").click()
    visit.page.wait_for_selector(".modal-title:has-text('Success')", timeout=120_000)
