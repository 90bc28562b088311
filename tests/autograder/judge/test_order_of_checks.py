"""The result of a check depends neither on the checks before it nor on their order, although they share workers."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from judging import write_checks
from tiny_lab import MODULE

from autograder.base.results import CheckResult, Outcome
from autograder.course.lab import Lab
from autograder.isolation.process import Template, WorkerLimits
from autograder.judge.course_code import read_course_code
from autograder.judge.hidden_tests import open_reference, run_checks
from autograder.judge.plugin import JudgePlugin
from autograder.judge.run import judge_stage
from autograder.judge.sessions import RecordingSession

ROOT = Path(__file__).parents[3]
RIGHT = ("test_1", "test_2", "test_3")
DRAWS = ("test_4", "test_5")
CHECKS = "\n".join(
    [
        *(f"def {name}(student):\n    check_equal(student.total(), 6)\n" for name in RIGHT),
        *(f"def {name}(student):\n    check_equal(student.double(), 2)\n" for name in DRAWS),
    ]
)
# `double()` is right only in a process in which something was called before; `total()` is always right.
STATEFUL = {
    "a global": "N = 0\ndef seen():\n    global N\n    N += 1\n    return N > 1",
    "a default": "def seen(n=[]):\n    n.append(1)\n    return len(n) > 1",
    "a class": "class C: n = 0\ndef seen():\n    C.n += 1\n    return C.n > 1",
    "torch": "import torch\ndef seen():\n    n = hasattr(torch, 'seen')\n    torch.seen = 1\n    return n",
    "the modules of Python": "import sys\ndef seen():\n    before = len(sys.modules)\n    sys.modules['s'] = sys\n"
    "    return len(sys.modules) == before",
    "random numbers": "import random\ndef seen(): return round(random.random(), 6) != 0.844422",
    "what it printed": "def seen():\n    print('total')\n    return False",
}
BODY = "\ndef double(): return 2 if seen() else 3\ndef total():\n    seen()\n    return 6\n"


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    with Template.start() as template:
        yield template


@pytest.fixture
def lab(tiny_lab) -> Lab:
    write_checks(tiny_lab, CHECKS, *RIGHT, *DRAWS)
    return tiny_lab


class Judge:
    """Judges submissions in isolation, and counts the workers."""

    def __init__(self, lab: Lab, template: Template) -> None:
        self.stage = lab.stages()[0]
        self.code = read_course_code(lab, self.stage)
        self.template = template
        self.workers = 0

    def open(self):
        self.workers += 1
        return self.template.spawn(WorkerLimits(call_cpu_seconds=0.5, worker_cpu_seconds=2.0))

    def results(self, source: str, only: frozenset[str] | None = None) -> dict[str, CheckResult]:
        modules = {**self.code.modules, MODULE: source}
        results = judge_stage(self.stage, modules, self.open, self.code, 0, only=only)
        return {result.id: result for result in results}


@pytest.mark.parametrize("kept", STATEFUL.values(), ids=STATEFUL)
def test_a_submission_that_keeps_state_gets_the_same_results_in_every_order(lab, template, monkeypatch, kept):
    judge = Judge(lab, template)
    order = JudgePlugin.pytest_collection_modifyitems
    for seed in range(3):

        def shuffled(self, items, seed=seed):
            random.Random(seed).shuffle(items)
            order(self, items)

        monkeypatch.setattr(JudgePlugin, "pytest_collection_modifyitems", shuffled)
        results = judge.results(kept + BODY)
        assert {results[name].outcome for name in RIGHT} == {Outcome.PASSED}
        assert {results[name].outcome for name in DRAWS} == {Outcome.FAILED}


def test_checks_share_a_worker_until_one_fails(lab, template):
    judge = Judge(lab, template)
    assert all(result.passed for result in judge.results("def double(): return 2\ndef total(): return 6").values())
    assert judge.workers == 2  # one reads the text and loads it, and one serves all checks
    judge.workers = 0
    results = judge.results("def double(): return 2\ndef total(): return 5")
    assert {name for name, result in results.items() if result.passed} == {*DRAWS}
    assert judge.workers >= 1 + len(RIGHT)


def test_a_check_that_ends_its_worker_costs_no_other_check(lab, template):
    judge = Judge(lab, template)
    for fault, outcome in (("while True: pass", Outcome.TIMEOUT), ("1 / 0", Outcome.ERROR)):
        results = judge.results(f"def double():\n    {fault}\ndef total(): return 6")
        assert {results[name].outcome for name in RIGHT} == {Outcome.PASSED}
        assert {results[name].outcome for name in DRAWS} == {outcome}


# Both multiply the same gradient by 0.01: Hypothesis draws the seed 0 in every check.
COINCIDENCES = {("test_adamw_takes_the_first_step", "test_clipping_shortens_all_by_one_factor")}
Numbers = frozenset[tuple[float, ...]]


def numbers_in(value: Any) -> Numbers:
    """The floating-point tensors in a value that are specific enough to compare, rounded."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return frozenset().union(*map(numbers_in, value))
    if not (isinstance(value, torch.Tensor) and value.is_floating_point() and value.unique().numel() > 3):
        return frozenset()
    return frozenset({tuple((1e6 * value.detach().double()).round().flatten().tolist())})


@pytest.mark.slow
@pytest.mark.parametrize("stage_id", [stage.id for stage in Lab(ROOT).stages()])
def test_no_check_sends_what_another_check_expects(stage_id):
    """A submission that hides what it keeps learns no answer from the other checks that its worker served."""
    lab = Lab(ROOT)
    stage = lab.stage(stage_id)
    code = read_course_code(lab, stage)
    recordings: dict[str, RecordingSession] = {}

    def recorded(check: str, following: str | None = None) -> RecordingSession:
        return recordings.setdefault(check, RecordingSession(open_reference(stage, code), 10**6, 10**10))

    run_checks(stage, recorded, code, 5, stage.spec.code_checks)
    sent, expected = dict[str, Numbers](), dict[str, Numbers]()
    for check, recording in recordings.items():
        sent[check] = numbers_in([exchange.arguments for exchange in recording.exchanges])
        expected[check] = numbers_in([exchange.reply for exchange in recording.exchanges])
    for check, replies in expected.items():
        answers = replies - sent[check]
        assert {(other, check) for other in sent if other != check and answers & sent[other]} <= COINCIDENCES
