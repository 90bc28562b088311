"""The cause of a failure is computed from outputs: the named mistake is right, or none is named."""

import pytest
import torch
from judging import judge, write_checks
from tiny_lab import MODULE, REFERENCE, STAGE, solution

from autograder.base.results import Outcome
from autograder.course.mistakes import Mistake
from autograder.isolation.errors import DeathReason, WorkerDied
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.wire import Reference
from autograder.judge import suspects
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.run import judge_stage
from autograder.judge.sessions import RecordingSession

DOC = '    """double: a title.\n\n    Hint: a hint.\n    """\n'


def names(results) -> dict[str, str]:
    return {check: result.mistake for check, result in results.items() if result.mistake}


def right(**bodies: str) -> str:
    every = {"double": "return 2 * x", "total": "return torch.sum(x, axis)", "halve": "return x / 2"}
    return solution(**{**every, **bodies})


def mistake(name: str, old: str, new: str, *fails: str, **more) -> Mistake:
    says = f"{name} is made"
    return Mistake(id=name, exercise="double", says=says, replace=((old, new),), fails=frozenset(fails), **more)


@pytest.fixture
def stage(tiny_lab):
    return tiny_lab.stage(STAGE)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_mistake_is_named_and_no_other(tiny_lab, stage, seed):
    code = read_course_code(tiny_lab, stage)
    for mistake_made in code.mistakes:
        results = judge(tiny_lab, mistake_made.apply(REFERENCE), seed, code)
        assert {check for check, result in results.items() if not result.holds} == mistake_made.fails
        assert names(results) == dict.fromkeys(mistake_made.fails, mistake_made.id)


def test_the_report_says_what_the_output_is(tiny_lab):
    result = judge(tiny_lab, right(double="return x + 2"))["test_double_multiplies_by_two"]
    assert result.what == "your output is what you get when 2 is added to each element"
    assert result.hint == "think of one element first."


def test_differently_written_code_is_named_by_its_outputs(tiny_lab):
    results = judge(tiny_lab, right(double="return torch.stack([x, torch.full_like(x, 2)]).sum(0)"))
    assert names(results) == {"test_double_multiplies_by_two": "double_adds_two"}


@pytest.mark.parametrize("body", ["return 3 * x", "return torch.rand_like(x)", "return x.sum()", "return None"])
def test_wrong_code_that_no_mistake_explains_is_not_named(tiny_lab, body):
    results = judge(tiny_lab, right(double=body))
    assert results["test_double_multiplies_by_two"].outcome is Outcome.FAILED
    assert names(results) == {}


def test_a_mistake_that_loses_a_check_the_student_passed_is_not_named(tiny_lab):
    """The values match those of adding everything, but only for negative axes."""
    body = "return torch.sum(x) if axis < 0 else torch.sum(x, axis)"
    assert names(judge(tiny_lab, right(total=body))) == {}


def test_each_of_two_mistakes_names_its_own_checks(tiny_lab):
    results = judge(tiny_lab, right(double="return 2 + x", total="return torch.sum(x)", halve="return x"))
    assert names(results) == {
        "test_double_multiplies_by_two": "double_adds_two",
        "test_total_adds_along_the_axis": "total_adds_everything",
        "test_total_counts_axes_from_the_end": "total_adds_everything",
        "test_halve_divides_by_two": "halve_forgets_to_divide",
    }


def test_exercises_not_attempted_do_not_prevent_naming_the_others(tiny_lab):
    results = judge(tiny_lab, solution(double="return 2 + x"))
    assert names(results) == {"test_double_multiplies_by_two": "double_adds_two"}


# Catalogues made for a single test


TWO_CHECKS = f"""
def test_made(student):
{DOC}    check_close(student.double(torch.tensor([1.0, 3.0])), torch.tensor([2.0, 6.0]))


def test_other(student):
{DOC}    check_close(student.double(torch.tensor([2.0, 5.0])), torch.tensor([4.0, 10.0]))
"""


