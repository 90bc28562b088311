"""Results that were changed on disk: none is believed, each is judged again, and one line says so."""

import json
import shutil
import sqlite3

import pytest
from tiny_course import LONG_FORM, POINTS, Course
from tiny_lab import STAGE

BELIEVED = "not believed"


def edited(course: Course) -> None:
    """Give every check of a student 999 points and a pass."""
    path = course.result("bob")
    text = path.read_text(encoding="utf-8").replace('"points":2', '"points":999').replace("FAILED", "PASSED")
    path.write_text(text, encoding="utf-8")


def copied_from_a_student(course: Course) -> None:
    shutil.copy(course.result("ada"), course.result("bob"))


def emptied(course: Course) -> None:
    course.result("bob").write_bytes(b"")


def removed(course: Course) -> None:
    course.result("bob").unlink()


def without_its_seal(course: Course) -> None:
    stored = json.loads(course.result("bob").read_bytes())
    course.result("bob").write_text(json.dumps({"format_version": 1, **stored["value"]["result"]}), encoding="utf-8")


def put_back(course: Course) -> None:
    module = course.class_folder / "bob" / STAGE / "tiny.py"
    wrong, older = module.read_text(encoding="utf-8"), course.result("bob").read_bytes()
    module.write_text(wrong + "# another hand-in\n", encoding="utf-8")
    course.grade()
    module.write_text(wrong, encoding="utf-8")
    course.result("bob").write_bytes(older)


SHORT_FORM = (edited, removed, put_back)
LONGER_FORM = (copied_from_a_student, emptied, without_its_seal)


@pytest.mark.parametrize("attack", [*SHORT_FORM, *(pytest.param(attack, marks=LONG_FORM) for attack in LONGER_FORM)])
def test_a_result_that_was_tampered_with_is_judged_again_and_told_once(course, attack):
    attack(course)
    report = course.run("report")
    assert report.output.count(BELIEVED) == 1
    assert "999" not in report.output
    done = course.grade()
    assert (done.exit_code, course.judged) == (0, 1), done.output
    assert done.output.count(f"1 stored result is {BELIEVED} and judged again") == 1
    assert course.points() == POINTS
    again = course.grade()
    assert (course.judged, again.output.count(BELIEVED)) == (0, 0)


def test_results_of_an_earlier_version_are_judged_again_with_one_sentence(course):
    for student in POINTS:
        stored = json.loads(course.result(student).read_bytes())["value"]["result"]
        course.result(student).write_text(json.dumps({"format_version": 1, **stored}), encoding="utf-8")
    shutil.rmtree(course.lab.build / "results_last")
    done = course.grade()
    assert course.judged == 3
    assert "3 stored results are not believed and judged again" in done.output
    assert "has no seal, as in earlier versions: 3" in done.output
    assert course.points() == POINTS


def test_a_result_that_would_stand_but_is_not_believed_waits_for_a_person(course):
    edited(course)
    shutil.rmtree(course.class_folder / "bob" / STAGE)
    for _ in range(2):  # the state does not vanish with the next run
        done = course.grade()
        assert "nothing was handed in, and the stored result was changed" in " ".join(done.output.split())
    assert course.points()["bob"] == 0


def test_scores_changed_in_the_gradebook_are_listed_and_filed_again(course):
    with sqlite3.connect(course.lab.gradebook) as database:
        database.execute("UPDATE grade SET auto_score = 999 WHERE auto_score IS NOT NULL AND auto_score > 0")
    database.close()
    exported = course.run("export", "nbgrader", course.lab.root / "grades.csv")
    assert exported.exit_code == 3
    assert "ada 1_tiny double: score 999 in the gradebook, 3 in the results" in " ".join(exported.output.split())
    partly = course.run("grade", course.class_folder / "ada", "--workers", "1")
    assert partly.exit_code == 3
    assert "corrected: ada 1_tiny double: score 999" in partly.output
    assert "differs: cem 1_tiny double: score 999" in partly.output
    assert course.grade().exit_code == 0
    assert course.points() == POINTS
