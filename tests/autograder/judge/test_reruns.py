"""An error costs the points of its own exercise only: the exercises that build on it run on the course's code.

In this lab `halve` builds on `double`, and `total` on both.
"""

import pytest
from judging import judge
from tiny_lab import MODULE, STAGE, replace_in, solution

from autograder.base.results import CheckResult, Outcome
from autograder.course.lab import LabError
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.run import judge_stage

WRONG_DOUBLE = "return 2 + x"
RIGHT = {"double": "return 2 * x", "halve": "return double(x) / 4", "total": "return 2 * halve(x).sum(axis)"}


@pytest.fixture
def chained_lab(tiny_lab):
    replace_in(tiny_lab.stage(STAGE).reference, "return x / 2", RIGHT["halve"])
    replace_in(tiny_lab.stage(STAGE).reference, "return torch.sum(x, dim=axis)", RIGHT["total"])
    return tiny_lab


def lost(results: dict[str, CheckResult]) -> set[str]:
    """The exercises that lose a check."""
    return {result.exercise for result in results.values() if not result.passed}


def stood_in(results: dict[str, CheckResult]) -> dict[str, tuple[str, ...]]:
    """Exercise → the exercises for which the course's own stood in."""
    return {result.exercise: result.stand_ins for result in results.values() if result.stand_ins}


@pytest.mark.parametrize("double", [WRONG_DOUBLE, 'raise NotImplementedError("double")', "return undefined"])
def test_an_error_costs_its_own_exercise_only(chained_lab, double):
    results = judge(chained_lab, solution(**RIGHT | {"double": double}))
    assert lost(results) == {"double"}
    assert stood_in(results) == {"halve": ("double",), "total": ("double",)}


def test_a_definition_may_be_missing(chained_lab):
    source = solution(**RIGHT).replace("def double(", "def doubel(")
    assert lost(judge(chained_lab, source)) == {"double"}


def test_an_error_of_ones_own_remains_and_is_shown(chained_lab):
    results = judge(chained_lab, solution(**RIGHT | {"double": WRONG_DOUBLE, "halve": "return double(x) / 3"}))
    assert lost(results) == {"double", "halve"}
    assert results["test_halve_divides_by_two"].what == "the result has the right shape but wrong values"
    assert stood_in(results) == {"halve": ("double",), "total": ("double", "halve")}


def test_the_course_stands_in_for_as_little_as_possible(chained_lab):
    """The student's own `halve` stays, although `double` fails in it."""
    source = solution(**RIGHT | {"double": WRONG_DOUBLE, "total": "return halve.factor * halve(x).sum(axis)"})
    results = judge(chained_lab, source + "\n\nhalve.factor = 2\n")
    assert lost(results) == {"double"}


def test_no_exercise_is_replaced_by_itself_or_by_a_later_one(chained_lab):
    source = solution(double="return 4 * halve(x)", halve="return x / 3", total="return x.sum(axis)")
    results = judge(chained_lab, source)
    assert lost(results) == {"double", "halve"}
    assert "double" not in stood_in(results)


def test_code_that_does_not_use_the_replacement_still_fails(chained_lab):
    results = judge(chained_lab, solution(double=WRONG_DOUBLE, halve="return x * 0.25", total="return x.sum(axis)"))
    assert lost(results) == {"double", "halve"}


def test_stubs_and_passed_checks_are_not_run_again(chained_lab):
    loads = []

    class Counting(InProcessSession):
        def request(self, op, **arguments):
            if op == "load":
                loads.append(arguments.get("replace", ()))
            return super().request(op, **arguments)

    stage = chained_lab.stage(STAGE)
    for stubs, again in (
        (solution(), 0),
        (solution(total="return x.sum(axis)"), 0),
        (solution(halve="return double(x) / 4"), 1),
    ):
        loads.clear()
        judge_stage(stage, {MODULE: stubs}, Counting, read_course_code(chained_lab, stage), seed=0)
        assert sum(bool(names) for names in loads) == again


def test_a_stand_in_must_define_what_others_build_on(chained_lab):
    replace_in(chained_lab.stage(STAGE).stand_in, "def double(", "def twice(")
    with pytest.raises(LabError, match="does not define `double`, on which other exercises build"):
        read_course_code(chained_lab, chained_lab.stage(STAGE))


def test_a_run_that_the_course_cannot_judge_is_run_again(chained_lab):
    """The check itself raises on this result; on the course's `double` it does not."""
    hidden = chained_lab.stage(STAGE).hidden_tests / "test_tiny.py"
    replace_in(hidden, "    check_close(student.halve(x), 0.5 * x)", "    check_close(1 * student.halve(x), 0.5 * x)")
    results = judge(
        chained_lab, solution(**RIGHT | {"double": "return None", "halve": "return double(x) and 0.25 * double(x)"})
    )
    assert results["test_halve_divides_by_two"].outcome is not Outcome.GRADER_ERROR
