"""No attack on the judge earns a point, ends the grading, blames the grader, or speaks through feedback."""

from collections.abc import Iterator

import pytest
import torch
from judge_attacks import ONE_CHECK, judge_attacks
from machine_attacks import marked_slow_beyond
from tiny_lab import MODULE, STAGE, build_tiny_lab, replace_in, solution

from autograder.base.results import CheckResult, Outcome
from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Student
from autograder.judge.messages import Job, Judged
from autograder.judge.pool import JudgePool

CORRECT = solution(double="return 2 * x", total="return x.sum(axis)", halve="return x / 2")
LIMITS = "limits: {call_cpu_seconds: 0.3, check_cpu_seconds: 0.6, memory_mb: 256, reply_mb: 8}"
ATTACKS = judge_attacks()
PARAMETERS = marked_slow_beyond(ATTACKS, lambda attack: attack.goal, lambda attack: f"{attack.goal}-{attack.name}")
EARN_NOTHING = [parameter for parameter in PARAMETERS if parameter.values[0].goal != "leaking"]
LEAK_NOTHING = [parameter for parameter in PARAMETERS if parameter.values[0].goal == "leaking"]


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JudgePool]:
    """A judge of the tiny lab with short deadlines, because many of these submissions reach them."""
    lab = build_tiny_lab(tmp_path_factory.mktemp("attacks") / "lab")
    grading = lab.root / "grading.yml"
    replace_in(grading, "limits: {call_cpu_seconds: 2.0, check_cpu_seconds: 4.0}", LIMITS)
    replace_in(grading, "max_examples: 5", "max_examples: 2")
    with JudgePool(Lab(lab.root).root, size=1) as judges:
        yield judges


def judge(judges: JudgePool, source: str, checks: frozenset[str] | None = None) -> tuple[CheckResult, ...]:
    reply = judges.judge(Job(stage=STAGE, modules={MODULE: source}, seed=5, checks=checks))
    assert isinstance(reply, Judged), reply
    return reply.checks


def test_there_are_many_attacks():
    assert len(ATTACKS) >= 150
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attack", EARN_NOTHING)
def test_an_attack_earns_nothing(judges, attack):
    checks = judge(judges, attack.source, attack.checks)
    assert {check.id: check.outcome for check in checks if check.passed} == {}
    assert Outcome.GRADER_ERROR not in {check.outcome for check in checks}
    assert all(check.what and check.where.startswith(f"{MODULE}.py") for check in checks)


@pytest.mark.parametrize("attack", LEAK_NOTHING)
def test_feedback_leaks_nothing(judges, attack):
    checks = judge(judges, attack.source, attack.checks)
    assert not any(check.passed for check in checks)
    for check in checks:
        feedback = f"{check.what} {check.where} {check.hint}"
        assert not [words for words in ("LEAK", "tensor(", "4242", "meta", "\x1b", "<") if words in feedback]


# What the first submission does → what the second needs in order to be right.
LEFTOVERS = {
    "an attribute of torch": ("import torch\ntorch.leftover = 1\n", "hasattr(torch, 'leftover')"),
    "a builtin": ("import builtins\nbuiltins.leftover = 1\n", "hasattr(__import__('builtins'), 'leftover')"),
    "a default dtype": ("torch.set_default_dtype(torch.float64)\n", "torch.get_default_dtype() == torch.float64"),
    "a module": ("import sys\nsys.modules['leftover'] = sys\n", "'leftover' in __import__('sys').modules"),
    "an environment variable": ("import os\nos.environ['LEFT'] = '1'\n", "'LEFT' in __import__('os').environ"),
    "a registered operator": (
        "kept = torch.library.Library('left', 'DEF')\nkept.define('over(Tensor x) -> Tensor')\n",
        "hasattr(torch.ops.left, 'over')",
    ),
    "a trace": ("import sys\nsys.setprofile(print)\n", "__import__('sys').getprofile() is not None"),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in LEFTOVERS])
def test_one_submission_leaves_nothing_for_the_next(judges, name):
    leaves, looks = LEFTOVERS[name]
    judge(judges, "import torch\n" + leaves + CORRECT, ONE_CHECK)
    gains = CORRECT.replace("return 2 * x", f"return 2 * x if {looks} else x")
    suffers = CORRECT.replace("return 2 * x", f"return x if {looks} else 2 * x")
    assert not any(check.passed for check in judge(judges, gains, ONE_CHECK))
    assert all(check.passed for check in judge(judges, suffers, ONE_CHECK))


def test_after_all_attacks_a_correct_submission_earns_everything(judges):
    assert all(check.passed for check in judge(judges, CORRECT))


def test_an_endless_sequence_is_not_iterated_over():
    """``torch.autograd.grad`` iterates over its arguments: an endless sequence blocked a check for a minute."""
    session = InProcessSession()
    endless = "class Endless:\n    def __getitem__(self, index):\n        return self\n"
    session.load({"endless": f"{endless}\ndef answer():\n    return Endless()\n"}, "endless")
    result = Student(session).answer()
    with pytest.raises(TypeError):
        iter(result)
    with pytest.raises(TypeError):
        torch.autograd.grad(result, torch.ones(1, requires_grad=True))
