"""A judge that fails on a job decides whether the machine or the submission is the reason."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from judging import judge
from tiny_lab import MODULE, REFERENCE, STAGE, solution

from autograder.base.results import Outcome
from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.judge import run
from autograder.judge.course_code import read_course_code
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.server import Server
from autograder.judge.sessions import TooLarge, limited
from autograder.judge.unrun import UNREADABLE

HOSTILE = Job(stage=STAGE, modules={MODULE: solution()}, seed=1, checks=frozenset({"test_halve_divides_by_two"}))


def server_whose_forks(answer: Callable[[str], Any], lab: Lab) -> Server:
    """A server without processes: ``answer`` replies to a job from the source of its module."""

    class Template:
        alive = True

        def close(self) -> None:
            pass

    class Scripted(Server):
        def _start_template(self, program=None):
            return Template()

        def _in_fork(self, job, code):
            return answer(job.modules[MODULE])

    return Scripted(lab, isolated=True)


def test_a_judge_that_dies_once_judges_again(tiny_lab):
    replies = iter([Broken("killed"), Judged(())])
    assert server_whose_forks(lambda source: next(replies), tiny_lab).judge(HOSTILE) == Judged(())


def test_a_judge_that_dies_on_every_job_is_an_error_of_the_grader(tiny_lab):
    reply = server_whose_forks(lambda source: Broken("no memory left"), tiny_lab).judge(HOSTILE)
    assert reply == Broken("no memory left")


def test_a_judge_that_dies_on_this_submission_alone_costs_its_points(tiny_lab):
    server = server_whose_forks(lambda source: Judged(()) if source == REFERENCE else Broken("died"), tiny_lab)
    reply = server.judge(HOSTILE)
    assert isinstance(reply, Judged)
    assert [(check.id, check.outcome, check.what) for check in reply.checks] == [
        ("test_halve_divides_by_two", Outcome.FAILED, UNREADABLE)
    ]
    assert reply.notes == ("it failed twice on this submission, and not on the reference: died",)


def test_a_diagnosis_that_fails_changes_no_result(tiny_lab, monkeypatch):
    source = solution(double="return 2 + x", total="return x.sum(axis)", halve="return x / 2")
    diagnosed = judge(tiny_lab, source)
    assert diagnosed["test_double_multiplies_by_two"].mistake is not None

    def failing(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(run, "explain", failing)
    stage, notes = tiny_lab.stage(STAGE), list[str]()
    results = run.judge_stage(
        stage, {MODULE: source}, InProcessSession, read_course_code(tiny_lab, stage), seed=0, notes=notes
    )
    assert {result.id: result.outcome for result in results} == {
        name: result.outcome for name, result in diagnosed.items()
    }
    assert "too deep" in notes[0]


def test_replies_for_the_diagnosis_have_a_limit():
    replies = iter([[b"", 1.0]] * 3)
    assert len(list(limited(replies, most_bytes=0))) == 3
    with pytest.raises(TooLarge):
        list(limited(iter([torch.ones(4)] * 3), most_bytes=40))
