"""Reports as Markdown, checked in the output of an independent renderer."""

import re

import pytest
from hostile_text import ATTACKS, hostile_text
from hypothesis import given, settings
from markdown_it import MarkdownIt
from page_reader import Element, read_html
from sample_reports import ATTENTION, KERNELS, SECRETS, WRONG, all_alike, make_report, report_with_secrets

from autograder.base.results import IsolationLevel, Outcome
from autograder.base.sinks import code_parts, log_line, markdown_code, markdown_prose
from autograder.feedback.markdown import report_markdown

OURS = {"h2", "h3", "p", "code", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong"}


def rendered(markdown: str) -> Element:
    """HTML in the manner of GitHub's dialect: CommonMark with raw HTML, tables and strikethrough."""
    return read_html(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


def squeezed(element: Element) -> str:
    return " ".join(element.text.split())


def test_the_table_lists_every_check_with_its_points():
    root = rendered(report_markdown([make_report("ada", ATTENTION, WRONG)]))
    assert squeezed(root.find("h2")) == "2_attention: 2 / 10 points"
    rows = [[squeezed(cell) for cell in row.find_all("td")] for row in root.find("tbody").find_all("tr")]
    assert rows == [
        ["✓ passed", "every slice sums to one", "softmax", "2 / 2"],
        ["✗ not right yet", "huge logits give finite weights", "softmax", "0 / 2"],
        ["✗ not right yet", "scores are scaled by the head size", "scaled_dot_product_attention", "0 / 3"],
        ["✗ took too long", "masked keys get no weight", "scaled_dot_product_attention", "0 / 3"],
        ["○ not attempted yet", "blocks of any size give the same output", "blockwise_attention (bonus)", "0 / 4"],
    ]


def test_failures_say_what_where_and_hint():
    root = rendered(report_markdown([make_report("ada", ATTENTION, WRONG)]))
    assert [squeezed(item) for item in root.find_all("li")][:3] == [
        "what the result holds NaN or infinity",
        "where attention.py, line 11, softmax",
        "hint which maximum does each row need? x.max() is one number for all of them",
    ]
    named = next(item for item in root.find_all("li") if "√d_head" in item.text)
    assert len(named.find_all("strong")) == 2


def test_stages_follow_each_other_with_their_remarks():
    reports = [
        make_report("ada", KERNELS, isolation=IsolationLevel.NONE),
        make_report("ada", ATTENTION, {"test_slices_sum_to_one": {"outcome": Outcome.GRADER_ERROR}}),
    ]
    root = rendered(report_markdown(reports))
    headings = [squeezed(heading) for heading in root.find_all("h2")]
    assert headings == ["1_kernels: 8 / 8 points", "2_attention: not graded"]
    remarks = [squeezed(quote) for quote in root.find_all("blockquote")]
    assert "without isolation" in remarks[0]
    assert "the grader failed, not your code" in remarks[1]


def test_a_stage_that_did_not_run_is_explained_once():
    report = all_alike("cy", ATTENTION, Outcome.BLOCKED, "attention.py cannot be loaded")
    assert report_markdown([report]).count("cannot be loaded") == 1


def test_what_is_not_for_students_is_not_written():
    text = report_markdown([report_with_secrets()])
    assert [secret for secret in SECRETS if secret in text] == []


def hostile_report(text: str):
    texts = dict.fromkeys(("title", "what", "where", "hint", "exercise"), text)
    wrong = {"test_scores_are_scaled": {"outcome": Outcome.FAILED, "mistake": "m", **texts}}
    return make_report(text, ATTENTION, wrong, stand_ins=(text,))


def assert_harmless(markdown: str) -> None:
    root = rendered(markdown)
    assert {element.tag for element in root.find_all()} <= OURS
    rows = root.find("table").find_all("tr")
    assert {len(row.find_all("td")) for row in rows[1:]} == {4}
    assert len(rows) == 6
    assert "::" not in markdown
    assert "##[" not in markdown
    for text in texts_outside_code(root):
        assert not re.search(r"[@#]\w", text), text  # GitHub looks for mentions after Markdown is done
    outside_code = re.sub(r"(`+)[^`].*?(?<!`)\1(?!`)", "", markdown)
    assert not re.search(r"https?://|www\.\w|(?<!\\)\$", outside_code, re.IGNORECASE)


def texts_outside_code(element: Element) -> list[str]:
    texts = []
    for child in element.children:
        if isinstance(child, str):
            texts.append(child)
        elif child.tag != "code":
            texts += texts_outside_code(child)
    return texts


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_shown_as_text(attack):
    assert_harmless(report_markdown([hostile_report(attack)]))


@given(hostile_text)
@settings(max_examples=80, deadline=None)
def test_no_text_becomes_markup(text):
    assert_harmless(report_markdown([hostile_report(text)]))


@given(hostile_text)
@settings(max_examples=150, deadline=None)
def test_every_word_stays_readable(text):
    line = log_line(text)
    shown = "".join(part for part, _ in code_parts(line))
    assert plain(rendered(f"x {markdown_prose(text)} x")) == plain(Element("", {}, None, [f"x {shown} x"]))
    if line:
        assert plain(rendered(f"x {markdown_code(text)} x").find("code")) == plain(Element("", {}, None, [line]))


@pytest.mark.parametrize("text", ["a | b", "`a | b`", "\\| `\\|`", "|"])
def test_bars_stay_inside_and_outside_tables(text):
    root = rendered(report_markdown([hostile_report(text)]))
    words = text.replace("`", "") if text.count("`") == 2 else text
    assert words in squeezed(root.find("td").parent.parent)
    assert words in squeezed(root.find("li"))


def plain(element: Element) -> str:
    return squeezed(element).replace("\u200b", "")