def judged_with(lab, source: str, *catalogue: Mistake, tests: str = TWO_CHECKS, checks=("test_made", "test_other")):
    write_checks(lab, tests, *checks)
    return names(judge(lab, source, code=CourseCode({MODULE: REFERENCE}, catalogue)))


def test_two_mistakes_with_the_same_outputs_are_both_told(tiny_lab):
    both = "test_made", "test_other"
    twins = mistake("adds", "2 * x", "2 + x", *both), mistake("adds_too", "2 * x", "x + 2", *both)
    assert judged_with(tiny_lab, right(double="return 2 + x"), twins[0]) == dict.fromkeys(both, "adds")
    assert judged_with(tiny_lab, right(double="return 2 + x"), *twins) == {}
    result = judge(tiny_lab, right(double="return 2 + x"), code=CourseCode({MODULE: REFERENCE}, twins))["test_made"]
    assert result.what == "your output is what you get when adds is made, or when adds_too is made"
    three = *twins, mistake("adds_again", "2 * x", "2 + 1 * x", *both)
    result = judge(tiny_lab, right(double="return 2 + x"), code=CourseCode({MODULE: REFERENCE}, three))["test_made"]
    assert result.what == "the result has the right shape but wrong values"


def test_a_mistake_is_named_if_more_than_half_of_its_checks_confirm_it(tiny_lab):
    """The third check passes, because the student's code avoids the mistake for negative numbers."""
    third = f"""
def test_third(student):
{DOC}    check_close(student.double(torch.tensor([-2.0, -7.0])), torch.tensor([-4.0, -14.0]))
"""
    adds = mistake("adds", "2 * x", "2 + x", "test_made", "test_other", "test_third")
    every = ("test_made", "test_other", "test_third")
    source = right(double="return torch.where(x > 0, 2 + x, 2 * x)")
    found = judged_with(tiny_lab, source, adds, tests=TWO_CHECKS + third, checks=every)
    assert found == dict.fromkeys(("test_made", "test_other"), "adds")
    # The second check fails with other outputs: half of the checks do not suffice.
    source = right(double="return torch.where(x > 4, 9 * x, torch.where(x > 0, 2 + x, 2 * x))")
    assert judged_with(tiny_lab, source, adds, tests=TWO_CHECKS + third, checks=every) == {}


def test_examples_after_the_first_failure_count_too(tiny_lab):
    """Both mistakes give the student's result for the first input; for the second, only one of them."""
    tests = f"""
def test_made(student):
{DOC}    for x in (torch.tensor([2.0]), torch.tensor([3.0])):
        check_close(student.double(x + 1), 2 * x + 2)
"""
    adds = mistake("adds", "2 * x", "3 + x", "test_made")
    stays = mistake("stays", "2 * x", "x - x + 6", "test_made")
    right_first = mistake("right_first", "2 * x", "torch.where(x < 3.5, 7 * x, 2 * x)", "test_made")
    for body, name in (("return x.clone().fill_(6)", "stays"), ("return 3 + 1 * x", "adds")):
        found = judged_with(tiny_lab, right(double=body), adds, stays, right_first, tests=tests, checks=("test_made",))
        assert found == {"test_made": name}


FREE = f"""
def test_made(student):
{DOC}    x = torch.tensor([[1.0, 3.0], [5.0, 2.0]])
    check_close(student.double(x)[:, 0], 2 * x[:, 0])
    check_that(bool(student.double(x).isfinite().all()), "not finite")
"""


@pytest.mark.parametrize("free", ["-100.0", "x[:, 1] * 77"])
def test_outputs_that_the_check_does_not_compare_are_free(tiny_lab, free):
    adds = mistake("adds", "2 * x", "2 + x", "test_made")
    body = f"y = 2 + x; y[:, 1] = {free}; return y"
    assert judged_with(tiny_lab, right(double=body), adds, tests=FREE, checks=("test_made",)) == {"test_made": "adds"}
    infinite = right(double="y = 2 + x; y[:, 1] = float('inf'); return y")
    assert judged_with(tiny_lab, infinite, adds, tests=FREE, checks=("test_made",)) == {}


