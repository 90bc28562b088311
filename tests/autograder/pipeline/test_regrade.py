"""Regrading: what changes, why, and that a dry run is equal to the real run."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from pipeline import USUAL, Class, Run, ScriptedJudges
from tiny_lab import STAGE, build_tiny_lab, replace_in

from autograder.base.results import Outcome
from autograder.course.lab import Lab
from autograder.judge.messages import Job, Judged
from autograder.pipeline.grade import Regrading
from autograder.pipeline.recompute import recomputed
from autograder.pipeline.regrade import Regraded, counts
from autograder.pipeline.stored_reports import stored_reports

DRY = Regrading(dry_run=True)
DOUBLE = "test_double_multiplies_by_two"
FORM = "test_double_keeps_the_dtype"
ADA, BOB = "right = 1\n", "adds_two = 1\n"


class Judges(ScriptedJudges):
    """The hidden tests, in a word: one of the two submissions fails one check."""

    def judge(self, job: Job) -> Judged:
        reply = super().judge(job)
        assert isinstance(reply, Judged)
        tests = (self._lab.stage(STAGE).hidden_tests / "test_tiny.py").read_text(encoding="utf-8")
        failing = "right" if "x + 2" in tests else "adds_two"
        fails = {DOUBLE: Outcome.FAILED, FORM: Outcome.UNPAID} if failing in job.modules["tiny"] else {}
        return Judged(tuple(replace(check, outcome=fails.get(check.id, check.outcome)) for check in reply.checks))


@pytest.fixture
def students(tmp_path: Path) -> Class:
    """Ada is right, and bob adds two; both are graded."""
    students = Class(build_tiny_lab(tmp_path / "lab"), tmp_path / "class")
    students.hands_in("ada", ADA)
    students.hands_in("bob", BOB)
    regrade(students)
    return students


def regrade(students: Class, regrading: Regrading = USUAL) -> Run:
    return students.grade(judges=Judges(Lab(students.lab.root)), regrading=regrading)


def changes(run: Run) -> dict[str, tuple[int, tuple[str, ...]]]:
    regraded = [Regraded(graded.before, graded.report) for graded in run.graded]
    return {item.after.student: (item.difference, item.reasons()) for item in regraded}


def stored(students: Class) -> dict[str, int | None]:
    return {report.student: report.final for report in stored_reports(Lab(students.lab.root))}


def change_the_test(students: Class) -> None:
    tests = students.lab.root / "tests" / "hidden" / STAGE / "test_tiny.py"
    replace_in(tests, "check_close(student.double(x), x + x)", "check_close(student.double(x), x + 2)")


def test_a_dry_run_judges_what_changed_keeps_it_and_is_equal_to_the_real_run(students):
    change_the_test(students)
    dry = regrade(students, DRY)
    lost, won = f"{DOUBLE}: passed → failed", f"{DOUBLE}: failed → passed"
    assert changes(dry)["ada"] == (-3, (lost, f"{FORM}: passed → unpaid"))
    assert changes(dry)["bob"] == (3, (won, f"{FORM}: unpaid → passed"))
    assert stored(students) == {"ada": 8, "bob": 5}, "a dry run changes no result"
    real = regrade(students)
    assert real.judged == [], "the dry run has judged everything"
    assert changes(real) == changes(dry)
    assert stored(students) == {"ada": 5, "bob": 8}


def test_never_lower_keeps_what_the_same_hand_in_passed_and_later_runs_do_too(students):
    change_the_test(students)
    kept = Regrading(never_lower=True)
    run = regrade(students, kept)
    assert changes(run)["ada"] == (0, (f"{DOUBLE}: stays passed", f"{FORM}: stays passed"))
    assert [check.kept for check in run.report("ada").checks] == [True, True, False, False, False]
    assert run.report("ada").checks[0].what == ""
    assert stored(students) == {"ada": 8, "bob": 8}
    assert regrade(students).judged == []
    assert stored(students) == {"ada": 8, "bob": 8}
    students.hands_in("ada", f"{ADA}# another hand-in\n")
    assert regrade(students, kept).report("ada").final == 5, "the earlier hand-in passed the check, this one does not"


def test_points_are_recomputed_from_the_store_equal_to_the_real_run(students):
    grading = students.lab.root / "grading.yml"
    replace_in(grading, f"{DOUBLE}: 2", f"{DOUBLE}: 4")
    lab = Lab(students.lab.root)
    dry = recomputed(lab).regraded
    assert [(item.after.student, item.difference, item.after.points) for item in dry] == [("ada", 2, 9), ("bob", 0, 9)]
    assert dry[0].reasons() == (f"{DOUBLE}: 2 → 4 points",)
    assert counts(dry) == (1, 0, 1)
    real = regrade(students)
    assert real.judged == []
    assert [(graded.before, graded.report) for graded in real.graded] == [(item.before, item.after) for item in dry]
    change_the_test(students)
    found = recomputed(Lab(students.lab.root))
    assert (found.regraded, found.outdated) == ([], {STAGE: 2})


def test_an_override_survives_every_regrade_and_ends_when_it_is_removed(students):
    grading = students.lab.root / "grading.yml"
    override = f"policies:\n  overrides: {{bob: {{{STAGE}: {{{DOUBLE}: {{points: 1, reason: agreed on paper}}}}}}}}\n"
    replace_in(grading, "policies:\n", override)
    (_, bob) = recomputed(Lab(students.lab.root)).regraded
    assert (bob.difference, bob.reasons()) == (1, (f"{DOUBLE}: override, 1 of 2: agreed on paper",))
    assert stored(students)["bob"] == 6, "pages and exports show it at once"
    assert regrade(students).report("bob").final == 6
    change_the_test(students)
    assert regrade(students).report("bob").final == 7, "the check passes now, and the decision stands"
    replace_in(grading, override, "policies:\n")
    assert regrade(students).report("bob").final == 8
    assert regrade(students).report("bob").checks[0].outcome is Outcome.PASSED
