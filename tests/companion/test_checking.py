"""Public tests in a separate process: the results when they pass, fail, hang, crash or cannot start."""

import pytest
from tiny_lab import MODULE, STAGE

from lab import checking
from lab.checking import check
from lab.course import CompanionError
from lab.progress import ExerciseStatus, Progress, stage_status
from lab.results import TestOutcome
from lab.runner_process import RunnerProcess

FILE = f"{STAGE}/{MODULE}.py"
TESTS = f"{STAGE}/test_{MODULE}.py"


@pytest.fixture
def run(course):
    """Check exercises; return each exercise's result with that of its first test, by name."""

    def run_tests(*names: str, limit: float = 60.0):
        exercises = [exercise for name in names for exercise in course.select(name)]
        results = check(course, exercises, Progress.load(course.root), limit=limit)
        return {
            result.exercise.name: (result, result.test_results[0] if result.test_results else None)
            for result in results
        }

    return run_tests


def test_each_result_explains_its_failure(course, write, run):
    write(double="print('here', x.shape)\nreturn x + 2", total="y = 3 * x\nreturn y.sum(5)")
    found = run(STAGE)

    result, wrong = found["double"]
    assert (result.passed, result.is_started, wrong.outcome) == (False, True, TestOutcome.FAILED)
    assert wrong.message == "each element should be twice as large"
    assert wrong.test_line["file"] == TESTS
    assert wrong.test_line["code"] == "tiny.double(torch.tensor([1.0, 3.0])).tolist() == [2.0, 6.0]"
    assert wrong.student_line is None
    assert (wrong.pair.found.rows, wrong.pair.expected.rows) == ([["3.0000", "5.0000"]], [["2.0000", "6.0000"]])
    assert wrong.printed == "here torch.Size([2])\n"

    _, error = found["total"]
    assert error.message.startswith("IndexError: ")
    location = error.student_line
    assert (location["file"], location["function"], location["code"]) == (FILE, "total", "return y.sum(5)")
    assert ("y", "float32 (2, 3)") in [(name, value.kind) for name, value in error.values]

    result, stub = found["halve"]
    assert (result.is_started, stub.outcome, stub.missing) == (False, TestOutcome.MISSING, "halve")
    assert stage_status(course, course.stages[0], Progress.load(course.root)).exercises == {
        "double": ExerciseStatus.FAILING,
        "total": ExerciseStatus.FAILING,
        "halve": ExerciseStatus.NOT_STARTED,
    }


def test_an_endless_loop_and_a_crash_fail_only_their_own_tests(write, run):
    write(double="while True:\n    x = x + 1", total="import os\nos._exit(0)", halve="return x / 2")
    found = run(STAGE, limit=1.0)
    _, hung = found["double"]
    assert hung.outcome is TestOutcome.HUNG
    assert "no answer within 1 s" in hung.message
    assert (hung.student_line["file"], hung.student_line["function"]) == (FILE, "double")
    assert found["total"][1].outcome is TestOutcome.CRASHED
    assert found["halve"][0].passed


def test_no_test_runs_for_a_module_that_is_not_valid_python(write, run):
    write(top="\ndef broken(:\n")
    result, first_test = run("double")["double"]
    assert (result.passed, first_test) == (False, None)
    assert str(result.problem).startswith(f"{FILE}, line ")


def test_an_import_error_names_the_line(write, run):
    write(double="return 2 * x", top="\nLIMIT = undefined\n")
    _, result = run("double")["double"]
    assert result.message == "NameError: name 'undefined' is not defined"
    assert (result.student_line["file"], result.student_line["code"]) == (FILE, "LIMIT = undefined")


def test_an_endless_loop_at_import_names_the_line(course, monkeypatch):
    monkeypatch.setattr(checking, "IMPORT_LIMIT", 5.0)
    (course.root / FILE).write_text("x = 1\nwhile True:\n    x = x + 1\n", encoding="utf-8")
    with pytest.raises(CompanionError, match=rf"{FILE}, line [23]: the import of this file never got past this line"):
        check(course, course.select("double"), Progress())


def test_unusual_failures_affect_only_their_own_tests(course, write, run):
    odd = "class Odd:\n    dtype = shape = property(lambda self: 1 / 0)\nodd = Odd()\nraise ValueError(x)"
    write(double=odd, total="return halve(4 * x)")
    file = course.root / TESTS
    file.write_text(file.read_text(encoding="utf-8").replace("def test_halve", "def check_halve"), encoding="utf-8")
    found = run(STAGE)
    assert found["double"][1].message == "ValueError, raised with values that cannot be shown"
    result, first_test = found["total"]
    assert (result.is_started, first_test.outcome, first_test.missing) == (True, TestOutcome.MISSING, "halve")
    result, first_test = found["halve"]
    assert (result.passed, first_test.outcome) == (False, TestOutcome.GONE)


def test_a_waiting_process_answers_and_an_unused_process_can_be_closed(course, write):
    write(double="return 2 * x")
    with RunnerProcess(course.root, warm=True) as waiting:
        (result,) = check(course, course.select("double"), Progress(), process=waiting)
    assert result.passed
    RunnerProcess(course.root).close()


def test_the_reason_why_tests_cannot_run_is_shown(course, write):
    write(double="return 2 * x")
    (course.root / "conftest.py").write_text("raise RuntimeError('broken on purpose')\n", encoding="utf-8")
    with pytest.raises(CompanionError, match="broken on purpose"):
        check(course, course.select("double"), Progress())
