"""Reports on the terminal: complete, within the width, with and without colour, safe in a build log."""

import io
import re

import msgspec
import pytest
from hostile_text import ATTACKS, hostile_text
from hypothesis import given, settings
from rich.cells import cell_len
from rich.console import Console
from sample_reports import (
    ATTENTION,
    CONFIG,
    EXERCISE_TITLES,
    KERNELS,
    LOCATIONS,
    SECRETS,
    WRONG,
    all_alike,
    make_report,
    report_with_secrets,
    sample_class,
    unreadable,
)

from autograder.base.results import IsolationLevel, Outcome, StageReport
from autograder.feedback.class_report_terminal import print_class_report
from autograder.feedback.class_statistics import class_statistics
from autograder.feedback.class_terminal import print_class_table
from autograder.feedback.markdown import report_markdown
from autograder.feedback.student_page import student_page
from autograder.feedback.terminal import print_report

WIDTHS = (80, 120)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def printed(show, subject, width: int = 80, colour: bool = False, **more) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="truecolor" if colour else None
    )
    show(console, subject, **more)
    return console.file.getvalue()


def lines_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_a_decision_with_its_reason_is_on_every_page_of_the_student():
    report = make_report("ada", ATTENTION, WRONG)
    decided = tuple(
        msgspec.structs.replace(check, given=2, given_because="the rule was unclear") if check.mistake else check
        for check in report.checks
    )
    report = msgspec.structs.replace(report, checks=decided)
    sentence = "your instructor gave 2 of 3 points: the rule was unclear"
    assert sentence in printed(print_report, report)
    assert sentence in report_markdown([report]).replace("\\", "")
    assert sentence in student_page([report], {}, CONFIG, EXERCISE_TITLES)
    assert report.score == make_report("ada", ATTENTION, WRONG).score + 2


def test_attempts_left_are_on_the_page():
    report = msgspec.structs.replace(make_report("ada"), attempts=2, attempts_allowed=3)
    assert "attempts: 2 of 3 used, 1 left" in student_page([report], {}, CONFIG, EXERCISE_TITLES)
    assert "attempts" not in student_page([make_report("ada")], {}, CONFIG, EXERCISE_TITLES)


def test_a_failed_check_reads_like_the_template():
    text = printed(print_report, make_report("ada", ATTENTION, WRONG))
    start = text.index("✗ 2_attention · scores are scaled by the head size")
    assert lines_of(text[start:])[:5] == [
        "✗ 2_attention · scores are scaled by the head size 0 / 3",
        "what your output is what you get when the scores are not divided by",
        "√d_head",
        "where attention.py, line 17, scaled_dot_product_attention",
        "hint how does the spread of qᵀk grow with d?",
    ]
    assert "\n    what   your output" in text
    assert "\n    where  attention.py" in text


def test_points_are_shown_for_stage_exercise_and_check():
    lines = lines_of(printed(print_report, make_report("ada", ATTENTION, WRONG)))
    for line in (
        "ada · 2_attention 2 / 10",
        "softmax 2 / 4",
        "scaled_dot_product_attention 0 / 6",
        "✓ 2_attention · every slice sums to one 2 / 2",
        "blockwise_attention (bonus) 0 / 4",
        "○ 2_attention · blocks of any size give the same output 0 / 4",
    ):
        assert line in lines


def test_remarks_name_stand_ins_and_missing_isolation():
    report = make_report("ada", stand_ins=("kernels",), isolation=IsolationLevel.NONE)
    text = " ".join(lines_of(printed(print_report, report)))
    assert "run on the course's own kernels" in text
    assert "graded without isolation" in text
    assert "!" not in printed(print_report, make_report("ada"))


def test_an_exercise_names_the_exercises_that_the_course_stood_in_for():
    """Once for each exercise, whether its checks passed or not."""
    fields = {"stand_ins": ("softmax",)}
    wrong = {check: fields for check in CONFIG.stages[ATTENTION].exercises["scaled_dot_product_attention"].checks}
    report = make_report("ada", ATTENTION, wrong)
    says = "checked with the course's own `softmax`, so that errors there cost no points here"
    for text in (" ".join(lines_of(printed(print_report, report))), report_markdown([report])):
        assert text.count(says) == 1
    page = student_page([report], {}, CONFIG, EXERCISE_TITLES)
    assert page.count("own <code>softmax</code>, so that errors there cost no points here") == 1


