"""Files submitted beside a module: limited by intake, judged separately, on the student's own modules."""

from pathlib import Path

import pytest
from pipeline import SECOND, SECOND_FILES, SECOND_STAGE, Class, InProcessJudges, write_files
from tiny_lab import LOOP, REFERENCE, build_tiny_lab

from autograder.base.results import Outcome, StageReport
from autograder.course.config import ConfigError, load_config
from autograder.course.lab import Lab
from autograder.judge.attachments import Attachments, NotHandedIn
from autograder.judge.symptoms import CheckFailure

TRAINED = """\
    attachments: {scale.txt: 1}
"""
TRAINED_EXERCISE = """\
      trained:
        attachments: [scale.txt]
        checks:
          test_the_scale_fits_the_code: 3
          test_the_scale_is_drawn_for_all: 1
"""
HIDDEN = '''

def test_the_scale_fits_the_code(student, attachments):
    """trained: the scale fits the code.

    Hint: train it on your own code.
    """
    scale = float(attachments.content("scale.txt"))
    check_close(student.quadruple(torch.tensor([scale])), torch.tensor([8.0]))


def test_the_scale_is_drawn_for_all(attachments):
    """trained: all students share one secret.

    Hint: nothing to do.
    """
    attachments.content("scale.txt")
    assert attachments.secret
'''
CODE, MODEL = "test_quadruple_multiplies_by_four", "test_the_scale_fits_the_code"


@pytest.fixture
def lab(tmp_path) -> Lab:
    """Two stages; the second accepts a trained scale beside its module."""
    folder = tmp_path / "lab"
    build_tiny_lab(folder)
    stage = SECOND_STAGE.replace("    exercises:\n", f"{TRAINED}    exercises:\n") + TRAINED_EXERCISE
    grading = folder / "grading.yml"
    grading.write_text(grading.read_text(encoding="utf-8") + stage, encoding="utf-8")
    write_files(folder, SECOND_FILES)
    tests = folder / "tests" / "hidden" / SECOND / "test_more.py"
    tests.write_text(tests.read_text(encoding="utf-8") + HIDDEN, encoding="utf-8")
    return Lab(folder)


@pytest.fixture
def students(lab, tmp_path) -> Class:
    return Class(lab, tmp_path / "class")


RIGHT = "import tiny\n\n\ndef quadruple(x):\n    return tiny.double(tiny.double(x))\n"


def hands_in_all(students: Class, student: str, first: str = REFERENCE, scale: float = 2.0) -> Path:
    students.hands_in(student, first)
    module = students.hands_in(student, RIGHT, SECOND, "more")
    path = module.parent / "scale.txt"
    path.write_text(str(scale), encoding="utf-8")
    return path


def outcomes(students: Class) -> dict[str, dict[str, Outcome]]:
    return {
        student: {check.id: check.outcome for check in report.checks} for student, report in reports(students).items()
    }


def reports(students: Class) -> dict[str, StageReport]:
    graded = students.grade(judges=InProcessJudges(students.lab)).graded
    return {result.report.student: result.report for result in graded if result.report.stage == SECOND}


def test_a_file_beside_the_module_reaches_its_checks(students):
    hands_in_all(students, "ada")
    hands_in_all(students, "bob", scale=3.0)
    by_student = outcomes(students)
    assert set(by_student["ada"].values()) == {Outcome.PASSED}
    assert (by_student["bob"][CODE], by_student["bob"][MODEL]) == (Outcome.PASSED, Outcome.FAILED)


def test_without_the_file_its_checks_are_not_attempted_and_the_code_earns_its_points(students):
    hands_in_all(students, "ada").unlink()
    report = reports(students)["ada"]
    assert report.score == 2
    missing = [check for check in report.checks if check.outcome is Outcome.NOT_ATTEMPTED]
    assert {check.what for check in missing} == {"not handed in: scale.txt"}
    titles = {"trained: the scale fits the code", "trained: all students share one secret"}
    assert {check.title for check in missing} == titles
    assert all(check.hint for check in missing)


def test_code_runs_on_stand_ins_and_a_trained_model_on_the_students_own_modules(students):
    """A scale trained with a first stage that triples fits only that code."""
    tripling = LOOP.replace("return x + x", "return x + x + x")
    hands_in_all(students, "ada", tripling, scale=8 / 9)
    found = outcomes(students)["ada"]
    assert (found[CODE], found[MODEL]) == (Outcome.PASSED, Outcome.PASSED)


def test_a_new_file_is_judged_and_an_old_one_kept(students):
    path = hands_in_all(students, "ada", scale=3.0)
    assert outcomes(students)["ada"][MODEL] is Outcome.FAILED
    path.write_text("2.0", encoding="utf-8")
    assert outcomes(students)["ada"][MODEL] is Outcome.PASSED
    assert all(graded.cached for graded in students.grade(judges=InProcessJudges(students.lab)).graded)


def test_a_model_that_fails_does_not_keep_later_stages_from_the_code(students):
    """Only the code decides whether stand-ins are needed."""
    hands_in_all(students, "ada", scale=3.0)
    graded = students.grade(judges=InProcessJudges(students.lab)).graded
    by_stage = {result.report.stage: result.report for result in graded}
    assert by_stage[SECOND].stand_ins == ()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(bytes(2 << 20)), "is larger than 1 MB"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/hostname")), "is a link"),
        (lambda path: (path.unlink(), path.mkdir()), "is not a regular file"),
    ],
    ids=["too large", "a link", "a folder"],
)
def test_an_unusable_file_is_reported_and_costs_only_its_own_checks(students, spoil, says):
    spoil(hands_in_all(students, "ada"))
    report = reports(students)["ada"]
    checks = {check.id: check for check in report.checks}
    assert checks[CODE].passed
    assert checks[MODEL].outcome is Outcome.FAILED
    assert says in checks[MODEL].what


def test_a_value_or_its_failure_is_computed_once():
    calls: list[str] = []

    def fail() -> None:
        calls.append("fail")
        raise CheckFailure

    attachments = Attachments({})
    assert [attachments.once("two", lambda: calls.append("two") or 2) for _ in range(2)] == [2, 2]
    for _ in range(2):
        with pytest.raises(TypeError):
            attachments.once("bad", fail)
    assert calls == ["two", "fail"]


def test_a_missing_file_is_named():
    with pytest.raises(NotHandedIn, match="not handed in: w"):
        Attachments({}).content("w")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("attachments: [scale.txt]", "attachments: [scale.safetensor]", "did you mean `scale.txt`?"),
        ("{scale.txt: 1}", "{more.py: 1, scale.txt: 1}", "must be the name of an additional file"),
        ("{scale.txt: 1}", "{../scale.txt: 1}", "must be the name of an additional file"),
        ("{scale.txt: 1}", "{scale.txt: 0}", "1"),
    ],
)
def test_an_error_in_grading_yml_is_reported(lab, before, after, says):
    path = lab.root / "grading.yml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        load_config(path)
