"""`verify --update` writes the checks that each mistake loses, and reports the mistakes it cannot decide."""

import json
from collections.abc import Mapping

import pytest
from tiny_lab import MISTAKES_LOCK, MODULE, REFERENCE, STAGE, replace_in

from autograder.authoring.update_lock import count_wrong_solutions, update_check_kinds, update_lock
from autograder.base.results import CheckResult, IsolationLevel, Outcome
from autograder.course.check_kinds import read_check_kinds
from autograder.course.config import Check
from autograder.course.lab import Lab
from autograder.course.mistakes import load_mistakes, read_lock
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.run import judge_stage

LISTED = {name: frozenset(checks) for name, checks in json.loads(MISTAKES_LOCK)["mistakes"].items()}


class Judges:
    """Returns the lost checks that ``lost`` has for a mistake and seed; otherwise those that the tiny lab lists."""

    level = IsolationLevel.NONE

    def __init__(self, lab: Lab, lost: Mapping[tuple[str, int], frozenset[str] | Broken] = {}) -> None:
        self._lost = lost
        stage = lab.stage(STAGE)
        self._checks = stage.spec.checks
        self._ids = {mistake.apply(REFERENCE): mistake.id for mistake in load_mistakes(stage)}

    def judge(self, job: Job) -> Judged | Broken:
        mistake = self._ids[job.modules[MODULE]]
        lost = self._lost.get((mistake, job.seed), LISTED[mistake])
        if isinstance(lost, Broken):
            return lost
        return Judged(tuple(self._result(check, check.id in lost) for check in self._checks))

    def _result(self, check: Check, failed: bool) -> CheckResult:
        outcome = Outcome.FAILED if failed else Outcome.PASSED
        return CheckResult(id=check.id, title=check.id, exercise=check.exercise, outcome=outcome, points=check.points)


class RealJudges:
    """Judges in this process."""

    level = IsolationLevel.NONE

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def judge(self, job: Job) -> Judged:
        stage = self._lab.stage(job.stage)
        code = read_course_code(self._lab, stage)
        return Judged(judge_stage(stage, job.modules, InProcessSession, code, job.seed, only=job.checks))


def update(lab: Lab, lost: Mapping[tuple[str, int], frozenset[str] | Broken] = {}, seeds=(0,)):
    return update_lock(lab, lab.stage(STAGE), Judges(lab, lost), seeds=seeds, workers=1)


@pytest.fixture
def lock(tiny_lab):
    return tiny_lab.stage(STAGE).mistakes_lock


def test_a_correct_lock_file_stays_unchanged(tiny_lab, lock):
    before = read_lock(tiny_lab.stage(STAGE))
    done = []
    found = update_lock(tiny_lab, tiny_lab.stage(STAGE), Judges(tiny_lab), seeds=(0, 1), workers=1, on_done=done.append)
    assert (found.changes, found.problems) == ((), ())
    assert read_lock(tiny_lab.stage(STAGE)) == before
    assert len(done) == 2 * len(before)


def test_a_missing_lock_file_is_written_by_judging(tiny_lab, lock):
    stage = tiny_lab.stage(STAGE)
    before = read_lock(stage)
    lock.unlink()
    assert update_lock(tiny_lab, stage, RealJudges(tiny_lab), seeds=(0,), workers=1).problems == ()
    assert read_lock(stage) == before


def test_renaming_a_check_changes_the_lock_file_but_not_the_catalogue(tiny_lab, lock):
    stage = tiny_lab.stage(STAGE)
    catalogue = stage.mistakes.read_bytes()
    for path in (tiny_lab.root / "grading.yml", stage.hidden_tests / "test_tiny.py"):
        replace_in(path, "test_halve_divides_by_two", "test_halve_gives_half")
    lab = Lab(tiny_lab.root)
    found = update(lab, {("halve_forgets_to_divide", 0): frozenset({"test_halve_gives_half"})})
    assert found.changes == ("1_tiny: halve_forgets_to_divide: -test_halve_divides_by_two +test_halve_gives_half",)
    assert read_lock(stage)["halve_forgets_to_divide"] == ["test_halve_gives_half"]
    assert stage.mistakes.read_bytes() == catalogue


def test_an_entry_without_a_mistake_is_removed(tiny_lab, lock):
    replace_in(lock, '"double_adds_two"', '"gone": [],\n    "double_adds_two"')
    assert update(tiny_lab).changes == ("1_tiny: gone: removed",)
    assert "gone" not in read_lock(tiny_lab.stage(STAGE))


def test_a_mistake_that_the_tests_accept_keeps_its_entry(tiny_lab, lock):
    before = lock.read_bytes()
    found = update(tiny_lab, {("halve_forgets_to_divide", 0): frozenset()})
    assert found.problems == ("1_tiny: mistake halve_forgets_to_divide: it loses no check: the hidden tests accept it",)
    assert found.changes == ()
    assert json.loads(lock.read_bytes()) == json.loads(before)


def test_a_check_that_must_fail_but_passes_is_reported(tiny_lab):
    must_fail = '"return 2 + x", must_fail=["test_double_keeps_the_dtype"])'
    replace_in(tiny_lab.stage(STAGE).mistakes, '"return 2 + x")', must_fail)
    (problem,) = update(tiny_lab).problems
    says = "it does not lose test_double_keeps_the_dtype, which its `must_fail` lists"
    assert problem == f"1_tiny: mistake double_adds_two: {says}"


def test_lost_checks_that_depend_on_the_seed_are_reported(tiny_lab):
    more = LISTED["double_upcasts"] | {"test_double_multiplies_by_two"}
    (problem,) = update(tiny_lab, {("double_upcasts", 2): more}, seeds=range(4)).problems
    says = "it loses test_double_multiplies_by_two with some seeds only"
    assert problem == f"1_tiny: mistake double_upcasts: {says}"


def test_a_judge_that_fails_changes_no_entry(tiny_lab, lock):
    before = lock.read_bytes()
    found = update(tiny_lab, {("double_adds_two", 1): Broken("out of memory\n")}, seeds=(0, 1))
    assert found.problems == ("1_tiny: mistake double_adds_two: the judge failed: out of memory",)
    assert json.loads(lock.read_bytes()) == json.loads(before)


# What each check looks at


def test_the_kinds_of_checks_are_found_by_judging(tiny_lab):
    stage = tiny_lab.stage(STAGE)
    before = read_check_kinds(stage)
    stage.checks_lock.unlink()
    done: list[str] = []
    judges = RealJudges(tiny_lab)
    found = update_check_kinds(tiny_lab, stage, judges, seeds=(0,), workers=1, on_done=done.append)
    assert found.problems == ()
    assert "1_tiny: test_double_keeps_the_dtype: new → form" in found.changes
    assert read_check_kinds(stage) == before
    assert len(done) == count_wrong_solutions(tiny_lab, stage)


def test_kinds_are_not_written_if_a_judge_fails(tiny_lab):
    class Failing(RealJudges):
        def judge(self, job: Job) -> Judged | Broken:
            return Broken("out of memory\n") if "'noise'" in job.modules[MODULE] else super().judge(job)

    stage = tiny_lab.stage(STAGE)
    before = stage.checks_lock.read_bytes()
    found = update_check_kinds(tiny_lab, stage, Failing(tiny_lab), seeds=(0,), workers=1)
    assert found.problems == ("1_tiny: wrong values (noise): the judge failed: out of memory",)
    assert stage.checks_lock.read_bytes() == before
