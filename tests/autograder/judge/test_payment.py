"""The form of a result earns points only where a check of values of the same exercise passes."""

from pathlib import Path

import pytest
from judging import judge
from tiny_lab import STAGE, solution

from autograder.base.results import CheckResult, Outcome
from autograder.course.check_kinds import CheckKind
from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.payment import UNPAID, withhold_points
from autograder.judge.run import judge_stage
from autograder.judge.source_map import SourceMap

SOURCE = SourceMap("attention.py", functions={"softmax": 3})
KINDS = {
    "softmax_adds_up": CheckKind.VALUES,
    "softmax_is_stable": CheckKind.VALUES,
    "softmax_keeps_the_dtype": CheckKind.FORM,
    "softmax_has_a_weight": CheckKind.STRUCTURE,
    "mask_is_boolean": CheckKind.FORM,
}


def paid(**outcomes: Outcome) -> dict[str, CheckResult]:
    results = [
        CheckResult(id=name, title=name, exercise=name.split("_")[0], outcome=outcome, points=2)
        for name, outcome in outcomes.items()
    ]
    return {result.id: result for result in withhold_points(results, KINDS, SOURCE)}


def test_the_form_of_wrong_values_earns_nothing():
    results = paid(
        softmax_adds_up=Outcome.FAILED,
        softmax_is_stable=Outcome.TIMEOUT,
        softmax_keeps_the_dtype=Outcome.PASSED,
        softmax_has_a_weight=Outcome.PASSED,
    )
    unpaid = results["softmax_keeps_the_dtype"]
    assert (unpaid.outcome, unpaid.score, unpaid.passed, unpaid.holds) == (Outcome.UNPAID, 0, False, True)
    assert (unpaid.what, unpaid.where) == (UNPAID, "attention.py, line 3, softmax")
    assert results["softmax_has_a_weight"].score == 2
    assert not results["softmax_adds_up"].holds


@pytest.mark.parametrize("other", [Outcome.PASSED, Outcome.GRADER_ERROR, Outcome.NOT_GRADED])
def test_it_is_paid_where_values_are_right_or_undecided(other):
    results = paid(softmax_adds_up=Outcome.FAILED, softmax_is_stable=other, softmax_keeps_the_dtype=Outcome.PASSED)
    assert results["softmax_keeps_the_dtype"].score == 2


def test_it_is_paid_where_no_check_of_values_ran():
    results = paid(softmax_adds_up=Outcome.FAILED, mask_is_boolean=Outcome.PASSED)
    assert results["mask_is_boolean"].score == 2


def test_the_judge_withholds_points(tiny_lab):
    results = judge(tiny_lab, solution(double="return 3 * x"))
    assert results["test_double_keeps_the_dtype"].outcome is Outcome.UNPAID
    assert results["test_double_multiplies_by_two"].outcome is Outcome.FAILED
    tiny_lab.stage(STAGE).checks_lock.unlink()
    assert judge(tiny_lab, solution(double="return 3 * x"))["test_double_keeps_the_dtype"].passed


@pytest.mark.parametrize("body", ["2 * x", "x / x.sum(dim, keepdim=True)"])
def test_a_softmax_with_wrong_values_earns_nothing(body):
    lab = Lab.find(Path(__file__).parent)
    stage = lab.stage("2_attention")
    code = read_course_code(lab, stage)
    source = f"{code.modules['attention']}\n\ndef softmax(x, dim=-1):\n    return {body}\n"
    checks = frozenset(stage.spec.exercises["softmax"].checks)
    modules = {**code.modules, "attention": source}
    results = judge_stage(stage, modules, InProcessSession, code, 0, only=checks)
    assert sum(result.score for result in results) == 0
    assert any(result.outcome is Outcome.UNPAID for result in results)
