"""Forbidden calls are refused in every form that reaches the kernel, and honest code is not refused.

The circumventions are listed and tested as well: they show that a refusal is evidence, and its absence is not.
"""

from collections.abc import Iterator

import pytest
import torch
from ways_around import (
    ATTENTION,
    ATTENTION_WAYS,
    CIRCUMVENTIONS,
    CLOSED_WAYS,
    HONEST,
    NORMALISATION,
    NORMALISATION_WAYS,
    OPTIMIZER,
    OPTIMIZER_WAYS,
    SOFTMAX,
    SOFTMAX_WAYS,
    UNUSABLE,
    with_imports,
)

from autograder.course.config import Exercise, Stage
from autograder.course.forbidden import FORBIDDABLE, forbidden_functions
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.process import Template, WorkerLimits
from autograder.isolation.proxy import Student
from autograder.judge.evidence import forbidden_call_notes

EARLIER = """
from torch.nn.functional import scaled_dot_product_attention
def helper(q): return scaled_dot_product_attention(q, q, q)
def exercise(q): return helper(q)
"""
EXERCISES = {"earlier": ["exercise"]}
LIMITS = WorkerLimits(call_cpu_seconds=5, worker_cpu_seconds=20, memory_mb=400, reply_mb=4)


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    with Template.start() as template:
        yield template


def refusals(template: Template, source: str, names: tuple[str, ...]) -> tuple[list[tuple[str, str, int, str]], str]:
    """The calls that were refused when ``f`` was called, and the text of the error, if any."""
    worker = template.spawn(LIMITS)
    forbidden = {name: FORBIDDABLE[name] for name in forbidden_functions(names)}
    message = ""
    try:
        modules = {"submission": with_imports(source), "earlier": EARLIER}
        worker.request("load", modules=modules, main="submission", forbidden=forbidden, exercises=EXERCISES)
        Student(worker).f(torch.ones(1, 2, 4, 8))
    except (SubmissionError, WorkerDied) as error:
        message = str(error)
    finally:
        worker.kill()
    return worker.refusals, message


FORBIDDEN = {
    "attention": (ATTENTION_WAYS, ATTENTION),
    "softmax": (SOFTMAX_WAYS, SOFTMAX),
    "normalisation": (NORMALISATION_WAYS, NORMALISATION),
    "optimizer": (OPTIMIZER_WAYS, OPTIMIZER),
}


@pytest.mark.parametrize(("family", "way"), [(name, way) for name, (ways, _) in FORBIDDEN.items() for way in ways])
def test_a_forbidden_call_is_refused(template, family, way):
    ways, names = FORBIDDEN[family]
    assert_refused(template, ways[way], names)


@pytest.mark.parametrize("way", CLOSED_WAYS)
def test_a_call_is_reported_before_the_submission_can_hide_it(template, way):
    assert_refused(template, CLOSED_WAYS[way], ATTENTION)


def assert_refused(template: Template, source: str, names: tuple[str, ...]) -> None:
    refused, message = refusals(template, source, names)
    assert refused, message
    name, file, line, _ = refused[0]
    assert name in forbidden_functions(names)
    assert (file, line >= 4) == ("submission.py", True) or (file, line) == ("", 0)


@pytest.mark.parametrize("way", HONEST)
def test_honest_code_is_not_refused(template, way):
    assert refusals(template, HONEST[way], ATTENTION + SOFTMAX) == ([], "")


@pytest.mark.parametrize("way", UNUSABLE)
def test_an_unusable_way_is_an_error(template, way):
    refused, message = refusals(template, UNUSABLE[way], ATTENTION)
    assert refused == []
    assert message


@pytest.mark.parametrize("way", CIRCUMVENTIONS)
def test_the_guard_can_be_circumvented_and_most_ways_are_visible_in_the_text(template, way):
    source, word = CIRCUMVENTIONS[way]
    assert refusals(template, source, ATTENTION) == ([], "")
    assert word_in_notes(source) == word


def word_in_notes(source: str) -> str | None:
    exercise = Exercise(checks={"test_f": 1}, forbid=ATTENTION)
    stage = Stage(title="A stage", module="submission", exercises={"f": exercise})
    notes = forbidden_call_notes(stage, with_imports(source), [])
    return notes[0].split(": ")[1].split()[0] if notes else None
