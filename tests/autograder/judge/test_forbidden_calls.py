"""A forbidden call loses exactly the checks of the exercise that forbids it, whatever its result."""

import pytest
from judging import judge
from tiny_lab import STAGE, replace_in, solution

from autograder.base.results import CheckResult, Outcome
from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.forbidden_calls import HINT
from autograder.judge.run import judge_stage

HALF = "torch.nn.functional.softmax(torch.zeros(2), 0)[0]"
REFUSED = "`torch.softmax` may not be used in this exercise: write it yourself"
DOUBLE = {"test_double_multiplies_by_two", "test_double_keeps_the_dtype"}


@pytest.fixture
def lab(tiny_lab) -> Lab:
    """The tiny lab, with a softmax and LayerNorm forbidden in its first exercise."""
    replace_in(
        tiny_lab.root / "grading.yml",
        "      double:\n",
        "      double:\n        forbid: [torch.softmax, torch.nn.LayerNorm]\n",
    )
    return tiny_lab


def rest_right(**bodies: str) -> str:
    return solution(**{"double": "return 2 * x", "total": "return x.sum(axis)", "halve": "return x / 2"} | bodies)


def failed(results: dict[str, CheckResult]) -> set[str]:
    return {name for name, result in results.items() if not result.passed}


@pytest.mark.parametrize(
    "body",
    [
        f"return x / {HALF}",
        f"return [{HALF}, 2 * x][1]",  # the right result, with the call
        f"\n    try:\n        {HALF}\n    except Exception:\n        pass\n    return 2 * x",
        f"\n    try:\n        {HALF}\n    finally:\n        raise ValueError('another error')",
        f"\n    try:\n        {HALF}\n    finally:\n        return 'no tensor'",
    ],
)
def test_a_forbidden_call_is_reported_and_fails_its_exercise(lab, body):
    results = judge(lab, rest_right(double=body))
    assert failed(results) == DOUBLE
    for check in DOUBLE:
        result = results[check]
        assert (result.outcome, result.what, result.hint) == (Outcome.FAILED, REFUSED, HINT)
        assert (result.forbidden, result.mistake) == ("torch.softmax", None)
        line = next(n for n, text in enumerate(rest_right(double=body).split("\n"), 1) if "softmax" in text)
        assert result.where == f"tiny.py, line {line}, double"


def test_an_exercise_without_forbid_allows_the_same_call(lab):
    assert failed(judge(lab, rest_right(halve=f"return x * {HALF}"))) == set()


def test_a_forbidden_call_in_another_exercises_function_fails_only_the_caller(lab):
    """`double` calls `halve`, which uses a function that `double` forbids: only the checks of `double` fail."""
    source = rest_right(halve=f"return x * {HALF}", double="return 4 * halve(x)")
    assert failed(judge(lab, source)) == DOUBLE


def test_a_forbidden_object_created_while_loading_fails_its_exercise(lab):
    results = judge(lab, rest_right() + "\nNORM = torch.nn.LayerNorm(2)\n")
    assert failed(results) == DOUBLE
    assert {results[check].where for check in DOUBLE} == {"tiny.py, line 15"}
    assert results["test_double_keeps_the_dtype"].what.startswith("`nn.LayerNorm` may not be used")


def test_a_torch_function_bound_to_the_exercises_name_is_reported_at_the_exercise(lab):
    source = rest_right().replace("def double(x):\n    return 2 * x\n", "double = torch.nn.Softmax(dim=0)\n")
    results = judge(lab, source)
    assert failed(results) == DOUBLE
    assert {(results[check].what, results[check].where) for check in DOUBLE} == {(REFUSED, "tiny.py, double")}


def test_a_stage_can_be_judged_without_refusing_anything(lab):
    stage = lab.stage(STAGE)
    source = rest_right(double=f"return x / {HALF}")
    results = judge_stage(stage, {"tiny": source}, InProcessSession, read_course_code(lab, stage), seed=0, forbid=False)
    assert all(result.passed for result in results)


class Forging(InProcessSession):
    """A session whose process reports this call."""

    call: tuple[str, str, int, str]

    def __init__(self):
        super().__init__()
        self.refusals.append(self.call)


@pytest.mark.parametrize("name", ["torch.exp", "torch.nn.LayerNorm\x1b[2J"])
def test_a_report_of_another_call_is_ignored(lab, name):
    class Other(Forging):
        call = (name, "tiny.py", 5, "double")

    stage = lab.stage(STAGE)
    results = judge_stage(stage, {"tiny": rest_right()}, Other, read_course_code(lab, stage), seed=0)
    assert all(result.passed for result in results)


def test_invented_locations_are_ignored(lab):
    class Elsewhere(Forging):
        call = ("torch.softmax", "/etc/passwd", 99, "\x1b[2J")

    stage = lab.stage(STAGE)
    results = judge_stage(stage, {"tiny": rest_right()}, Elsewhere, read_course_code(lab, stage), seed=0)
    assert {result.where for result in results if not result.passed} == {"tiny.py, line 4, double"}
