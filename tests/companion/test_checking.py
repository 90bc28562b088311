"""Public tests in a process of their own: what is said when they fail, hang, crash or cannot start."""

import pytest
from tiny_lab import MODULE, STAGE

from lab import checking
from lab.checking import check
from lab.course import LabError
from lab.progress import Progress, Standing, standing
from lab.results import Outcome
from lab.session import Session

FILE = f"{STAGE}/{MODULE}.py"
TESTS = f"{STAGE}/test_{MODULE}.py"


@pytest.fixture
def run(course):
    """Checks exercises; the first result of each by its name."""

    def run_tests(*names: str, limit: float = 60.0):
        exercises = [exercise for name in names for exercise in course.select(name)]
        checked = check(course, exercises, Progress.load(course.root), limit=limit)
        return {one.exercise.name: (one, one.results[0] if one.results else None) for one in checked}

    return run_tests


def test_each_test_says_what_it_found(course, write, run):
    write(double="print('here', x.shape)\nreturn x + 2", total="y = 3 * x\nreturn y.sum(5)")
    found = run(STAGE)

    one, wrong = found["double"]
    assert (one.passed, one.is_begun, wrong.outcome) == (False, True, Outcome.FAILED)
    assert wrong.message == "each element should be twice as large"
    assert wrong.asks["file"] == TESTS
    assert wrong.asks["code"] == "tiny.double(torch.tensor([1.0, 3.0])).tolist() == [2.0, 6.0]"
    assert wrong.where is None
    assert (wrong.pair.found.rows, wrong.pair.expected.rows) == ([["3.0000", "5.0000"]], [["2.0000", "6.0000"]])
    assert wrong.printed == "here torch.Size([2])\n"

    _, error = found["total"]
    assert error.message.startswith("IndexError: ")
    assert (error.where["file"], error.where["function"], error.where["code"]) == (FILE, "total", "return y.sum(5)")
    assert ("y", "float32 (2, 3)") in [(name, value.kind) for name, value in error.values]

    one, stub = found["halve"]
    assert (one.is_begun, stub.outcome, stub.missing) == (False, Outcome.MISSING, "halve")
    assert standing(course, course.stages[0], Progress.load(course.root)).exercises == {
        "double": Standing.FAILING,
        "total": Standing.FAILING,
        "halve": Standing.NOT_STARTED,
    }


def test_an_endless_loop_and_a_crash_cost_their_own_tests_only(write, run):
    write(double="while True:\n    x = x + 1", total="import os\nos._exit(0)", halve="return x / 2")
    found = run(STAGE, limit=1.0)
    _, hung = found["double"]
    assert hung.outcome is Outcome.HUNG
    assert "no answer within 1 s" in hung.message
    assert (hung.where["file"], hung.where["function"]) == (FILE, "double")
    assert found["total"][1].outcome is Outcome.CRASHED
    assert found["halve"][0].passed


def test_a_module_that_is_not_python_yet_runs_nothing(write, run):
    write(top="\ndef broken(:\n")
    one, result = run("double")["double"]
    assert (one.passed, result) == (False, None)
    assert str(one.problem).startswith(f"{FILE}, line ")


def test_a_module_that_cannot_be_imported_says_where(write, run):
    write(double="return 2 * x", top="\nLIMIT = undefined\n")
    _, result = run("double")["double"]
    assert result.message == "NameError: name 'undefined' is not defined"
    assert (result.where["file"], result.where["code"]) == (FILE, "LIMIT = undefined")


def test_a_module_that_never_ends_reading_says_where(course, monkeypatch):
    monkeypatch.setattr(checking, "IMPORT_LIMIT", 5.0)
    (course.root / FILE).write_text("x = 1\nwhile True:\n    x = x + 1\n", encoding="utf-8")
    with pytest.raises(LabError, match=rf"{FILE}, line [23]: Python never got past this line"):
        check(course, course.select("double"), Progress())


def test_odd_things_cost_their_own_tests_only(course, write, run):
    odd = "class Odd:\n    dtype = shape = property(lambda self: 1 / 0)\nodd = Odd()\nraise ValueError(x)"
    write(double=odd, total="return halve(4 * x)")
    file = course.root / TESTS
    file.write_text(file.read_text(encoding="utf-8").replace("def test_halve", "def check_halve"), encoding="utf-8")
    found = run(STAGE)
    assert found["double"][1].message == "ValueError, raised with values that cannot be shown"
    one, result = found["total"]
    assert (one.is_begun, result.outcome, result.missing) == (True, Outcome.MISSING, "halve")
    one, result = found["halve"]
    assert (one.passed, result.outcome) == (False, Outcome.GONE)


def test_a_process_that_waits_answers_and_one_that_is_not_asked_ends(course, write):
    write(double="return 2 * x")
    with Session(course.root, warm=True) as waiting:
        (one,) = check(course, course.select("double"), Progress(), session=waiting)
    assert one.passed
    Session(course.root).close()


def test_what_keeps_the_tests_from_running_is_shown(course, write):
    write(double="return 2 * x")
    (course.root / "conftest.py").write_text("raise RuntimeError('broken on purpose')\n", encoding="utf-8")
    with pytest.raises(LabError, match="broken on purpose"):
        check(course, course.select("double"), Progress())