def test_an_ungraded_report_has_no_number():
    report = make_report("eve", ATTENTION, {"test_slices_sum_to_one": {"outcome": Outcome.GRADER_ERROR}})
    lines = lines_of(printed(print_report, report))
    assert lines[0] == "eve · 2_attention not graded"
    assert "! 2_attention · every slice sums to one – / 2" in lines


def test_a_stage_that_was_not_begun_is_two_lines():
    (report,) = (report for report in sample_class() if (report.student, report.stage) == ("dee", ATTENTION))
    assert lines_of(printed(print_report, report)) == ["dee · 2_attention not begun", "! nothing was handed in"]


def test_a_late_report_shows_the_final_points_and_what_was_deducted():
    report = make_report("ada", ATTENTION, days_late=1, points_lost=2)
    assert lines_of(printed(print_report, report))[:2] == [
        "ada · 2_attention 8 / 10 + 4",
        "! 1 day late: 2 points deducted; 14 points were earned",
    ]


def test_a_stage_that_did_not_run_is_explained_once():
    report = all_alike("cy", ATTENTION, Outcome.BLOCKED, "attention.py cannot be loaded", "attention.py, line 3")
    assert printed(print_report, report).count("attention.py cannot be loaded") == 1


def test_what_is_not_for_students_is_not_printed():
    text = printed(print_report, report_with_secrets(), width=200)
    assert [secret for secret in SECRETS if secret in text] == []


@pytest.mark.parametrize("width", [40, *WIDTHS])
@pytest.mark.parametrize("report", sample_class(), ids=lambda report: f"{report.student}-{report.stage}")
def test_a_report_fits_and_colour_changes_no_word(report: StageReport, width: int):
    plain = printed(print_report, report, width)
    assert "\x1b" not in plain
    assert max(map(cell_len, plain.splitlines())) <= width
    coloured = printed(print_report, report, width, colour=True)
    assert "\x1b[" in coloured
    assert ESCAPE.sub("", coloured) == plain


def big_class(stages: int):
    reports = [
        msgspec.structs.replace(report, stage=f"{number}_in_context_learning")
        for number in range(1, stages + 1)
        for report in sample_class()
        if report.stage == ATTENTION
    ]
    late = {"days_late": 12, "points_lost": 0}
    reports = [
        msgspec.structs.replace(report, **late)
        if (report.student, report.stage) == ("bo", "1_in_context_learning")
        else report
        for report in reports
    ]
    return class_statistics(reports, CONFIG)


@pytest.mark.parametrize("show", [print_class_table, print_class_report])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("stages", [1, 2, 12])
def test_a_class_fits_and_nothing_is_cut(show, width: int, stages: int):
    statistics = big_class(stages)
    plain = printed(show, statistics, width)
    assert "\x1b" not in plain
    assert "…" not in plain
    assert max(map(cell_len, plain.splitlines())) <= width
    assert ESCAPE.sub("", printed(show, statistics, width, colour=True)) == plain
    lines = [line.split() for line in plain.splitlines()]
    assert sum(line.count("not") for line in lines if line[:1] == ["eve"]) >= stages
    assert sum(line.count("late") for line in lines if line[:1] == ["bo"]) == 1


def test_the_table_has_points_bonus_and_total():
    lines = lines_of(printed(print_class_table, class_statistics(sample_class(), CONFIG)))
    for line in ("Student / 8 / 10 Total", "ada 8 2 10 / 18", "bo 8 10 +4 22 / 18", "eve 6 not graded 6 / 8"):
        assert line in lines
    assert "dee not begun, 0 not begun 0 / 8" in lines
    assert lines[-1] == "isolation: kernel (7 reports), no code ran (3 reports)"


def test_the_summary_lists_what_waits_for_a_person_and_unknown_times():
    unknown = msgspec.structs.replace(make_report("gus", KERNELS), days_late=None)
    reports = [*sample_class(), unreadable("fay", ATTENTION), unknown]
    lines = printed(print_class_table, class_statistics(reports, CONFIG), 120).splitlines()
    start = lines.index("! 2 not graded: no number until you decide")
    assert lines[start + 1 : start + 5] == [
        "    eve 2_attention: the grader failed, not the student; run `autograder doctor`, then grade again",
        "    fay 2_attention: fay.7z is not a supported archive; hand in a .zip or .tar.gz",
        "! time unknown for 1 hand-in: no penalty; state times with --times",
        "    gus 1_kernels",
    ]
    assert "totals count the stages that a student has begun" in lines
    assert any(line.split() == ["gus", "8", "time", "unknown", "–", "8", "/", "8"] for line in lines)


