"""The student's page: complete, free of hidden information, and inert."""

import base64
import hashlib
import re
from itertools import pairwise

import msgspec
import pytest
from hostile_text import ATTACKS, hostile_text
from hypothesis import given, settings
from hypothesis import strategies as st
from page_reader import Element, assert_anchors, assert_inert, read_html
from sample_reports import (
    ATTENTION,
    CONFIG,
    EXERCISE_TITLES,
    KERNELS,
    SCALE_SENTENCE,
    SECRETS,
    SOURCE,
    WRONG,
    all_alike,
    make_report,
    report_with_secrets,
)

from autograder.base.results import CheckResult, IsolationLevel, Outcome
from autograder.course.config import Exercise, Stage
from autograder.feedback.student_page import MOST_GAPS, student_page


def page_of(*reports, source: str = SOURCE) -> Element:
    return read_html(student_page(reports, {ATTENTION: source}, CONFIG, EXERCISE_TITLES))


def squeezed(element: Element) -> str:
    return " ".join(element.text.split())


def test_points_are_shown_for_page_stage_exercise_and_check():
    root = page_of(make_report("ada", KERNELS), make_report("ada", ATTENTION, WRONG))
    assert "10 / 18 points" in squeezed(root.find("header"))
    attention = root.find_all("section", "stage")[1]
    assert "2 / 10 points + 0 / 4 bonus" in squeezed(attention.find("div", "stage-head"))
    assert [squeezed(exercise.find("h3")) for exercise in attention.find_all("section", "exercise")] == [
        "softmax A stable softmax 2 / 4",
        "scaled_dot_product_attention Attention 0 / 6",
        "blockwise_attention Attention in blocks bonus 0 / 4",
    ]
    assert [squeezed(check.find(cls="score")) for check in attention.find_all("li", "check")] == [
        "2 / 2",
        "0 / 2",
        "0 / 3",
        "0 / 3",
        "0 / 4",
    ]


def test_a_failed_check_says_what_where_and_hint():
    root = page_of(make_report("ada", ATTENTION, WRONG))
    check = next(item for item in root.find_all("li", "check") if "huge logits" in item.text)
    parts = [squeezed(part) for part in check.find("dl").find_all() if part.tag in ("dt", "dd")]
    wrong = WRONG["test_large_logits_stay_finite"]
    assert parts == ["what", wrong["what"], "where", wrong["where"], "hint", wrong["hint"].replace("`", "")]
    assert "not right yet" in check.text


def test_a_passed_check_has_no_details():
    root = page_of(make_report("ada", ATTENTION))
    assert not root.find_all("dl")
    assert not root.find_all(cls="callout")
    assert not root.find_all(cls="hit")


def test_a_named_mistake_comes_before_the_checks_and_lists_what_it_explains():
    named = {"what": SCALE_SENTENCE, "mistake": "scores_unscaled", "outcome": Outcome.FAILED}
    wrong = {"test_scores_are_scaled": named, "test_masked_keys_get_no_weight": named}
    callout = page_of(make_report("ada", ATTENTION, wrong)).find("div", "callout")
    mistake = callout.find("p", "mistake")
    assert squeezed(mistake) == f"scaled_dot_product_attention: {SCALE_SENTENCE}"
    assert not mistake.find_all("a")  # these checks point at no line
    assert [squeezed(a) for a in callout.find_all("a")] == [
        "scores are scaled by the head size",
        "masked keys get no weight",
    ]


def test_a_named_mistake_leads_to_the_line_of_the_code():
    where = WRONG["test_scores_are_scaled"]["where"]
    named = {"what": SCALE_SENTENCE, "where": where, "mistake": "scores_unscaled", "outcome": Outcome.FAILED}
    root = page_of(make_report("ada", ATTENTION, {"test_scores_are_scaled": named}))
    link = root.find("div", "callout").find("p", "mistake").find("a")
    (line,) = root.find_all("li", "hit")
    assert link.attributes["href"] == "#" + line.attributes["id"]
    assert squeezed(link) == f"line {line.attributes['id'].rpartition('-')[2]}"


