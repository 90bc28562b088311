"""Reports without a number: stages that were not begun, and submissions that wait for a person; and lateness."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pipeline import SECOND, SECOND_MODULE, Class, ScriptedJudges, build_two_stages
from released_files import ANSWER, answered_sheet, released_stub
from tiny_lab import MODULE, STAGE, build_tiny_lab, replace_in

from autograder.base.results import Outcome, ReportState, StageReport
from autograder.course.lab import Lab
from autograder.feedback.words import remarks
from autograder.intake import KnownTimes, take_in
from autograder.pipeline.grade import Grader, stage_files
from autograder.pipeline.stored_reports import stored_reports

GOOD, WRONG = "good = 1\n", "wrong = 1\n"
DUE = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def students(tmp_path: Path) -> Class:
    return Class(build_tiny_lab(tmp_path / "lab"), tmp_path / "class")


# ---- not begun


def test_an_untouched_stub_is_not_judged_and_has_no_number(students):
    students.hands_in("ada", GOOD)
    students.hands_in("bob", released_stub(students.lab) + "# later\n")
    (students.folder / "cy").mkdir()
    run = students.grade()
    assert run.judged == [(STAGE, GOOD)]
    for student in ("bob", "cy"):
        report = run.report(student)
        assert (report.state, report.graded, report.final) == (ReportState.NOT_BEGUN, False, None)
        assert report.isolation is None, "no code ran"
    assert run.report("bob").checks[0].what == "not begun: 1_tiny/tiny.py is still as it was released"
    assert [report.state for report in stored_reports(students.lab)] == ["graded", "not begun", "not begun"]


def test_a_stage_asked_for_by_name_counts_zero_if_it_was_not_begun(students):
    students.hands_in("ada", GOOD)
    students.hands_in("bob", released_stub(students.lab))
    (students.folder / "cy").mkdir()
    asked = students.grade(stages=[STAGE])
    assert [(asked.report(name).state, asked.report(name).final) for name in ("ada", "bob", "cy")] == [
        ("graded", 8),
        ("not begun", 0),
        ("not begun", 0),
    ]
    assert [students.grade().report(name).final for name in ("bob", "cy")] == [None, None]


def test_a_stub_does_not_replace_work_that_was_graded_before(students):
    students.hands_in("ada", GOOD)
    students.grade()
    students.hands_in("ada", released_stub(students.lab))
    run = students.grade(stages=[STAGE])
    assert (run.report("ada").final, run.report("ada").state) == (8, ReportState.GRADED)
    assert run.report("ada").notes == ("missing from this submission: the earlier result stands",)


def test_a_stub_with_an_answered_sheet_or_an_attachment_is_begun(students):
    path = students.hands_in("ada", released_stub(students.lab))
    path.with_suffix(".ipynb").write_bytes(answered_sheet(students.lab, ANSWER))
    students.hands_in("bob", released_stub(students.lab)).with_suffix(".ipynb").write_bytes(
        answered_sheet(students.lab, None)
    )
    run = students.grade()
    assert [run.report(name).state for name in ("ada", "bob")] == ["graded", "not begun"]


# ---- not graded


def unreadable_archive(students: Class) -> None:
    (students.folder / "ada.7z").write_bytes(b"7z")


def a_wrong_name(students: Class) -> None:
    students.hands_in("ada", GOOD, module="tiny_final")


def two_copies(students: Class) -> None:
    students.hands_in("ada", GOOD, stage="one")
    students.hands_in("ada", WRONG, stage="two")


def a_link_for_a_folder(students: Class) -> None:
    (students.folder / "ada").mkdir()
    (students.folder / "ada" / STAGE).symlink_to(students.folder / "bob" / STAGE)


@pytest.mark.parametrize(
    ("hand_in", "says"),
    [
        (unreadable_archive, "ada.7z is not a supported archive; hand in a .zip or .tar.gz"),
        (
            a_wrong_name,
            "1_tiny/tiny.py was not handed in; if 1_tiny/tiny_final.py is your solution, rename it to tiny.py",
        ),
        (two_copies, "tiny.py was handed in 2 times, as one/tiny.py and two/tiny.py; keep only the file to be graded"),
        (a_link_for_a_folder, "1_tiny is a link; hand in the folder itself"),
    ],
)
@pytest.mark.parametrize("stages", [(), (STAGE,)])
def test_what_nobody_could_look_at_waits_for_a_person(students, hand_in, says, stages):
    students.hands_in("bob", GOOD)
    hand_in(students)
    run = students.grade(stages=stages)
    report = run.report("ada")
    assert (report.state, report.graded, report.not_graded) == (ReportState.NOT_GRADED, False, says)
    assert {check.outcome for check in report.checks} == {Outcome.NOT_GRADED}
    assert report.isolation is None
    assert run.report("bob").final == 8
    assert [each.not_graded for each in stored_reports(students.lab)] == [says, ""]


def test_a_report_waits_until_the_file_is_fixed_and_the_earlier_result_stays_stored(students):
    path = students.hands_in("ada", WRONG)
    students.grade()
    path.rename(path.with_name("tiny_old.py"))
    assert students.grade().report("ada").state is ReportState.NOT_GRADED
    assert stored_reports(students.lab)[0].state is ReportState.NOT_GRADED
    students.hands_in("ada", GOOD)
    assert students.grade().report("ada").final == 8
    assert [report.final for report in stored_reports(students.lab)] == [8]


def test_a_grader_error_is_shown_from_the_store_until_the_next_run(students):
    students.hands_in("ada", "crash = 1\n")
    assert students.grade().report("ada").grader_failed
    (stored,) = stored_reports(students.lab)
    assert stored.not_graded == "the grader failed, not the student; run `autograder doctor`, then grade again"


# ---- lateness


def graded_at(students: Class, **times: datetime):
    lab = Lab(students.lab.root)
    known = KnownTimes({(student, ""): moment for student, moment in times.items()})
    submissions = take_in([students.folder], stage_files(lab), known)
    graded = Grader(lab, ScriptedJudges(lab)).grade_all(submissions, workers=1)
    return {item.report.student: item.report for item in graded}


def test_days_late_are_counted_with_extensions_and_an_unknown_time_costs_nothing(students):
    replace_in(students.lab.root / "grading.yml", "stages:\n  1", "  extensions: {bob: {1_tiny: 3}}\nstages:\n  1")
    for student in ("ada", "bob", "cy", "dan"):
        students.hands_in(student, GOOD)
    reports = graded_at(students, ada=DUE + 3 * DAY, bob=DUE + 3 * DAY, cy=DUE)
    facts = {name: (report.days_late, report.points_lost, report.final) for name, report in reports.items()}
    assert facts == {"ada": (3, 2, 6), "bob": (0, 0, 8), "cy": (0, 0, 8), "dan": (None, 0, 8)}
    assert reports["ada"].time_source == "--times"
    assert [report.final for report in stored_reports(students.lab)] == [6, 8, 8, 8]


def test_a_new_time_or_policy_changes_the_penalty_without_judging_again(students):
    students.hands_in("ada", GOOD)
    assert graded_at(students)["ada"].days_late is None
    assert graded_at(students, ada=DUE + DAY)["ada"].final == 8, "10 % of 8 points is not a whole point"
    assert stored_reports(students.lab)[0].days_late == 1
    replace_in(students.lab.root / "grading.yml", "per_day: 0.1", "per_day: 0.5")
    assert stored_reports(Lab(students.lab.root))[0].final == 4
    assert students.grade().judged == []


def test_bonus_points_that_do_not_count_lose_nothing(students):
    replace_in(students.lab.root / "grading.yml", "policies:\n", "policies:\n  count_bonus: false\n")
    replace_in(students.lab.root / "grading.yml", "per_day: 0.1", "per_day: 0.14")
    students.hands_in("ada", GOOD)
    report = graded_at(students, ada=DUE + DAY)["ada"]
    assert (report.score, report.bonus, report.points_lost) == (7, 1, 0), "14 % of 7 points, not of 8"
    assert report.final == 7


def test_the_time_of_an_earlier_result_that_stands_is_its_own(students):
    path = students.hands_in("ada", GOOD)
    graded_at(students, ada=DUE + 3 * DAY)
    path.unlink()
    assert graded_at(students, ada=DUE + 6 * DAY)["ada"].days_late == 3
    assert MODULE == path.stem


def test_free_late_days_are_spent_in_the_order_of_the_stages_in_every_output(tmp_path):
    lab = build_two_stages(tmp_path / "lab")
    replace_in(lab.root / "grading.yml", "{per_day: 0.1,", "{per_day: 0.5, free_days: 3,")
    replace_in(lab.root / "grading.yml", "    module: more\n", "    module: more\n    due: 2026-03-01T12:00:00+00:00\n")
    students = Class(Lab(lab.root), tmp_path / "class")
    students.hands_in("ada", GOOD)
    students.hands_in("ada", GOOD, SECOND, SECOND_MODULE)

    def grade(*stages: str, late_by: timedelta = 2 * DAY) -> list[StageReport]:
        times = KnownTimes({("ada", stage): DUE + late_by for stage in (STAGE, SECOND)})
        submissions = take_in([students.folder], stage_files(students.lab, stages), times)
        graded = Grader(students.lab, ScriptedJudges(students.lab)).grade_all(submissions, workers=1)
        return [result.report for result in graded if not stages or result.submission.stage in stages]

    first, second = grade()
    assert [(report.days_late, report.free_days, report.points_lost) for report in (first, second)] == [
        (2, 2, 0),
        (2, 1, 1),
    ]
    assert "2 days late, 1 free late day used: 1 point deducted" in " ".join(remarks(second))
    assert stored_reports(students.lab) == [first, second]
    assert grade(SECOND)[-1].points_lost == 1, "the days of a stage that is not graded in this run count too"
    first, second = grade(late_by=5 * DAY)
    assert (first.free_days, first.points_lost, second.free_days, second.points_lost) == (3, 8, 0, 2)
