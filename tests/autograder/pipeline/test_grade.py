"""The pipeline: judging, stored results, stand-ins, and failures that never become a score."""

import sys
from pathlib import Path

import pytest
from pipeline import SECOND, SECOND_MODULE, Class, InProcessJudges, ScriptedJudges, build_two_stages, write_files
from tiny_lab import LOOP, MODULE, STAGE, build_tiny_lab, replace_in, solution

from autograder.base.results import IsolationLevel, Outcome, ReportState, decode_results, encode_results
from autograder.course.lab import Lab, LabError
from autograder.intake import Owed, take_in
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.pool import JudgeError
from autograder.pipeline.grade import Grader, Reuse, stage_files
from autograder.pipeline.stored_reports import result_store

GOOD, WRONG, CRASH = "good = 1\n", "wrong = 1\n", "crash = 1\n"
ALL_AGAIN = Reuse(nothing=True)
ONLY_CHANGED = Reuse(unchanged_submissions=True)


@pytest.fixture
def students(tmp_path: Path) -> Class:
    """A class of the tiny lab."""
    return Class(build_tiny_lab(tmp_path / "lab"), tmp_path / "class")


@pytest.fixture
def two_stages(tmp_path: Path) -> Class:
    """A class whose second stage builds on the first."""
    return Class(build_two_stages(tmp_path / "lab"), tmp_path / "class")


# ---- stored results


def test_unchanged_submissions_are_not_judged_again(students):
    students.hands_in("ada", GOOD)
    students.hands_in("bob", WRONG)
    first = students.grade()
    again = students.grade()
    assert first.judged == [(STAGE, GOOD), (STAGE, WRONG)]
    assert first.cached == []
    assert again.judged == []
    assert again.cached == ["ada", "bob"]
    assert [graded.report for graded in again.graded] == [graded.report for graded in first.graded]


def test_only_a_changed_submission_is_judged_again(students):
    students.hands_in("ada", GOOD)
    students.hands_in("bob", GOOD)
    students.grade()
    students.hands_in("bob", WRONG)
    again = students.grade()
    assert again.judged == [(STAGE, WRONG)]
    assert again.scores == {("ada", STAGE): 7, ("bob", STAGE): 0}


def test_line_ends_and_a_byte_order_mark_do_not_count_as_a_change(students):
    path = students.hands_in("ada", GOOD)
    students.grade()
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert students.grade().judged == []


CHANGES_OF_THE_COURSE = {
    "hidden tests": (f"tests/hidden/{STAGE}/test_tiny.py", "x + x", "2 * x"),
    "the reference": (f"solutions/{STAGE}/tiny.py", "return 2 * x", "return x * 2"),
    "an alternative": (f"solutions/{STAGE}/alternatives/loop.py", "x + x", "2 * x"),
    "the mistakes": (f"solutions/{STAGE}/mistakes.py", "2 is added", "two is added"),
    "the limits": ("grading.yml", "call_cpu_seconds: 2.0", "call_cpu_seconds: 3.0"),
    "the data": ("data/pairs/pairs.csv", "1,2", "1,3"),
    "a given file": (f"solutions/{STAGE}/given/weights.txt", "1 2", "1 3"),
}


@pytest.mark.parametrize("change", CHANGES_OF_THE_COURSE)
def test_a_change_of_the_course_judges_all_again_unless_unchanged_submissions_are_reused(students, change):
    students.hands_in("ada", GOOD)
    students.hands_in("bob", GOOD)
    given = students.lab.stage(STAGE).given
    given.mkdir(exist_ok=True)
    (given / "weights.txt").write_text("1 2", encoding="utf-8")
    students.grade()
    file, old, new = CHANGES_OF_THE_COURSE[change]
    replace_in(students.lab.root / file, old, new)
    students.hands_in("bob", WRONG)
    assert students.grade(ONLY_CHANGED).judged == [(STAGE, WRONG)]
    assert students.grade().judged == [(STAGE, GOOD)], "bob's submission was judged after the change already"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("due: 2026-03-01T12:00:00+00:00", "due: 2026-04-01T12:00:00+00:00"),
        ("per_day: 0.1", "per_day: 0.2"),
        ("test_double_multiplies_by_two: 2", "test_double_multiplies_by_two: 3"),
        ("title: Twice and together", "title: Twice"),
        ("title: Why a sum needs an axis", "title: Why axes"),
    ],
)
def test_changes_that_do_not_affect_scores_judge_nothing_again(students, old, new):
    students.hands_in("ada", GOOD)
    students.grade()
    replace_in(students.lab.root / "grading.yml", old, new)
    assert students.grade().judged == []


