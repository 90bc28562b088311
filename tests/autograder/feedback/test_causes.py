"""A report shows one cause once, with the checks that it explains."""

import io

import pytest
from rich.console import Console
from sample_reports import ATTENTION, CONFIG, EXERCISE_TITLES, make_report

from autograder.base.results import Outcome
from autograder.feedback.junit import junit
from autograder.feedback.markdown import report_markdown
from autograder.feedback.student_page import student_page
from autograder.feedback.terminal import print_report
from autograder.feedback.views import stage_view

CRASH = {
    "outcome": Outcome.ERROR,
    "what": "your code raised NameError: `exponential` is not defined",
    "where": "attention.py, line 12, softmax",
    "hint": "the same for all",
}
SHARED = {"test_slices_sum_to_one": CRASH, "test_large_logits_stay_finite": CRASH, "test_scores_are_scaled": CRASH}


def on_the_terminal(report):
    console = Console(file=io.StringIO(), width=100)
    print_report(console, report)
    return console.file.getvalue()


def on_the_page(report):
    return student_page([report], {}, CONFIG, EXERCISE_TITLES)


@pytest.mark.parametrize("render", [on_the_terminal, on_the_page, lambda report: report_markdown([report])])
def test_a_cause_is_shown_once(render):
    text = render(make_report("ada", ATTENTION, SHARED))
    assert text.count("NameError") == 1
    assert text.count("also") == 1
    apart = {name: {**CRASH, "where": f"attention.py, line {line}"} for line, name in enumerate(SHARED, 12)}
    assert render(make_report("ada", ATTENTION, apart)).count("NameError") == 3


def test_the_first_check_lists_the_others_and_each_keeps_its_own_line():
    report = make_report("ada", ATTENTION, SHARED)
    first, second, third = (check for check in stage_view(report).checks if check.outcome is Outcome.ERROR)
    assert dict(first.details)["also"] == f"{second.short_title}; {third.title}"
    assert second.details == third.details == []
    assert [check.line_in("attention.py") for check in (first, second, third)] == [12, 12, 12]
    assert junit([report]).count(b"NameError: `exponential`") >= 3


def test_wrong_results_share_a_cause_only_if_it_is_named():
    wrong = {"outcome": Outcome.FAILED, "what": "wrong values", "where": "attention.py, line 12, softmax", "hint": "h"}
    failed = {name: wrong for name in SHARED}
    assert all(check.details for check in stage_view(make_report("ada", ATTENTION, failed)).checks if check.what)
    named = {name: {**wrong, "mistake": "unscaled"} for name in SHARED}
    assert [bool(check.details) for check in stage_view(make_report("ada", ATTENTION, named)).checks if check.what] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("render", [on_the_terminal, on_the_page, lambda report: report_markdown([report])])
def test_why_points_are_missing_is_said_once(render):
    unpaid = {
        "outcome": Outcome.UNPAID,
        "what": "right, but without points",
        "where": "attention.py, line 3, softmax",
    }
    names = list(SHARED)[:2]
    text = render(make_report("ada", ATTENTION, dict.fromkeys(names, unpaid)))
    assert text.count("right, but without points") == 1
