"""A worker serves another check only if the submission can have kept nothing: as its text says, and as it holds."""

from pathlib import Path

import pytest
from kept_state import STATEFUL

from autograder.course.lab import Lab
from autograder.isolation.executor import Executor
from autograder.isolation.self_contained import are_self_contained
from autograder.isolation.wire import Reference
from autograder.judge.course_code import read_course_code

ROOT = Path(__file__).parents[3]
STAGES = [stage.id for stage in Lab(ROOT).stages()]


def loaded(source: str) -> Executor:
    executor = Executor()
    executor.handle("load", {"modules": {"tiny": source}, "main": "tiny", "renewable": True})
    return executor


def visits(executor: Executor) -> object:
    request = {"target": Reference("visits"), "args": [], "kwargs": {}, "grad": True}
    value, *_ = executor.handle("call", request)
    return value


@pytest.mark.parametrize("source", STATEFUL.values(), ids=STATEFUL)
def test_what_a_submission_keeps_reaches_no_other_check(source):
    if not are_self_contained({"tiny": source}):
        return  # every check has a worker of its own
    executor = loaded(source)
    first = visits(executor)
    if executor.handle("renew", {}):
        assert visits(executor) == first
    else:
        assert not executor.handle("renew", {})  # what has changed stays changed


@pytest.mark.parametrize("stage_id", STAGES)
def test_a_reference_is_self_contained_and_can_be_renewed(stage_id):
    lab = Lab(ROOT)
    stage = lab.stage(stage_id)
    modules = dict(read_course_code(lab, stage).modules)
    assert are_self_contained(modules)
    executor = Executor()
    executor.handle("load", {"modules": modules, "main": stage.spec.module, "renewable": True})
    assert executor.handle("renew", {})