@pytest.mark.parametrize(("result", "found"), [("2 * x", {"test_made": "forgets"}), ("None", {})])
def test_a_missing_result_is_another_fault_where_the_check_looks_at_the_effect_only(tiny_lab, result, found):
    tests = f"""
def test_made(student):
{DOC}    student.double(torch.ones(2))
    check_close(student.total(torch.ones(2, 2), 0), torch.tensor([2.0, 2.0]))
"""
    reference = "def double(x):\n    seen.append(x)\n    return 2 * x\n\n\nseen = []\n\n\n"
    reference += "def total(x, axis):\n    return x.sum(axis) * len(seen)\n"
    forgets = mistake("forgets", "    seen.append(x)\n", "", "test_made")
    write_checks(tiny_lab, tests, "test_made")
    code = CourseCode({MODULE: reference}, (forgets,))
    assert names(judge(tiny_lab, forgets.apply(reference).replace("2 * x", result), code=code)) == found


def test_initial_numbers_that_a_check_replaces_are_free(tiny_lab):
    tests = f"""
def test_made(student):
{DOC}    layer = student.double(3)
    state = layer.state_dict()
    layer.load_state_dict({{name: torch.full_like(tensor, 2.0) for name, tensor in state.items()}})
    check_close(layer(torch.tensor([1.0, 2.0, 3.0])), torch.tensor([2.0, 4.0, 6.0]))
"""
    layer = """\
import torch
from torch import nn


class double(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size))

    def forward(self, x):
        return self.weight * x
"""
    adds = mistake("adds", "self.weight * x", "self.weight + x", "test_made")
    write_checks(tiny_lab, tests, "test_made")
    for other in ("torch.zeros(size)", "torch.rand(2, size)[1]"):
        source = adds.apply(layer).replace("torch.randn(size)", other)
        assert names(judge(tiny_lab, source, code=CourseCode({MODULE: layer}, (adds,)))) == {"test_made": "adds"}


def test_a_mistake_of_another_exercise_is_named_where_its_work_is_written_out(tiny_lab):
    tests = f"""
def test_made(student):
{DOC}    check_close(student.double(torch.tensor([1.0, 3.0])), torch.tensor([2.0, 6.0]))
"""
    more = '''
def test_total(student):
    """total: a title.

    Hint: a hint.
    """
    check_close(student.quadruple_total(torch.tensor([[1.0, 3.0], [5.0, 4.0]]), 1), torch.tensor([16.0, 36.0]))
'''
    write_checks(tiny_lab, tests + more, "test_made")
    grading = tiny_lab.root / "grading.yml"
    with grading.open("a", encoding="utf-8") as file:
        file.write("      total:\n        checks:\n          test_total: 2\n")
    vars(tiny_lab).pop("config", None)
    adds = mistake("adds", "2 * x", "2 + x", "test_made")
    code = CourseCode({MODULE: CHAINED}, (adds,), {"double": (), "total": ("double",)})
    source = CHAINED.replace("total(double(double(x)), axis)", "torch.sum(2 + (2 + x), dim=axis)")
    assert names(judge(tiny_lab, source, code=code)) == {"test_total": "adds"}


def test_of_two_explanations_the_mistake_that_explains_more_checks_is_named(tiny_lab):
    """Both give the same result on `test_made`; on `test_other` only one gives the student's result."""
    everywhere = mistake("everywhere", "2 * x", "2 + x", "test_made", "test_other")
    small = mistake("small", "2 * x", "torch.where(x.max() < 4, 2 + x, 2 * x)", "test_made")
    source = right(double="return 2 + x")
    assert judged_with(tiny_lab, source, small, everywhere) == dict.fromkeys(("test_made", "test_other"), "everywhere")


