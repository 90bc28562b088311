"""Reports as JUnit XML: valid for any text, and complete."""

from xml.etree import ElementTree

import pytest
from hostile_text import ATTACKS, hostile_text
from hypothesis import given, settings
from sample_reports import ATTENTION, SECRETS, WRONG, make_report, report_with_secrets, sample_class

from autograder.base.results import Outcome
from autograder.feedback.junit import junit
from autograder.feedback.text import one_line


def test_each_report_is_a_suite_and_each_check_a_case():
    root = ElementTree.fromstring(junit(sample_class()))
    assert root.tag == "testsuites"
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites][:2] == ["ada · 1_kernels", "ada · 2_attention"]
    assert [len(suite.findall("testcase")) for suite in suites] == [4, 5, 4, 5, 4, 5, 1, 1, 4, 5]
    case = suites[1].findall("testcase")[2]
    assert (case.get("classname"), case.get("name")) == (
        "2_attention.scaled_dot_product_attention",
        "scores are scaled by the head size",
    )


def test_counts_agree_with_the_cases():
    for suite in ElementTree.fromstring(junit(sample_class())).findall("testsuite"):
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors")) == len(suite.findall("testcase/error"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))


def test_a_stage_that_was_not_begun_is_skipped_unless_it_counts_zero():
    suites = ElementTree.fromstring(junit(sample_class())).findall("testsuite")
    dee = {suite.get("name"): [child.tag for child in suite.find("testcase")] for suite in suites[6:8]}
    assert dee == {"dee · 1_kernels": ["failure"], "dee · 2_attention": ["skipped"]}


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_passed_check_has_no_problem(outcome):
    """A check that was not attempted is not skipped: services count a skipped test as a success."""
    raw = junit([make_report("ada", ATTENTION, {"test_slices_sum_to_one": {"outcome": outcome}})])
    case = ElementTree.fromstring(raw).find("testsuite/testcase")
    problems = [child.tag for child in case]
    says_no = {Outcome.FAILED, Outcome.UNPAID, Outcome.BLOCKED, Outcome.NOT_ATTEMPTED}
    expected = [] if outcome is Outcome.PASSED else ["failure"] if outcome in says_no else ["error"]
    assert problems == expected


def test_a_problem_says_what_where_and_hint():
    raw = junit([make_report("ada", ATTENTION, WRONG)])
    problem = ElementTree.fromstring(raw).find(".//failure")
    assert problem.get("message") == "the result holds NaN or infinity"
    assert problem.text.split("\n")[1] == "where: attention.py, line 11, softmax"


def test_what_is_not_for_students_is_not_written():
    text = junit([report_with_secrets()]).decode()
    assert [secret for secret in SECRETS if secret in text] == []


def assert_reads_back(text: str) -> None:
    texts = dict.fromkeys(("title", "what", "where", "hint", "exercise"), text)
    report = make_report(text, ATTENTION, {"test_scores_are_scaled": {"outcome": Outcome.ERROR, **texts}})
    root = ElementTree.fromstring(junit([report]))
    assert {element.tag for element in root.iter()} <= {
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "error",
    }
    assert root.find("testsuite").get("name") == f"{one_line(text)} · {ATTENTION}"


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_read_back_as_text(attack):
    assert_reads_back(attack)


@given(hostile_text)
@settings(max_examples=80, deadline=None)
def test_any_text_is_valid_xml(text):
    assert_reads_back(text)
