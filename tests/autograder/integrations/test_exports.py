"""Every export of one class, read back by the rules of its platform: all totals are those of the gradebook."""

import csv
import io
import json
import shutil
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from classroom import CHECKS, IN_TIME, Classroom
from click.testing import CliRunner, Result
from platform_readers import (
    read_canvas,
    read_classroom50_result,
    read_classroom50_scores,
    read_gradescope,
    read_moodle_import,
    read_moodle_worksheet,
)
from tiny_lab import QUESTION, STAGE

from autograder.base.results import Outcome
from autograder.cli.main import main
from autograder.course.lab import Lab
from autograder.integrations.nbgrader.course import open_gradebook

# Seven points, one of the extension, two by hand. Late by three days costs 30 %, rounded down.
TOTALS = {"ada": 8 + 2, "bo": 7 - 2, "cy": 0 + 1, "dee_17": 8}
PEOPLE = {
    4411: {"login": "ada"},
    4412: {"login": "BO"},
    17: {"login": "dd"},
    4413: {"login": "cy"},
    4414: {"login": "x"},
}
CANVAS = """\
\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Twice and together (98765),Other (5),Final Score
    Points Possible,,,,,9,10,(read only)
"Lovelace, Ada",4411,u100,ada,CS-1,,3,50
"Bo, B.",4412,u101,BO,CS-1,2,,
"Dee, D.",17,u102,dd,CS-1,,,
"Cy, C.",4413,u103,cy,CS-1,1,4,
"Xi, X.",4414,u104,x,CS-1,5,,
"""
WORKSHEET = """\
Identifier,Full name,Email address,Status,Grade,Maximum grade,Last modified (grade),Feedback comments
Participant 17,D. Dee,dd@example.org,Submitted,,9,-,
Participant 18,Ada Lovelace,ada,Submitted,3,9,-,good
Participant 19,Bo B.,bo,Submitted,,9,-,
Participant 20,Cy C.,cy,Submitted,,9,-,
"""


@pytest.fixture(scope="module")
def graded(released_lab, tmp_path_factory) -> Lab:
    """A class with a late student, points by hand, an extension, a stage without a number, and one not begun."""
    room = Classroom(Lab(Path(shutil.copytree(released_lab.root, tmp_path_factory.mktemp("exports") / "lab"))))
    late, timeout = IN_TIME + timedelta(days=3), Outcome.TIMEOUT
    answered = room.submission("cy", answer="Because.")
    room.file(
        room.graded(room.submission("ada", answer="Because.")),
        room.graded(room.submission("bo", at=late), passes=CHECKS[:4], handed_in=late, days_late=3, points_lost=2),
        room.graded(answered, passes=()),
        room.graded(room.submission("dee_17")),
        room.graded(room.submission("fay"), outcome=timeout, not_graded="copies differ"),
    )
    room.grade_by_hand("ada", QUESTION, 2.0)
    room.grade_by_hand("cy", QUESTION, 1.0)
    return room.lab