def test_everything_is_judged_again_on_request(students):
    students.hands_in("ada", GOOD)
    students.grade()
    assert students.grade(ALL_AGAIN).judged == [(STAGE, GOOD)]


def test_an_interrupted_run_resumes(students):
    for number in range(6):
        students.hands_in(f"s{number}", GOOD)
    judges = ScriptedJudges(students.lab)
    submissions = take_in([students.folder], stage_files(students.lab))

    def break_off(graded):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Grader(students.lab, judges).grade_all(submissions, workers=1, on_done=break_off)
    rest = students.grade()
    assert judges.jobs
    assert len(judges.jobs) + len(rest.jobs) == 6
    assert set(rest.scores.values()) == {7}


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format_version": 99}', b"\xff"])
def test_a_damaged_result_is_judged_again(students, damage):
    students.hands_in("ada", GOOD)
    students.grade()
    (students.lab.build / "results" / STAGE / "ada.json").write_bytes(damage)
    assert students.grade().scores == {("ada", STAGE): 7}
    assert students.grade().judged == []


def test_a_result_without_isolation_is_not_reused_by_an_isolated_run(students):
    students.hands_in("ada", GOOD)
    students.grade(judges=ScriptedJudges(students.lab, IsolationLevel.NONE))
    assert students.grade(judges=ScriptedJudges(students.lab, IsolationLevel.NONE)).judged == []
    isolated = students.grade(judges=ScriptedJudges(students.lab, IsolationLevel.KERNEL))
    assert isolated.judged == [(STAGE, GOOD)]
    assert isolated.report("ada").isolation is IsolationLevel.KERNEL
    assert students.grade(judges=ScriptedJudges(students.lab, IsolationLevel.NONE)).judged == []


# ---- refused submissions


def test_a_refused_file_is_blocked_with_its_message_and_the_class_goes_on(students):
    students.hands_in("ada", GOOD).write_bytes("x = 1\n".encode("utf-16"))
    students.hands_in("bob", GOOD)
    (students.folder / "cy").mkdir()
    run = students.grade()
    assert run.judged == [(STAGE, GOOD)]
    assert run.scores == {("ada", STAGE): 0, ("bob", STAGE): 7, ("cy", STAGE): 0}
    for check in run.report("ada").checks:
        assert check.outcome is Outcome.BLOCKED
        assert check.what.startswith("1_tiny/tiny.py is saved as UTF-16; save it as UTF-8")
        assert check.where == "1_tiny/tiny.py"
    assert {check.outcome for check in run.report("cy").checks} == {Outcome.NOT_ATTEMPTED}
    assert run.report("ada").graded, "a refused file is a result: no points"


def test_a_different_refusal_is_a_different_result(students):
    path = students.hands_in("ada", GOOD)
    path.write_bytes("x = 1\n".encode("utf-16"))
    students.grade()
    path.write_text("#" * 6000)
    assert "6000 characters in line 1" in students.grade().report("ada").checks[0].what


def test_a_missing_file_does_not_replace_an_earlier_submission(students):
    path = students.hands_in("ada", GOOD)
    students.hands_in("bob", GOOD)
    students.grade()
    path.unlink()
    for reuse in (Reuse(), ALL_AGAIN):
        run = students.grade(reuse)
        assert run.report("ada").score == 7
        assert "ada" in run.cached
        assert run.report("ada").notes == ("missing from this submission: the earlier result stands",)


def test_a_stage_never_handed_in_follows_changes_of_the_course(students):
    students.hands_in("bob", GOOD)
    (students.folder / "ada").mkdir()
    students.grade()
    replace_in(
        students.lab.root / "grading.yml", "test_double_multiplies_by_two: 2", "test_double_multiplies_by_two: 3"
    )
    report = students.grade().report("ada")
    assert (report.score, report.points, report.notes) == (0, 8, ())


