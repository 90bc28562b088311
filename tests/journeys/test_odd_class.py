"""A class of thirty odd hand-ins: nothing turns into zero in silence, and every output shows the same grade."""

import csv
import io
import json
import re
import shutil
from xml.etree import ElementTree

import pytest
from odd_class import SECOND, THIRD, odd_lab, oddities, write_odd_class
from tiny_lab import STAGE

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="the class has clones")


@pytest.fixture(scope="module")
def graded(tmp_path_factory, autograder):
    """The class, graded with everything that it can write: folder, class, and what the command printed."""
    folder = tmp_path_factory.mktemp("odd")
    lab = odd_lab(folder / "lab")
    class_ = oddities(lab)
    times = write_odd_class(class_, folder / "class")
    autograder("release", cwd=lab.root)
    outputs = ("--json", folder / "results.json", "--html", folder / "pages", "--times", times)
    done = autograder("grade", folder / "class", *outputs, "--fail-on-failures", cwd=lab.root, check=False)
    for command in (["nbgrader", "grades.csv"], ["junit", "junit.xml"], ["markdown", "markdown"]):
        autograder("export", command[0], folder / command[1], cwd=lab.root)
    return folder, class_, done


def test_every_student_has_the_right_state_points_and_reason(graded):
    folder, class_, done = graded
    document = json.loads((folder / "results.json").read_bytes())
    reports = {(report["student"], report["stage"]): report for report in document["reports"]}
    assert {student for student, _ in reports} == {oddity.student for oddity in class_}
    assert {stage for _, stage in reports} == {STAGE, SECOND, THIRD}, "clones hold the stubs of all stages"
    for oddity in class_:
        for stage, result in oddity.result.items():
            report = reports[oddity.student, stage]
            found = report["final"] if report["state"] == "graded" else report["state"]
            assert found == result, f"{oddity.student} ({oddity.kind}): {report['checks'][0]['what']}"
            assert report["graded"] == isinstance(result, int)
        first = reports[oddity.student, STAGE]
        assert first["days_late"] == oddity.days_late, f"{oddity.student} ({oddity.kind})"
        lost = [check["what"] for check in first["checks"] if check["outcome"] != "PASSED"]
        assert not oddity.says or all(oddity.says in what for what in lost), f"{oddity.student}: {lost}"
        if first["state"] != "graded" or oddity.kind in ("a link", "UTF-16", "a sheet alone"):
            assert first["isolation"] is None, f"{oddity.student}: no code ran"
    assert done.returncode == 1, "--fail-on-failures counts failures and what is not graded"


def test_the_printed_summary_lists_what_waits_with_its_reason(graded):
    _, class_, done = graded
    printed = done.stdout
    waiting = [
        (oddity.student, stage) for oddity in class_ for stage in oddity.result if oddity.result[stage] == "not graded"
    ]
    waiting += [(oddity.student, THIRD) for oddity in class_ if set(oddity.result.values()) == {"not graded"}]
    assert f"! {len(waiting)} not graded: no number until you decide" in printed
    for student in {student for student, _ in waiting}:
        stages = ", ".join(stage for name, stage in waiting if name == student)
        assert re.search(rf"^ +{student} {stages}: .+", printed, re.MULTILINE), student
    unknown = [oddity.student for oddity in class_ if oddity.days_late is None]
    assert f"! time unknown for {len(unknown) + 1} hand-ins: no penalty; state times with --times" in printed


def test_every_output_shows_the_same_final_grade(graded):
    folder, _, _ = graded
    reports = json.loads((folder / "results.json").read_bytes())["reports"]
    rows = {
        (row["student_id"], row["assignment"]): row
        for row in csv.DictReader(io.StringIO((folder / "grades.csv").read_text()))
    }
    suites = {suite.get("name"): suite for suite in ElementTree.parse(folder / "junit.xml").getroot()}
    for report in reports:
        student, stage = report["student"], report["stage"]
        filed = rows[student, stage]["score"]
        assert (float(filed) if filed else None) == report["final"], (student, stage)
        text = suites[f"{student} · {stage}"].find("properties/property").get("value")
        shown = re.fullmatch(r"(\d+) / \d+(?: \+ (\d+))?", text)
        points = sum(int(part) for part in shown.groups() if part) if shown else None
        assert points == report["final"], (student, stage, text)
        assert f"{stage}`: {text}" in (folder / "markdown" / f"{student}.md").read_text()
        page = (folder / "pages" / "students" / f"{student}.html").read_text()
        assert text in page, (student, stage)