def test_passed_exercises_are_folded_and_others_are_not():
    root = page_of(make_report("ada", ATTENTION, {"test_scores_are_scaled": WRONG["test_scores_are_scaled"]}))
    folded = [squeezed(part.find("summary").find("code")) for part in root.find_all("details", "exercise")]
    shown = [squeezed(part.find("code")) for part in root.find_all("section", "exercise")]
    assert (folded, shown) == (["softmax", "blockwise_attention"], ["scaled_dot_product_attention"])
    assert not any("open" in part.attributes for part in root.find_all("details"))
    scores = [part.find("summary").find("span", "score") for part in root.find_all("details")]
    assert list(map(squeezed, scores)) == ["4 / 4", "4 / 4"]


@pytest.mark.parametrize(("count", "fine"), [(MOST_GAPS, False), (MOST_GAPS + 1, True), (80, True)])
def test_a_bar_of_many_checks_has_no_gaps(count, fine):
    """The gaps are two pixels wide, as wide as a segment of a small bar with over 70 checks."""
    checks = {f"test_{number}": 1 for number in range(count)}
    stage = Stage(title="Many", module="many", exercises={"all": Exercise(checks=checks)})
    config = msgspec.structs.replace(CONFIG, stages={"1_many": stage})
    results = tuple(
        CheckResult(id=name, title=name, exercise="all", outcome=Outcome.PASSED, points=1) for name in checks
    )
    report = msgspec.structs.replace(make_report("ada", ATTENTION), stage="1_many", checks=results)
    bar = read_html(student_page([report], {}, config, {})).find("svg", "bar")
    assert len(bar.find_all("rect")) == count
    assert ("fine" in bar.classes) is fine


def test_where_leads_to_the_line_and_the_line_back_to_the_check():
    root = page_of(make_report("ada", ATTENTION, WRONG))
    check = next(item for item in root.find_all("li", "check") if "scaled by the head size" in item.text)
    target = check.find("dl").find("a").attributes["href"]
    lines = root.find("figure", "source").find_all("li")
    assert lines[16].attributes["id"] == target[1:]
    assert "hit" in lines[16].classes
    assert lines[16].find("a").attributes["href"] == "#" + check.attributes["id"]
    assert [number for number, line in enumerate(lines, 1) if "hit" in line.classes] == [11, 15, 17, 25]


@pytest.mark.parametrize(
    "source",
    [
        SOURCE,
        "x = f\"{a!r:>{width}} {{}}\" + '''\n\n two\n''' # end\ny = 1_000",
        "if a:\n        b\n    c  # a dedent that fits nowhere\nd = (",
        "x = 'not closed\n\ty = $ ? `",
        "",
    ],
    ids=["honest", "strings", "dedent", "not Python", "empty"],
)
def test_the_source_is_shown_line_by_line_as_it_was_written(source):
    root = page_of(make_report("ada", ATTENTION), source=source)
    shown = [line.text for figure in root.find_all("figure", "source") for line in figure.find_all("li")]
    assert shown == (source.rstrip("\n").split("\n") if source else [])


def test_lines_are_numbered_as_python_numbers_them():
    """A form feed and Unicode's line separators do not end a line of Python."""
    lines = page_of(make_report("ada", ATTENTION), source="a = 1\x0c\u2028\x85\nb = 2").find("figure").find_all("li")
    assert [line.text for line in lines] == [r"a = 1\x0c\u2028\x85", "b = 2"]


def test_windows_line_ends_are_not_shown():
    lines = page_of(make_report("ada", ATTENTION), source="a = 1\r\nb = 2\r\n").find("figure").find_all("li")
    assert [line.text for line in lines][:2] == ["a = 1", "b = 2"]


def test_the_source_is_coloured():
    figure = page_of(make_report("ada", ATTENTION)).find("figure")
    coloured = {(span.classes[0], span.text) for span in figure.find_all("span") if span.classes}
    assert {("keyword", "def"), ("name", "softmax"), ("number", "1")} <= coloured
    assert ("comment", "# one maximum for all rows") in coloured
    assert ("string", '"""Positive weights that sum to one along `dim`."""') in coloured