def test_an_unnamed_mistake_is_not_named(tiny_lab):
    silent = mistake("silent", "2 * x", "2 + x", "test_made", "test_other", named=False)
    assert judged_with(tiny_lab, right(double="return 2 + x"), silent) == {}


def test_an_error_is_explained_by_an_error_of_its_class(tiny_lab):
    raises = mistake("raises", "2 * x", "2 * x + None", "test_made", "test_other")
    for body in ("return 2 * x + None", "raise TypeError('in other words')"):
        assert judged_with(tiny_lab, right(double=body), raises) == dict.fromkeys(("test_made", "test_other"), "raises")
    assert judged_with(tiny_lab, right(double="raise KeyError"), raises) == {}


def test_an_error_is_reported_with_its_cause(tiny_lab):
    raises = mistake("raises", "2 * x", "2 * x + None", "test_made", "test_other")
    write_checks(tiny_lab, TWO_CHECKS, "test_made", "test_other")
    code = CourseCode({MODULE: REFERENCE}, (raises,))
    result = judge(tiny_lab, right(double="return 2 * x + None"), code=code)["test_made"]
    assert result.what == "your code raised TypeError, which happens when raises is made"


def test_a_check_that_fails_for_the_reference_too_names_nothing(tiny_lab):
    """The check expects a wrong output; the student, the reference and the mistake all give the right one."""
    tests = f"def test_made(student):\n{DOC}    check_close(student.double(torch.ones(2)), torch.ones(2))\n"
    harmless = mistake("harmless", "2 * x", "x * 2", "test_made")
    assert judged_with(tiny_lab, right(), harmless, tests=tests, checks=("test_made",)) == {}


CHAIN = f"""
def test_made(student):
{DOC}    check_close(student.double(torch.tensor([1.0, 3.0])), torch.tensor([2.0, 6.0]))


def test_both(student):
{DOC}    x = torch.tensor([[1.0, 3.0], [5.0, 4.0]])
    check_close(student.total(student.double(x), 1), torch.tensor([8.0, 18.0]))
    check_close(student.quadruple_total(x, 1), torch.tensor([16.0, 36.0]))
"""

CHAINED = """\
import torch


def double(x):
    return 2 * x


def total(x, axis):
    return torch.sum(x, dim=axis)


def quadruple_total(x, axis):
    return total(double(double(x)), axis)
"""


def test_a_mistake_is_named_on_top_of_one_found_elsewhere(tiny_lab):
    """`test_both` mixes two mistakes: neither explains it alone, the second does on top of the first."""
    write_checks(tiny_lab, CHAIN, "test_made", "test_both")
    adds = mistake("adds", "2 * x", "2 + x", "test_made", "test_both")
    wrong_axis = mistake("wrong_axis", "dim=axis", "dim=axis - 1", "test_both")
    other_axis = mistake("all_axes", "dim=axis", "dim=(0, 1)", "test_both")
    source = wrong_axis.apply(adds.apply(CHAINED))
    code = CourseCode({MODULE: CHAINED}, (adds, wrong_axis, other_axis))
    assert names(judge(tiny_lab, source, code=code)) == {"test_made": "adds", "test_both": "wrong_axis"}
    # Two mistakes explain the check on top of it: neither is named.
    twin = mistake("twin", "dim=axis", "dim=1 - axis", "test_both")
    code = CourseCode({MODULE: CHAINED}, (adds, wrong_axis, twin))
    assert names(judge(tiny_lab, source, code=code)) == {"test_made": "adds"}
    # Mistakes that change the same line cannot be combined.
    again = mistake("again", "2 * x", "3 * x", "test_both")
    code = CourseCode({MODULE: CHAINED}, (adds, again))
    assert names(judge(tiny_lab, source, code=code)) == {"test_made": "adds"}