def test_a_refused_file_replaces_an_earlier_submission(students):
    path = students.hands_in("ada", GOOD)
    students.grade()
    path.write_bytes(b"\xff")
    assert students.grade().scores == {("ada", STAGE): 0}


def test_notes_belong_to_the_current_submission(students):
    students.hands_in("ada", GOOD)
    assert students.grade().report("ada").notes == ()
    write_files(students.folder, {"ada/.git/HEAD": "0" * 40})
    run = students.grade()
    assert run.cached == ["ada"]
    assert run.report("ada").notes == ("at commit " + "0" * 40,)


# ---- attempts


def test_the_last_of_the_allowed_attempts_stands(students):
    replace_in(students.lab.root / "grading.yml", "policies:\n", "policies:\n  attempts: 2\n")
    students.hands_in("ada", WRONG)
    students.grade()
    path = students.hands_in("ada", GOOD)
    path.write_bytes(b"\xff")  # refused, so it does not count as an attempt
    students.grade()
    students.hands_in("ada", GOOD)
    assert students.grade().scores == {("ada", STAGE): 7}
    students.hands_in("ada", WRONG + "# third\n")
    third = students.grade()
    assert third.judged == []
    assert third.scores == {("ada", STAGE): 7}
    assert third.report("ada").notes == ("all 2 attempts were used: the earlier result stands",)
    assert third.graded[0].judged_source is None, "the report's lines are not those of this source"
    students.hands_in("ada", WRONG)
    again = students.grade()
    assert again.scores == {("ada", STAGE): 0}, "an attempt that counted may be handed in again"
    assert again.graded[0].judged_source == WRONG


def test_the_best_attempt_counts_by_the_policy_and_every_attempt_is_judged_once(students):
    replace_in(students.lab.root / "grading.yml", "policies:\n", "policies:\n  attempts: 3\n  counts: best\n")
    students.hands_in("ada", GOOD)
    assert students.grade().report("ada").attempts == 1
    students.hands_in("ada", WRONG)
    second = students.grade()
    assert second.judged == [(STAGE, WRONG)]
    report = second.report("ada")
    assert (report.score, report.attempts, report.attempts_allowed) == (7, 2, 3)
    assert report.notes == ("an earlier attempt earned 8 points, this one 0: the earlier one counts",)
    assert second.graded[0].judged_source is None
    again = students.grade()
    assert (again.judged, again.report("ada").score, again.report("ada").attempts) == ([], 7, 2)
    students.hands_in("ada", f"{GOOD}# better\n")
    third = students.grade().report("ada")
    assert (third.score, third.attempts, third.notes) == (7, 3, ())


def test_a_module_that_cannot_be_loaded_costs_no_attempt(students):
    replace_in(students.lab.root / "grading.yml", "policies:\n", "policies:\n  attempts: 1\n")
    students.hands_in("ada", "def double(x:\n")
    broken = students.grade(judges=InProcessJudges(students.lab)).report("ada")
    assert (broken.final, broken.attempts) == (0, 0)
    students.hands_in("ada", GOOD)
    fixed = students.grade().report("ada")
    assert (fixed.score, fixed.attempts) == (7, 1)


# ---- when the judge fails


def test_a_failing_judge_gives_no_score_and_stores_nothing(students):
    students.hands_in("ada", CRASH)
    students.hands_in("bob", GOOD)
    run = students.grade()
    report = run.report("ada")
    assert not report.graded
    assert {check.outcome for check in report.checks} == {Outcome.GRADER_ERROR}
    assert {check.what for check in report.checks} == {"the grader failed, not your code; no points were deducted"}
    assert report.notes == (r"the judge failed: Traceback\n  …\nMemoryError: \x1b[2J",)
    assert run.report("bob").score == 7
    assert result_store(students.lab).get("ada", STAGE) is None
    assert students.grade().judged == [(STAGE, CRASH)], "the next run tries again"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python accepts the syntax")