@pytest.mark.parametrize(
    "where", ["attention.py, line 9999", "attention.py, line 0", "other.py, line 3", "attention.py"]
)
def test_a_location_outside_the_file_is_not_a_link(where):
    wrong = {"test_scores_are_scaled": {"outcome": Outcome.ERROR, "what": "it raised ValueError", "where": where}}
    root = page_of(make_report("ada", ATTENTION, wrong))
    assert where in root.text
    assert not root.find_all(cls="hit")
    assert_anchors(root)


def test_a_stage_that_did_not_run_is_explained_once():
    what = "attention.py cannot be loaded"
    root = page_of(all_alike("cy", ATTENTION, Outcome.BLOCKED, what, "attention.py, line 3", "fix"))
    assert root.text.count(what) == 1
    assert "Could not be run" in root.find("div", "callout").text
    assert len(root.find_all("li", "check")) == 5
    assert not root.find_all("section", "exercise")  # folded: the checks say no more
    assert not root.find_all("details", "passed")
    assert "could not be run" in root.find("li", "hit").text
    assert_anchors(root)


def test_an_ungraded_stage_has_no_number():
    wrong = {"test_slices_sum_to_one": {"outcome": Outcome.GRADER_ERROR}}
    root = page_of(make_report("eve", KERNELS), make_report("eve", ATTENTION, wrong))
    assert "8 / 8 points 1 stage not graded" in squeezed(root.find("header"))
    stage = root.find_all("section", "stage")[1]
    assert "not graded" in stage.find("div", "stage-head").text
    assert "– / 4" in stage.find("section", "exercise").find("h3").text
    assert "the grader failed, not your code" in stage.text
    assert "bonus" not in root.find("header").text


def test_only_missing_isolation_is_mentioned():
    assert "without isolation" in page_of(make_report("ada", isolation=IsolationLevel.NONE)).text
    for level in set(IsolationLevel) - {IsolationLevel.NONE}:
        assert "isolation" not in page_of(make_report("ada", isolation=level)).text


def test_a_check_not_attempted_says_so_once():
    root = page_of(make_report("ada", ATTENTION, WRONG))
    check = next(item for item in root.find_all("li", "check") if "blocks of any size" in item.text)
    assert [part.text for part in check.find_all("dt")] == ["where"]
    assert check.find(cls="label").text == "not attempted yet"


def test_stand_ins_are_named():
    assert "run on the course's own kernels" in page_of(make_report("ada", stand_ins=("kernels",))).text


def test_what_is_not_for_students_is_not_on_the_page():
    """The page shows titles, points, symptoms, locations and hints only."""
    page = student_page([report_with_secrets()], {ATTENTION: SOURCE, "9_other": "5ecret"}, CONFIG, EXERCISE_TITLES)
    assert [secret for secret in SECRETS if secret in page] == []


def test_one_page_is_about_one_student():
    with pytest.raises(ValueError, match="one student, not 2: ada, bo"):
        student_page([make_report("ada"), make_report("bo")], {}, CONFIG, EXERCISE_TITLES)
    with pytest.raises(ValueError, match="not 0"):
        student_page([], {}, CONFIG, EXERCISE_TITLES)


def test_a_stage_that_grading_yml_no_longer_has_is_shown_without_titles():
    config = CONFIG.__class__(format_version=1, course="c", stages={KERNELS: CONFIG.stages[KERNELS]})
    root = read_html(student_page([make_report("ada", ATTENTION, WRONG)], {ATTENTION: SOURCE}, config, EXERCISE_TITLES))
    assert "scores are scaled by the head size" in root.text
    assert_anchors(root)


def test_a_line_is_marked_open_only_without_failed_checks():
    untried = WRONG["test_blocks_change_nothing"]
    beside_a_failure = {**untried, "where": "attention.py, line 15"}
    wrong = {**WRONG, "test_blocks_change_nothing": beside_a_failure, "test_slices_sum_to_one": untried}
    hits = page_of(make_report("ada", ATTENTION, wrong)).find_all("li", "hit")
    assert [line.classes[1] for line in hits] == ["bad", "bad", "bad", "open"]


