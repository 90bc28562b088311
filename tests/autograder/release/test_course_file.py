"""The course data of the students' companion: complete enough to help, without hidden data."""

import json

import pytest
from tiny_lab import MODULE, STAGE, replace_in

from autograder.course.lab import Lab
from autograder.release import ReleaseError, strip_solutions
from autograder.release.course import course_file
from autograder.release.public_tests import public_tests
from autograder.release.sheets import build_notebook

ROOT = Lab.find()


@pytest.fixture
def stage(tiny_lab) -> dict:
    return json.loads(course_file(tiny_lab))["stages"][0]


def test_a_stage_is_listed_with_its_exercises(stage):
    assert (stage["id"], stage["module"], stage["title"]) == (STAGE, MODULE, "Twice and together")
    assert stage["due"] == "2026-03-01T12:00:00Z"
    assert [exercise["name"] for exercise in stage["exercises"]] == ["double", "total", "halve"]
    double, _, halve = stage["exercises"]
    assert (double["points"], double["minutes"], double["bonus"], halve["bonus"]) == (3, 5, False, True)
    assert double["hints"][2] == "Each element x becomes 2·x."
    assert double["tests"] == ["test_double"]


def test_lab_sheets_can_read_the_targets(tiny_lab, stage):
    assert stage["targets"] == {}
    replace_in(tiny_lab.root / "grading.yml", "    module: ", "    targets: {least_filled: 0.36}\n    module: ")
    assert json.loads(course_file(Lab(tiny_lab.root)))["stages"][0]["targets"] == {"least_filled": 0.36}


def test_reset_gets_the_stub_that_was_handed_out(tiny_lab, stage):
    folders = tiny_lab.stage(STAGE)
    assert stage["stub"] == strip_solutions(folders.reference_source(), str(folders.reference))


@pytest.mark.parametrize("lab", [ROOT], ids=["the lab"])
def test_the_text_of_a_question_is_that_of_its_released_cell(lab):
    """The companion compares an answer with it: a difference would count as an answer."""
    course = json.loads(course_file(lab))
    listed = [(stage["id"], question) for stage in course["stages"] for question in stage["questions"]]
    questions = {(stage_id, question["name"]): question for stage_id, question in listed}
    for stage in lab.stages():
        cells = json.loads(build_notebook(stage))["cells"]
        texts = {cell["id"]: "".join(cell["source"]) for cell in cells if "nbgrader" in cell["metadata"]}
        for name in stage.spec.questions:
            assert questions.pop((stage.id, name))["text"] == texts[name]
    assert not questions


@pytest.mark.parametrize("lab", [ROOT], ids=["the lab"])
def test_no_hidden_check_is_named(lab):
    text = course_file(lab).decode()
    for stage in lab.stages():
        public = (stage.folder / f"test_{stage.spec.module}.py").read_text(encoding="utf-8")
        hidden = [check for check in stage.spec.check_ids if f"def {check}(" not in public]
        assert hidden
        assert [check for check in hidden if f'"{check}"' in text] == []


def test_every_exercise_of_the_lab_has_public_tests_or_a_file_to_submit():
    for stage in ROOT.stages():
        tests = public_tests(stage)
        assert list(tests) == list(stage.spec.exercises)
        for name, exercise in stage.spec.exercises.items():
            assert bool(tests[name]) is not bool(exercise.attachments)


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        ("double", {"test_double"}),
        ("double or total", {"test_double", "test_total"}),
        ("not total and not halve", {"test_double"}),
        ("(DOUBLE or total) and not tot", {"test_double"}),
        ("test_tiny", {"test_double", "test_total", "test_halve"}),
    ],
)
def test_tests_are_selected_as_pytest_does(tiny_lab, selection, selected):
    replace_in(tiny_lab.stage(STAGE).exercises_file, "title: Twice the input", f"title: Twice\n  tests: {selection}")
    assert set(public_tests(tiny_lab.stage(STAGE))["double"]) == selected


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Twice the input", "Twice\n  tests: treble", "selects `treble`, which matches no test in test_tiny.py"),
        ("Twice the input", "Twice\n  tests: double =", "is not a valid expression"),
        ("Twice the input", "Twice\n  tests: double[0]", "may contain only names"),
        ("Half the input", "Half\n  tests: double", "no exercise in exercises.yml selects `test_halve`"),
    ],
)
def test_public_tests_without_an_exercise_are_refused(tiny_lab, old, new, says):
    replace_in(tiny_lab.stage(STAGE).exercises_file, old, new)
    with pytest.raises(ReleaseError) as caught:
        course_file(tiny_lab)
    assert says in str(caught.value)