def test_a_mistake_found_elsewhere_explains_what_it_does_not_list(tiny_lab):
    """Otherwise a harmless change on top of it would be named."""
    write_checks(tiny_lab, CHAIN, "test_made", "test_both")
    adds = mistake("adds", "2 * x", "2 + x", "test_made")
    harmless = mistake("harmless", "dim=axis", "dim=(axis,)", "test_both")
    code = CourseCode({MODULE: CHAINED}, (adds, harmless))
    results = judge(tiny_lab, adds.apply(CHAINED), code=code)
    assert names(results) == {"test_made": "adds", "test_both": "adds"}


def test_of_two_explanations_the_mistake_that_no_check_contradicts_is_named(tiny_lab):
    """Both explain the same checks, and `inner` would lose another check, which the student passed."""
    third = f"""
def test_third(student):
{DOC}    check_close(student.quadruple(torch.tensor([3.0])), torch.tensor([12.0]))
"""
    reference = CHAINED + "\n\ndef quadruple(x):\n    return double(double(x))\n"
    write_checks(tiny_lab, TWO_CHECKS + third, "test_made", "test_other", "test_third")
    inner = mistake("inner", "2 * x", "2 + x", "test_made", "test_other", "test_third")
    outer = mistake("outer", "2 * x", "x + 2", "test_made", "test_other")
    code = CourseCode({MODULE: reference}, (inner, outer))
    source = inner.apply(reference).replace("double(double(x))", "4 * x")
    assert names(judge(tiny_lab, source, code=code)) == dict.fromkeys(("test_made", "test_other"), "outer")


def test_a_check_that_changes_its_tensors_afterwards_is_diagnosed_by_what_was_sent(tiny_lab):
    tests = f"""
def test_made(student):
{DOC}    x = torch.tensor([1.0, 3.0])
    first = student.double(x)
    x += 1000.0
    second = student.double(x)
    first += 5.0
    check_close(second - first, torch.tensor([1995.0, 1995.0]))
"""
    adds = mistake("adds", "2 * x", "2 + x", "test_made")
    found = judged_with(tiny_lab, right(double="return 2 + x"), adds, tests=tests, checks=("test_made",))
    assert found == {"test_made": "adds"}


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_of_several_parameters_the_failing_one_is_diagnosed(tiny_lab, wrong):
    """The mistake shows for only one parameter, the first, second or last."""
    tests = f"""
@pytest.mark.parametrize("size", [1, 2, 3])
def test_made(student, size):
{DOC}    check_close(student.double(torch.ones(size)), torch.full((size,), 2.0))
"""
    at = f"(2 * x if len(x) != {wrong} else 3 * x)"
    shows = mistake("shows", "2 * x", at, "test_made")
    other = mistake("other", "2 * x", at.replace("3", "4"), "test_made")
    found = judged_with(tiny_lab, right(double=f"return {at}"), shows, other, tests=tests, checks=("test_made",))
    assert found == {"test_made": "shows"}


def test_random_results_are_not_named(tiny_lab):
    noisy = mistake("noisy", "2 * x", "2 * x + __import__('random').SystemRandom().random()", "test_made", "test_other")
    assert judged_with(tiny_lab, noisy.apply(REFERENCE), noisy) == {}


def test_results_from_the_global_generators_are_the_same_in_a_replay(tiny_lab):
    noisy = mistake("noisy", "2 * x", "2 * x + torch.rand(2)", "test_made", "test_other")
    named = judged_with(tiny_lab, noisy.apply(REFERENCE), noisy)
    assert named == dict.fromkeys(("test_made", "test_other"), "noisy")


def test_gradients_are_diagnosed(tiny_lab):
    tests = f"""
def test_made(student):
{DOC}    x = torch.tensor([1.0, 3.0], requires_grad=True)
    (student.double(x) ** 2).sum().backward()
    check_close(x.grad, 8 * x.detach())
"""
    detached = mistake("half_detached", "2 * x", "x + x.detach()", "test_made")
    source = right(double="return x + x.detach()")
    assert judged_with(tiny_lab, source, detached, tests=tests, checks=("test_made",)) == {"test_made": "half_detached"}