def test_markup_in_a_name_is_a_part_of_the_name():
    name = "[red]x[/red] :boom:"
    assert name in printed(print_report, make_report(name))
    assert name in printed(print_class_report, class_statistics([make_report(name)], CONFIG))


def test_a_missing_report_is_a_dash_and_late_days_are_shown():
    reports = [make_report("ada", KERNELS), make_report("bo", ATTENTION, days_late=2, points_lost=2)]
    statistics = class_statistics(reports, CONFIG)
    lines = lines_of(printed(print_class_table, statistics))
    assert "ada 8 – 8 / 8" in lines
    assert "bo – 8 +4 2 d late 12 / 10" in lines


def test_grades_without_isolation_are_marked():
    statistics = class_statistics([make_report("ada", isolation=IsolationLevel.NONE)], CONFIG)
    assert "! isolation none" in printed(print_class_table, statistics)


def test_the_class_report_has_all_its_parts():
    text = " ".join(lines_of(printed(print_class_report, class_statistics(sample_class(), CONFIG), 120)))
    for words in (
        "Distribution",
        "1_kernels 4 0 1 5.5 7.0 2 8",
        "2_attention scores are scaled by the head size 33% –",
        "Common mistakes",
        "divided by √d_head 2_attention 3",
        "dee 0% 1_kernels: nothing was handed in",
    ):
        assert words in text


def test_the_class_report_begins_with_the_scores_and_stays_short():
    """The first lines of each table; `everything` prints all."""
    reports = [
        msgspec.structs.replace(report, student=f"{report.student}{n}") for report in sample_class() for n in "12"
    ]
    statistics = class_statistics(reports, CONFIG)
    lines = lines_of(printed(print_class_report, statistics))
    assert lines[1] == "Student / 8 / 10 Total"
    assert "Checks of 2_attention, 6 submissions" not in lines
    many = [
        msgspec.structs.replace(report, student=f"{report.student}{n}") for report in sample_class() for n in range(5)
    ]
    lines = lines_of(printed(print_class_report, class_statistics(many, CONFIG)))
    assert "Students who may need help, 10 of 20" in lines


def test_the_whole_class_report_shows_the_id_and_the_hidden_test_of_each_check():
    statistics = class_statistics(sample_class(), CONFIG, locations=LOCATIONS)
    lines = lines_of(printed(print_class_report, statistics, 120, everything=True))
    assert "Checks of 2_attention, 3 submissions; hidden tests in tests/hidden/2_attention" in lines
    title = lines.index("scores are scaled by the head size 3 33% –")
    assert lines[title + 1] == "test_scores_are_scaled test_attention.py:9"
    without = lines_of(printed(print_class_report, class_statistics(sample_class(), CONFIG), 120, everything=True))
    assert "Checks of 2_attention, 3 submissions" in without
    assert "test_scores_are_scaled" in without


def test_an_empty_class_is_reported_as_empty():
    assert "nothing was graded" in printed(print_class_report, class_statistics([], CONFIG))


def assert_harmless(text: str) -> None:
    assert "\x1b" not in text
    assert "::" not in text
    assert "##[" not in text
    assert max(map(cell_len, text.splitlines())) <= 80


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_reach_neither_the_terminal_nor_the_build(attack):
    texts = dict.fromkeys(("title", "what", "where", "hint", "exercise"), attack)
    report = make_report(attack, ATTENTION, {"test_scores_are_scaled": {"outcome": Outcome.ERROR, **texts}})
    assert_harmless(printed(print_report, report))
    assert_harmless(printed(print_class_report, class_statistics([report], CONFIG)))


@given(hostile_text, hostile_text)
@settings(max_examples=40, deadline=None)
def test_no_text_becomes_a_command(name, words):
    texts = dict.fromkeys(("title", "what", "where", "hint", "exercise"), words)
    report = make_report(name, ATTENTION, {"test_scores_are_scaled": {"outcome": Outcome.ERROR, **texts}})
    assert_harmless(printed(print_report, report))
    assert_harmless(printed(print_class_report, class_statistics([report], CONFIG)))