def export(lab: Lab, *arguments: str | Path) -> Result:
    done = CliRunner().invoke(main, ["--lab", str(lab.root), "export", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


def test_nbgraders_csv_has_the_totals_names_and_no_number_for_what_is_not_graded(graded, tmp_path):
    (tmp_path / "names.csv").write_text('login,name,e-mail\nada,"Lovelace, Ada",ada@example.org\n', encoding="utf-8")
    export(graded, "nbgrader", tmp_path / "grades.csv", "--stage", STAGE, "--names", tmp_path / "names.csv")
    rows = {row["student_id"]: row for row in csv.DictReader((tmp_path / "grades.csv").open())}
    assert {name: float(row["score"]) for name, row in rows.items() if row["score"]} == TOTALS
    assert rows["fay"]["score"] == ""
    ada = rows["ada"]
    assert (ada["last_name"], ada["first_name"], ada["email"]) == ("Lovelace", "Ada", "ada@example.org")


def test_canvas_changes_the_cells_of_the_stage_and_nothing_else(graded, tmp_path):
    (tmp_path / "canvas.csv").write_text(CANVAS, encoding="utf-8")
    done = export(graded, "canvas", tmp_path / "out.csv", "--template", tmp_path / "canvas.csv")
    scores = read_canvas((tmp_path / "out.csv").read_bytes(), PEOPLE, {98765: "", 5: ""})
    assert {user: float(row[98765] or -1) for user, row in scores.items()} == {
        4411: TOTALS["ada"],
        4412: TOTALS["bo"],
        17: TOTALS["dee_17"],
        4413: TOTALS["cy"],
        4414: 5,
    }
    before = read_canvas(CANVAS.encode(), PEOPLE, {98765: "", 5: ""})
    assert {user: row[5] for user, row in scores.items()} == {user: row[5] for user, row in before.items()}
    assert "Canvas has" not in done.output
    assert "4 grades filled in" in done.output


def test_canvas_says_which_column_is_missing_and_which_maximum_differs(graded, tmp_path):
    other = CANVAS.replace("Twice and together", "Homework").replace(",,,,,9,", ",,,,,20,")
    (tmp_path / "canvas.csv").write_text(other, encoding="utf-8")
    arguments = ["--lab", str(graded.root), "export", "canvas", str(tmp_path / "out.csv")]
    arguments += ["--template", str(tmp_path / "canvas.csv")]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert "choose one with --column" in refused.output
    assert not (tmp_path / "out.csv").exists()
    done = export(graded, *arguments[3:], "--column", f"{STAGE}=Homework")
    assert "Canvas has 20 points possible, the lab 9" in done.output


def test_an_ambiguous_row_of_canvas_is_refused(graded, tmp_path):
    (tmp_path / "canvas.csv").write_text(CANVAS + '"Twin",99,,ada,CS-2,,,\n', encoding="utf-8")
    arguments = ["canvas", str(tmp_path / "out.csv"), "--template", str(tmp_path / "canvas.csv")]
    done = CliRunner().invoke(main, ["--lab", str(graded.root), "export", *arguments])
    assert done.exit_code == 2
    assert "the student ada fits the rows 3, 8" in done.output


def test_moodles_worksheet_and_import_have_the_totals(graded, tmp_path):
    (tmp_path / "worksheet.csv").write_text(WORKSHEET, encoding="utf-8")
    done = export(graded, "moodle", tmp_path / "out.csv", "--template", tmp_path / "worksheet.csv")
    names = {17: "dee_17", 18: "ada", 19: "bo", 20: "cy"}
    assert read_moodle_worksheet((tmp_path / "out.csv").read_bytes(), names, 10) == TOTALS
    assert "4 grades filled in" in done.output
    export(graded, "moodle", tmp_path / "import.csv")
    users = {*TOTALS, "fay"}
    for column in (STAGE, "total"):
        assert read_moodle_import((tmp_path / "import.csv").read_bytes(), users, column) == TOTALS


def test_gradescope_has_the_totals_and_its_rows_explain_them(graded, tmp_path):
    export(graded, "gradescope", tmp_path / "out")
    read = {path.parent.name: read_gradescope(path.read_bytes()) for path in (tmp_path / "out").glob("*/results.json")}
    assert {student: score for student, (score, _) in read.items()} == TOTALS
    sums = {student: sum(test["score"] for test in document["tests"]) for student, (_, document) in read.items()}
    assert sums == {**TOTALS, "bo": TOTALS["bo"] + 2}, "the late penalty is a row without points"
    texts = [test["name"] for test in read["bo"][1]["tests"]]
    assert "late: 2 points deducted from 7 points" in texts
    assert not [text for text in texts if "test_" in text]


def scores_json() -> dict:
    def entry(owner: str) -> dict:
        links = dict.fromkeys(("commit", "release", "review"), "https://example.org")
        points = {"score": 1, "max-score": 1, "tests": []}
        record = {"schema": "classroom50/result/v1", "classroom": "dl", "assignment_type": "individual", "owner": owner}
        record |= {"submission": "submit/x", "datetime": "2026-03-01T11:00:00Z", "late": False, **links, **points}
        return {"owner": owner, "submissions": [record, record], "note": "kept"}

    entries = [entry(owner) for owner in ("ada", "Bo", "cy", "stranger", "fay")]
    return {
        "schema": "classroom50/scores/v1",
        "assignments": {"tiny-lab": {"type": "individual", "entries": entries}},
    }


def test_classroom50_has_the_totals_and_keeps_them(graded, tmp_path):
    (tmp_path / "scores.json").write_text(json.dumps(scores_json()), encoding="utf-8")
    done = export(graded, "classroom50", tmp_path / "out", "--scores", tmp_path / "scores.json")
    scores = read_classroom50_scores((tmp_path / "out" / "scores.json").read_bytes(), "tiny-lab")
    ours = {"ada": (TOTALS["ada"], True), "Bo": (TOTALS["bo"], True), "cy": (TOTALS["cy"], True)}
    assert scores == {**ours, "stranger": (1, False), "fay": (1, False)}
    for owner, (score, _) in ours.items():
        result = (tmp_path / "out" / owner / "result.json").read_bytes()
        assert read_classroom50_result(result, owner, "tiny-lab")[0] == score
    assert "dee_17" in done.output
    entries = json.loads((tmp_path / "out" / "scores.json").read_bytes())["assignments"]["tiny-lab"]["entries"]
    before = scores_json()["assignments"]["tiny-lab"]["entries"]
    assert [entry["submissions"][1] for entry in entries] == [entry["submissions"][1] for entry in before]
    assert all(entry["note"] == "kept" for entry in entries)


def test_checks_and_junit_have_the_points_of_the_checks(graded, tmp_path):
    export(graded, "checks", tmp_path / "checks.csv")
    sums: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO((tmp_path / "checks.csv").read_text(encoding="utf-8"))):
        if row["score"]:
            sums[row["student"]] = sums.get(row["student"], 0) + int(row["score"])
    assert sums == {"ada": 8, "bo": 7, "cy": 0, "dee_17": 8}
    export(graded, "junit", tmp_path / "results.xml")
    suites = ElementTree.parse(tmp_path / "results.xml").findall("testsuite")
    failed = {suite.get("name").split(" ")[0]: int(suite.get("failures")) for suite in suites}
    assert failed == {"ada": 0, "bo": 1, "cy": 5, "dee_17": 0}


def test_a_changed_gradebook_is_named_before_it_reaches_a_platform(graded, tmp_path):
    lab = Lab(Path(shutil.copytree(graded.root, tmp_path / "lab")))
    Classroom(lab).grade_by_hand("bo", "check_double", 1.0)
    assert "differs" not in export(lab, "moodle", tmp_path / "by_hand.csv").output
    with open_gradebook(lab) as gradebook:
        gradebook.find_grade("check_total", "tiny", STAGE, "ada").auto_score = 1.0
        gradebook.db.commit()
    done = export(lab, "moodle", tmp_path / "out.csv")
    assert "ada 1_tiny: points of the checks 5 in the gradebook, 8 in the results" in done.output