def test_the_bar_shows_every_point_that_counts_and_no_bonus():
    bar = page_of(make_report("ada", ATTENTION, WRONG)).find("section", "stage").find("svg", "bar")
    parts = [(rect.classes[0], float(rect.attributes["width"].rstrip("%"))) for rect in bar.find_all("rect")]
    assert parts == [("good", 20), ("bad", 20), ("bad", 30), ("bad", 30)]


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_shown_as_text(attack):
    texts = dict.fromkeys(("title", "what", "where", "hint", "mistake"), attack)
    fields = {"outcome": Outcome.FAILED, **texts}
    report = make_report(attack, ATTENTION, {"test_scores_are_scaled": fields}, stand_ins=(attack,))
    page = student_page([report], {ATTENTION: attack}, CONFIG, EXERCISE_TITLES)
    root = read_html(page)
    assert_inert(root)
    assert_anchors(root)
    page.encode()  # no lone surrogate is left


@given(hostile_text, hostile_text, hostile_text)
@settings(max_examples=60, deadline=None)
def test_no_text_becomes_markup(name, words, source):
    fields = {"outcome": Outcome.ERROR, "title": words, "what": words, "where": words, "hint": words, "exercise": words}
    report = make_report(name, ATTENTION, {"test_scores_are_scaled": fields})
    page = student_page([report], {ATTENTION: source}, CONFIG, EXERCISE_TITLES)
    root = read_html(page)
    assert_inert(root)
    assert_anchors(root)
    page.encode()


@given(st.integers(min_value=-5, max_value=10**9), hostile_text)
@settings(max_examples=60, deadline=None)
def test_any_line_number_gives_valid_anchors(line, function):
    where = f"attention.py, line {line}, {function}"
    fields = {"outcome": Outcome.ERROR, "what": "it raised ValueError", "where": where}
    assert_anchors(page_of(make_report("ada", ATTENTION, {"test_scores_are_scaled": fields})))


@pytest.mark.parametrize(
    "source",
    ["a = 1\n" * 43_000, "x" * 256_000, "'\\" * 128_000, "\n" * 256_000, "(" * 256_000, "\u202e" * 60_000],
    ids=["lines", "one line", "quotes", "blank", "brackets", "bidi"],
)
def test_the_largest_file_still_makes_a_page(source):
    page = student_page([make_report("ada", ATTENTION, WRONG)], {ATTENTION: source}, CONFIG, EXERCISE_TITLES)
    assert page.count("<li") >= source.rstrip("\n").count("\n") if source.strip() else "<ol>" not in page
    assert "\u202e" not in page


def test_the_policy_admits_our_style_and_nothing_else():
    page = student_page([make_report("ada")], {}, CONFIG, EXERCISE_TITLES)
    style = re.search("<style>(.*)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = read_html(page).find_all("meta")[1].attributes["content"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_nothing_is_loaded_from_anywhere():
    page = student_page([make_report("ada", ATTENTION, WRONG)], {ATTENTION: SOURCE}, CONFIG, EXERCISE_TITLES)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<link|<script|<img|<iframe", page)


def test_headings_descend_one_level_at_a_time_and_figures_have_names():
    root = page_of(make_report("ada", KERNELS), make_report("ada", ATTENTION, WRONG))
    levels = [int(element.tag[1]) for element in root.find_all() if re.fullmatch("h[1-6]", element.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for svg in root.find_all("svg"):
        assert svg.attributes["role"] == "img"
        assert "points" in svg.attributes["aria-label"] or "not graded" in svg.attributes["aria-label"]
    assert root.find("html").attributes["lang"] == "en"
    assert root.find("figure").attributes["aria-label"]


def test_a_title_under_the_heading_of_its_exercise_leaves_the_name_out():
    report = make_report("ada", ATTENTION, WRONG)
    named = [msgspec.structs.replace(check, title=f"{check.exercise}: {check.title}") for check in report.checks]
    plain, prefixed = page_of(report), page_of(msgspec.structs.replace(report, checks=tuple(named)))
    assert [squeezed(title) for title in plain.find_all("p", "check-title")] == [
        squeezed(title) for title in prefixed.find_all("p", "check-title")
    ]
    assert f"{named[-1].exercise}: " in squeezed(prefixed)
