"""Public tests in a separate process: the results when they pass, fail, hang, crash or cannot start."""

import dataclasses
import shutil

import pytest
from tiny_lab import MODULE, STAGE

from lab import checking
from lab.checking import check
from lab.course import CompanionError, Course
from lab.progress import ExerciseStatus, Progress, stage_status
from lab.results import TestOutcome
from lab.runner_process import RunnerProcess

FILE = f"{STAGE}/{MODULE}.py"
TESTS = f"{STAGE}/test_{MODULE}.py"


@pytest.fixture
def run(course):
    """Check exercises; return each exercise's result with that of its first test, by name."""

    def run_tests(*names: str, limit: float = 60.0, progress: Progress | None = None):
        exercises = [exercise for name in names for exercise in course.select(name)]
        results = check(course, exercises, progress or Progress(), limit=limit)
        return {
            result.exercise.name: (result, result.test_results[0] if result.test_results else None)
            for result in results
        }

    return run_tests


def test_each_result_explains_its_failure(course, write, run):
    write(double="print('here', x.shape)\nreturn x + 2", total="y = 3 * x\nreturn y.sum(5)")
    progress = Progress()
    found = run(STAGE, progress=progress)

    result, wrong = found["double"]
    assert (result.passed, result.is_started, wrong.outcome) == (False, True, TestOutcome.FAILED)
    assert wrong.message == "each element should be twice as large"
    assert wrong.test_line["file"] == TESTS
    assert wrong.test_line["code"] == "tiny.double(torch.tensor([1.0, 3.0])).tolist() == [2.0, 6.0]"
    assert wrong.student_line is None
    assert (wrong.pair.found.rows, wrong.pair.expected.rows) == ([["3.0000", "5.0000"]], [["2.0000", "6.0000"]])
    assert wrong.printed == "here torch.Size([2])\n"

    failed, error = found["total"]
    assert (failed.import_error, failed.can_have_a_hint) == (None, True)
    assert error.message.startswith("IndexError: ")
    location = error.student_line
    assert (location["file"], location["function"], location["code"]) == (FILE, "total", "return y.sum(5)")
    assert ("y", "float32 (2, 3)") in [(name, value.kind) for name, value in error.values]

    result, stub = found["halve"]
    assert (result.is_started, stub.outcome, stub.missing) == (False, TestOutcome.MISSING, "halve")
    assert stage_status(course, course.stages[0], progress).exercises == {
        "double": ExerciseStatus.FAILING,
        "total": ExerciseStatus.FAILING,
        "halve": ExerciseStatus.NOT_STARTED,
    }


def test_an_endless_loop_and_a_crash_fail_only_their_own_tests(write, run):
    crash = "import faulthandler\nfaulthandler._sigsegv()"
    write(double="while True:\n    x = x + 1", total=crash, halve="return x / 2")
    found = run(STAGE, limit=1.0)
    _, hung = found["double"]
    assert hung.outcome is TestOutcome.HUNG
    assert "no answer within 1 s" in hung.message
    assert (hung.student_line["file"], hung.student_line["function"]) == (FILE, "double")
    _, crashed = found["total"]
    assert (crashed.outcome, crashed.message) == (TestOutcome.CRASHED, "Python crashed (Segmentation fault)")
    assert (crashed.student_line["file"], crashed.student_line["code"]) == (FILE, "faulthandler._sigsegv()")
    assert found["halve"][0].passed


def test_no_test_runs_for_a_module_that_is_not_valid_python(write, run):
    write(top="\ndef broken(:\n")
    result, first_test = run("double")["double"]
    assert (result.passed, first_test) == (False, None)
    assert str(result.problem).startswith(f"{FILE}, line ")


LINE = "    y = 1"
MERGE = f"<<<<<<< HEAD\n{LINE}\n=======\n{LINE}\n>>>>>>> b\n"
BROKEN = {
    "absent": ("x = 1\n", "this public test is no longer in 2_absent/test_absent.py", None),
    "library": ("import no_such_library\n", "No module named 'no_such_library'", 1),
    "error": ("import torch\nx = undefined\n", "NameError: name 'undefined' is not defined", 2),
    "syntax": ("def f(:\n", "SyntaxError: invalid syntax", 1),
    "merge": (f"def f():\n{MERGE}", "git left the merge marker `<<<<<<< HEAD`", 2),
    "exit": ("import sys\nsys.exit(3)\n", "SystemExit: 3", 2),
    "end": ("import os\nos._exit(3)\n", "Python ended with code 3: is exit() or os._exit() called?", None),
    "loop": ("while True:\n    pass\n", "the import did not end within 1 s", None),
}