def test_a_generator_is_replayed_from_where_it_was(tiny_lab):
    tests = f"""
def test_made(student):
{DOC}    generator = torch.Generator().manual_seed(3)
    first = student.double(torch.ones(2), generator=generator)
    check_close(student.double(first, generator=generator.manual_seed(4)), torch.full((2,), 4.0))
"""
    reference = REFERENCE.replace("def double(x: Tensor)", "def double(x: Tensor, generator=None)")
    noisy = mistake("noisy", "2 * x", "2 * x + torch.rand(2, generator=generator)", "test_made")
    write_checks(tiny_lab, tests, "test_made")
    results = judge(tiny_lab, noisy.apply(reference), code=CourseCode({MODULE: reference}, (noisy,)))
    assert names(results) == {"test_made": "noisy"}


LAYER = """\
import numpy as np
from torch import nn


class double(nn.Module):
    def forward(self, x):
        return np.asarray(x) * 2
"""


def test_modules_and_arrays_are_diagnosed(tiny_lab):
    tests = f"""
import numpy as np

def test_made(student):
{DOC}    x = np.array([1.0, 3.0])
    layer = student.double()
    first = layer(x)
    x += 1
    check_close(first, x - 1 + x - 1)
"""
    adds = mistake("adds", "* 2", "+ 2", "test_made")
    broken = mistake("broken", "from torch import nn\n", "from torch import no_such_name\n", "test_made")
    write_checks(tiny_lab, tests, "test_made")
    results = judge(tiny_lab, adds.apply(LAYER), code=CourseCode({MODULE: LAYER}, (broken, adds)))
    assert names(results) == {"test_made": "adds"}


# Limits


@pytest.mark.parametrize("limit", ["MOST_REPLAYED", "MOST_RUNS"])
def test_too_much_work_names_nothing(tiny_lab, monkeypatch, limit):
    monkeypatch.setattr(suspects, limit, 0)
    assert names(judge(tiny_lab, right(double="return 2 + x", total="return torch.sum(x)"))) == {}


def test_a_replay_ends_with_the_first_reply_that_differs(tiny_lab, stage, monkeypatch):
    requests: list[str] = []

    class Counting(InProcessSession):
        def request(self, op, **arguments):
            requests.append(op)
            return super().request(op, **arguments)

    code = read_course_code(tiny_lab, stage)
    source = right(double="return 7 * x")
    monkeypatch.setattr(suspects, "InProcessSession", Counting)
    judge_stage(stage, {MODULE: source}, InProcessSession, code, seed=0)
    # The only mistake that loses this check, up to its first reply.
    assert requests == ["load", "call"]


def test_a_submission_that_cannot_be_run_again_is_not_named(tiny_lab, stage):
    opened = 0

    class Dying(InProcessSession):
        def request(self, op, **arguments):
            if op == "call" and opened > len(stage.spec.check_ids) + 1:
                raise WorkerDied(DeathReason.TIMEOUT)
            return super().request(op, **arguments)

    def open_session():
        nonlocal opened
        opened += 1
        return Dying()

    code = read_course_code(tiny_lab, stage)
    results = judge_stage(stage, {MODULE: right(double="return 2 + x")}, open_session, code, seed=0)
    assert not any(result.mistake for result in results)
    assert sum(not result.holds for result in results) == 1


def test_a_recording_session_stops_at_its_limits():
    session = InProcessSession()
    session.load({MODULE: REFERENCE}, MODULE)
    few, small = RecordingSession(session, most=2), RecordingSession(session, most_bytes=200)
    enough = RecordingSession(session)
    double = Reference("double")
    for recording in (few, small, enough):
        for _ in range(4):
            reply, _, _ = recording.request("call", target=double, args=[torch.ones(10)], kwargs={}, grad=False)
            assert reply.tolist() == [2.0] * 10
    for full in (few, small):
        assert (full.complete, full.exchanges) == (False, [])
    assert (enough.complete, len(enough.exchanges)) == (True, 4)