def test_code_for_a_newer_python_waits_for_a_person_and_costs_nobody_else_a_point(students):
    right = solution(double="return 2 * x", total="return x.sum(axis)", halve="return x / 2")
    students.hands_in("ada", right)
    students.hands_in("bob", f"{right}\ntry: ...\nexcept KeyError, ValueError: ...\n")
    students.hands_in("cy", f"{right}\ntry: ...\nexcept KeyError, ValueError:\n")
    run = students.grade(judges=InProcessJudges(students.lab))
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    ada, bob, cy = (run.report(student) for student in ("ada", "bob", "cy"))
    assert (ada.state, ada.score, ada.python) == (ReportState.GRADED, ada.points, here)
    assert (bob.state, bob.final, bob.graded) == (ReportState.NOT_GRADED, None, False)
    assert bob.not_graded == f"{MODULE}.py: it needs Python 3.14 or newer, grading runs on {here}"
    assert (cy.state, cy.final) == (ReportState.GRADED, 0)
    _, stored = decode_results(encode_results([ada, bob], IsolationLevel.NONE))
    assert [(report.python, report.state) for report in stored] == [(here, ada.state), (here, bob.state)]


def test_a_failing_judge_leaves_the_earlier_result_in_the_store(students):
    students.hands_in("ada", GOOD)
    students.grade()
    students.hands_in("ada", CRASH)
    assert not students.grade().report("ada").graded
    stored = result_store(students.lab).get("ada", STAGE)
    assert stored is not None
    assert stored.report.score == 7


def test_judges_that_cannot_start_end_the_run(students):
    class NoJudges:
        level = IsolationLevel.NONE

        def stop(self) -> None:
            pass

        def judge(self, job: Job) -> Judged | Broken:
            raise JudgeError("no judge could start")

    for student in ("ada", "bob", "cy"):
        students.hands_in(student, GOOD)
    submissions = take_in([students.folder], stage_files(students.lab))
    with pytest.raises(JudgeError, match="no judge could start"):
        Grader(students.lab, NoJudges()).grade_all(submissions, workers=2)


# ---- stages that build on others


def hand_in_both(two_stages: Class, student: str, first: str, second: str = GOOD) -> None:
    two_stages.hands_in(student, first)
    two_stages.hands_in(student, second, SECOND, SECOND_MODULE)


def first_module_of_second_stage(run) -> str:
    (job,) = (job for job in run.jobs if job.stage == SECOND)
    return job.modules["tiny"]


def test_a_later_stage_runs_on_the_students_own_module_if_it_passed(two_stages):
    hand_in_both(two_stages, "ada", GOOD)
    run = two_stages.grade()
    assert first_module_of_second_stage(run) == GOOD
    assert run.report("ada", SECOND).stand_ins == ()


@pytest.mark.parametrize("first", [WRONG, CRASH, None])
def test_the_courses_module_stands_in_if_the_students_did_not_pass(two_stages, first):
    hand_in_both(two_stages, "ada", first or GOOD)
    if first is None:
        (two_stages.folder / "ada" / STAGE / "tiny.py").unlink()
    run = two_stages.grade()
    assert "as a stand-in" in first_module_of_second_stage(run)
    assert run.report("ada", SECOND).stand_ins == ("tiny",)
    assert run.report("ada", SECOND).score == 2


def test_passing_the_first_stage_later_judges_the_second_again_on_it(two_stages):
    hand_in_both(two_stages, "ada", WRONG)
    two_stages.grade()
    two_stages.hands_in("ada", GOOD)
    run = two_stages.grade()
    assert run.judged == [(STAGE, GOOD), (SECOND, GOOD)]
    assert first_module_of_second_stage(run) == GOOD


def test_a_pass_from_the_store_counts(two_stages):
    two_stages.hands_in("ada", GOOD)
    two_stages.grade()
    two_stages.hands_in("ada", GOOD, SECOND, SECOND_MODULE)
    run = two_stages.grade()
    assert run.judged == [(SECOND, GOOD)]
    assert first_module_of_second_stage(run) == GOOD


def test_a_passed_stage_whose_file_is_gone_gives_no_module(two_stages):
    hand_in_both(two_stages, "ada", GOOD)
    two_stages.grade()
    (two_stages.folder / "ada" / STAGE / "tiny.py").unlink()
    run = two_stages.grade()
    assert run.report("ada").score == 7
    assert run.report("ada", SECOND).stand_ins == ("tiny",)


