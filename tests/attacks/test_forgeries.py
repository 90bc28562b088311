"""Forged answers earn no points, do no harm, and leak nothing through feedback."""

from collections.abc import Iterator

import pytest
import torch
from forgeries import FORGERIES, LEAKS
from tiny_lab import MODULE, STAGE, build_tiny_lab, solution

from autograder.base.results import CheckResult, Outcome
from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Student
from autograder.judge.messages import Job, Judged
from autograder.judge.pool import JudgePool

CORRECT = solution(double="return 2 * x", total="return x.sum(axis)", halve="return x / 2")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The tiny lab with short deadlines, because many of these submissions reach them."""
    lab = build_tiny_lab(tmp_path_factory.mktemp("attacks") / "lab")
    grading = lab.root / "grading.yml"
    text = grading.read_text(encoding="utf-8")
    short = "limits: {call_cpu_seconds: 0.5, check_cpu_seconds: 1.0, memory_mb: 256, reply_mb: 8}"
    grading.write_text(text.replace("limits: {call_cpu_seconds: 2.0, check_cpu_seconds: 4.0}", short), encoding="utf-8")
    assert short in grading.read_text(encoding="utf-8")
    return Lab(lab.root)


@pytest.fixture(scope="module")
def judges(lab: Lab) -> Iterator[JudgePool]:
    with JudgePool(lab.root, size=1) as judges:
        yield judges


def judge(judges: JudgePool, source: str) -> tuple[CheckResult, ...]:
    reply = judges.judge(Job(stage=STAGE, modules={MODULE: source}, seed=5))
    assert isinstance(reply, Judged), reply
    return reply.checks


def test_there_are_many_forgeries():
    assert len(FORGERIES) >= 45


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_earns_nothing_and_the_next_submission_earns_everything(judges, name):
    checks = judge(judges, FORGERIES[name])
    assert {check.id: check.outcome for check in checks if check.passed} == {}
    assert Outcome.GRADER_ERROR not in {check.outcome for check in checks}
    assert all(check.what and check.where.startswith(f"{MODULE}.py") for check in checks)
    assert all(check.passed for check in judge(judges, CORRECT))


@pytest.mark.parametrize("name", LEAKS)
def test_feedback_leaks_nothing(judges, name):
    checks = judge(judges, LEAKS[name])
    assert not any(check.passed for check in checks)
    for check in checks:
        feedback = f"{check.what} {check.where} {check.hint}"
        assert "LEAK" not in feedback
        assert "tensor(" not in feedback
        assert "4242" not in feedback


def test_the_effects_of_one_submission_are_not_visible_to_the_next(judges):
    judge(judges, "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.leftover = 1\n" + CORRECT)
    reads = CORRECT.replace("return 2 * x", "return 2 * x if not hasattr(torch, 'leftover') else x")
    assert all(check.passed for check in judge(judges, reads))


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