@pytest.fixture(scope="module")
def broken(assignments, tmp_path_factory) -> dict[str, list]:
    """The results of a course with a right first stage, and further stages that are each broken in their own way.

    All are checked together, because that is the fault: a broken stage must not hide the others.
    """
    home = tmp_path_factory.mktemp("broken") / "home"
    shutil.copytree(assignments, home)
    course = Course.load(home)
    right = course.stages[0].stub.replace('raise NotImplementedError("double")', "return 2 * x")
    (home / FILE).write_text(right, encoding="utf-8")
    stages, tests = [course.stages[0]], (home / TESTS).read_text(encoding="utf-8")
    for number, (name, (text, _, _)) in enumerate(BROKEN.items(), 2):
        stage = dataclasses.replace(stages[0], id=f"{number}_{name}", module=name)
        own = {"syntax": "x = 1\n", "merge": "x = 1\n"}.get(name, text)  # the fault is in a module that it imports
        files = {f"{name}.py": own, f"use_{name}.py": text, f"test_{name}.py": f"import {name}, use_{name}\n{tests}"}
        (home / stage.id).mkdir()
        for file, content in files.items():
            (home / stage.id / file).write_text(content, encoding="utf-8")
        exercises = tuple(dataclasses.replace(exercise, stage=stage.id) for exercise in stage.exercises)
        stages.append(dataclasses.replace(stage, exercises=exercises))
    (home / stages[1].id / f"test_{stages[1].module}.py").unlink()
    course = dataclasses.replace(course, stages=tuple(stages))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checking, "IMPORT_LIMIT", 1.0)
        results = check(course, course.exercises, Progress())
    return {stage.id: [result for result in results if result.exercise.stage == stage.id] for stage in stages}


def test_a_broken_stage_does_not_hide_the_others(broken):
    double, *_ = broken[STAGE]
    assert double.passed
    assert [test.outcome for result in broken[STAGE] for test in result.test_results[:1]] == [
        TestOutcome.PASSED, TestOutcome.MISSING, TestOutcome.MISSING
    ]  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_stage_that_cannot_be_imported_says_why_and_where(broken, name):
    number = list(BROKEN).index(name) + 2
    _, message, line = BROKEN[name]
    results = broken[f"{number}_{name}"]
    assert [result.passed for result in results] == [False] * 3
    assert not any(result.import_error and result.can_have_a_hint for result in results)  # a hint is about the exercise
    for test in (test for result in results for test in result.test_results):
        assert message in test.message
        assert (test.outcome is TestOutcome.GONE) == (name == "absent")
        if line is not None:
            file = f"{number}_{name}/{'use_' * (name in ('syntax', 'merge'))}{name}.py"
            assert (test.student_line["file"], test.student_line["line"]) == (file, line)
            assert {result.import_error for result in results} == {f"{file}, line {line}: {test.message}"}


@pytest.mark.parametrize("text", ["def test_double(x): ...", "@mark\nclass A:\n    async def test_double(x): ..."])
def test_a_test_that_pytest_did_not_run_is_not_gone(course, text):
    (course.root / TESTS).write_text(text, encoding="utf-8")
    result = checking._without_result(course, STAGE, "test_double")
    assert result.outcome is TestOutcome.FAILED
    assert result.message.endswith(f"did not run this test; to see the reason, type: python -m pytest {TESTS}")


@pytest.mark.parametrize("text", [None, "def test_other(): ...", "# test_double", "<<<<<<< HEAD"])
def test_only_a_test_that_is_not_in_its_file_is_gone(course, text):
    file = course.root / TESTS
    file.unlink() if text is None else file.write_text(text, encoding="utf-8")
    result = checking._without_result(course, STAGE, "test_double")
    assert result.outcome is TestOutcome.GONE
    assert f"no longer in {TESTS}" in result.message


def test_unusual_failures_affect_only_their_own_tests(course, write, run):
    odd = "class Odd:\n    dtype = shape = property(lambda self: 1 / 0)\nodd = Odd()\nraise ValueError(x)"
    write(double=odd, total="return halve(4 * x)")
    file = course.root / TESTS
    file.write_text(file.read_text(encoding="utf-8").replace("def test_halve", "def check_halve"), encoding="utf-8")
    found = run(STAGE)
    assert found["double"][1].message.startswith("ValueError: ")
    assert found["double"][1].student_line["code"] == "raise ValueError(x)"
    result, first_test = found["total"]
    assert (result.is_started, first_test.outcome, first_test.missing) == (True, TestOutcome.MISSING, "halve")
    result, first_test = found["halve"]
    assert (result.passed, first_test.outcome) == (False, TestOutcome.GONE)


def test_a_waiting_process_answers_and_an_unused_process_can_be_closed(course, write):
    write(double="return 2 * x", total="breakpoint()\nreturn x.sum(axis)")
    exercises = [*course.select("double"), *course.select("total")]
    with RunnerProcess(course.root, warm=True) as waiting:
        double, total = check(course, exercises, Progress(), process=waiting)
    assert double.passed
    (explained,) = total.test_results  # `breakpoint()` would wait for a person
    assert "breakpoint() needs a terminal" in explained.message
    assert "python -m pytest -s" in explained.message
    assert explained.student_line["code"] == "breakpoint()"
    RunnerProcess(course.root).close()


def test_the_reason_why_tests_cannot_run_is_shown(course, write):
    write(double="return 2 * x")
    (course.root / "conftest.py").write_text("raise RuntimeError('broken on purpose')\n", encoding="utf-8")
    with pytest.raises(CompanionError, match="broken on purpose"):
        check(course, course.select("double"), Progress())