def test_a_pass_of_an_earlier_attempt_does_not_count_for_this_attempt(two_stages):
    replace_in(two_stages.lab.root / "grading.yml", "policies:\n", "policies:\n  attempts: 1\n")
    hand_in_both(two_stages, "ada", GOOD)
    two_stages.grade()
    hand_in_both(two_stages, "ada", WRONG)
    run = two_stages.grade()
    assert run.report("ada").score == 7
    assert run.judged == [(SECOND, GOOD)]
    assert "as a stand-in" in first_module_of_second_stage(run)


def test_grading_only_the_second_stage_gives_the_same_result_as_grading_both(two_stages, tmp_path):
    hand_in_both(two_stages, "ada", GOOD)
    hand_in_both(two_stages, "bob", WRONG)
    two_stages.hands_in("cy", GOOD, SECOND, SECOND_MODULE)
    requested = two_stages.grade(stages=[SECOND])
    assert ("cy", STAGE) not in requested.scores, "the stage was not requested, and cy does not have it"
    both = two_stages.grade()
    assert both.jobs == []
    for student in ("ada", "bob", "cy"):
        assert requested.report(student, SECOND) == both.report(student, SECOND)


def test_a_refused_submission_has_no_stand_ins(two_stages):
    two_stages.hands_in("ada", WRONG)
    two_stages.hands_in("ada", GOOD, SECOND, SECOND_MODULE).write_bytes(b"\xff")
    assert two_stages.grade().report("ada", SECOND).stand_ins == ()


def test_a_missing_stand_in_is_an_error(two_stages):
    (two_stages.lab.root / "solutions" / STAGE / "alternatives" / "pytorch.py").unlink()
    hand_in_both(two_stages, "ada", WRONG)
    with pytest.raises(LabError, match=r"pytorch\.py is missing: it stands in for parts"):
        two_stages.grade()


def test_owed_stages_follow_from_the_requested_stages(two_stages):
    def owed(*requested: str) -> dict[str, Owed]:
        return {stage.stage: stage.owed for stage in stage_files(two_stages.lab, requested)}

    assert owed() == {STAGE: Owed.ONCE_BEGUN, SECOND: Owed.ONCE_BEGUN}
    assert owed(STAGE) == {STAGE: Owed.ALWAYS, SECOND: Owed.NEVER}
    assert owed(SECOND) == {STAGE: Owed.IF_HANDED_IN, SECOND: Owed.ALWAYS}
    assert owed(SECOND, STAGE) == {STAGE: Owed.ALWAYS, SECOND: Owed.ALWAYS}
    with pytest.raises(LabError, match="no stage named `3_none`"):
        owed("3_none")


# ---- forbidden calls


def test_forbidden_calls_and_what_could_hide_one_are_noted_also_from_the_store(students):
    replace_in(
        students.lab.root / "grading.yml",
        "      double:\n",
        "      double:\n        forbid: [torch.softmax]\n",
    )
    refused = solution(double="return x / x.softmax(0).sum() * 2", total="return eval('x.sum(axis)')")
    students.hands_in("ada", refused)
    students.hands_in("bob", LOOP)
    notes = (
        "tiny.py, line 5, double: calls torch.softmax, which double must not",
        "tiny.py, line 9: eval could hide a forbidden call",
    )
    for _ in range(2):
        run = students.grade(judges=InProcessJudges(Lab(students.lab.root)))
        assert run.scores == {("ada", STAGE): 4, ("bob", STAGE): 7}
        assert run.report("ada").notes == notes
        assert run.report("bob").notes == ()
    assert run.cached == ["ada", "bob"]


# ---- the whole class


def test_results_come_student_by_student_and_each_is_reported_once(two_stages):
    for student in ("zoe", "ada", "bob"):
        hand_in_both(two_stages, student, GOOD)
    reported = []
    submissions = take_in([two_stages.folder], stage_files(two_stages.lab))
    grader = Grader(two_stages.lab, ScriptedJudges(two_stages.lab))
    graded = grader.grade_all(submissions, workers=3, on_done=reported.append)
    assert [result.submission for result in graded] == submissions
    assert sorted(map(id, reported)) == sorted(map(id, graded))


def test_a_students_stages_need_not_stand_together(two_stages):
    hand_in_both(two_stages, "ada", GOOD)
    hand_in_both(two_stages, "bob", GOOD)
    submissions = take_in([two_stages.folder], stage_files(two_stages.lab))
    mixed = sorted(submissions, key=lambda submission: submission.stage)
    graded = Grader(two_stages.lab, ScriptedJudges(two_stages.lab)).grade_all(mixed, workers=2)
    assert {result.report.stand_ins for result in graded} == {()}


def test_a_class_is_graded_end_to_end_with_the_real_hidden_tests(two_stages):
    """A right and an unfinished submission, a named mistake, a syntax error, a refused file and an empty folder."""
    reference = (two_stages.lab.root / "solutions" / STAGE / "tiny.py").read_text(encoding="utf-8")
    quadruple = "import tiny\n\ndef quadruple(x):\n    return tiny.double(tiny.double(x))\n"
    hand_in_both(two_stages, "ada", reference, quadruple)
    hand_in_both(two_stages, "bob", solution(double="return x + 2", total="return x.sum(axis)"), quadruple)
    hand_in_both(two_stages, "cy", LOOP, "def quadruple(x:\n")
    two_stages.hands_in("dan", LOOP).write_bytes(LOOP.encode("utf-32"))
    (two_stages.folder / "eve").mkdir()
    run = two_stages.grade(judges=InProcessJudges(two_stages.lab))
    assert run.scores == {
        ("ada", STAGE): 7,
        ("ada", SECOND): 2,
        ("bob", STAGE): 4,
        ("bob", SECOND): 2,
        ("cy", STAGE): 7,
        ("cy", SECOND): 0,
        ("dan", STAGE): 0,
        ("dan", SECOND): 0,
        ("eve", STAGE): 0,
        ("eve", SECOND): 0,
    }
    assert run.report("ada").bonus == 1
    assert run.report("bob").checks[0].mistake == "double_adds_two"
    assert run.report("bob", SECOND).stand_ins == ("tiny",), "bob's wrong double costs nothing in the second stage"
    assert run.report("cy", SECOND).checks[0].where == "more.py, line 1"
    reports = [graded.report for graded in run.graded]
    _, read_back = decode_results(encode_results(reports, IsolationLevel.NONE))
    assert read_back == reports
    again = two_stages.grade(judges=InProcessJudges(two_stages.lab))
    assert [graded.report for graded in again.graded] == reports
    assert all(graded.cached for graded in again.graded)


WITH_HELPER = "def four_times(x):\n    return double(double(x))\n"
USES_HELPER = "from tiny import four_times\n\ndef quadruple(x):\n    return four_times(x)\n"


@pytest.mark.parametrize(
    ("first", "points"),
    [
        (solution(double="return x + 2") + WITH_HELPER, 2),
        (solution(double="return x + 2") + WITH_HELPER.replace("double(double(x))", "3 * x"), 0),
        (solution(double="return x + 2") + WITH_HELPER + "raise ValueError\n", 0),
        (solution(double="return x + 2"), 0),
        (WITH_HELPER + "def double(x:\n", 0),
    ],
    ids=["right", "wrong", "does not load", "missing", "no Python"],
)
def test_a_helper_in_an_earlier_module_is_the_students_own_where_the_exercises_are_the_courses(
    two_stages, first, points
):
    hand_in_both(two_stages, "ada", first, USES_HELPER)
    report = two_stages.grade(judges=InProcessJudges(two_stages.lab)).report("ada", SECOND)
    assert (report.score, report.stand_ins) == (points, ("tiny",))


def test_a_changed_helper_is_judged_again(two_stages):
    hand_in_both(two_stages, "ada", WRONG + WITH_HELPER)
    two_stages.grade()
    two_stages.hands_in("ada", WRONG + WITH_HELPER.replace("four", "five"))
    assert (SECOND, GOOD) in two_stages.grade().judged


def test_every_submission_is_judged_on_the_same_examples(students):
    """A comment or another solution does not draw again; the second stage has examples of its own."""
    students.hands_in("ada", GOOD)
    students.hands_in("bob", f"{GOOD}# a comment\n")
    students.hands_in("cy", WRONG)
    assert len({job.seed for job in students.grade().jobs}) == 1
