"""The instructor's page: complete, every figure described in words, safe for any names."""

import re
from importlib.resources import files

import msgspec
import pytest
from hostile_text import ATTACKS, hostile_text
from hypothesis import given, settings
from page_reader import Element, assert_anchors, read_html
from page_reader import assert_inert as assert_inert_but_for
from sample_reports import ATTENTION, CONFIG, KERNELS, LOCATIONS, WRONG, make_report, sample_class, unreadable

from autograder.base.results import IsolationLevel, Outcome
from autograder.feedback.charts import Series, histogram, stacked_bars
from autograder.feedback.claims import Claim
from autograder.feedback.class_page import class_page, outcome_bars
from autograder.feedback.class_statistics import class_statistics
from autograder.integrations.grades import Grade

SCRIPT = (files("autograder.feedback") / "templates" / "class.js").read_text(encoding="utf-8").rstrip("\n")


def assert_inert(root: Element) -> None:
    """Only the page's own script runs."""
    assert_inert_but_for(root, SCRIPT)


def squeezed(element: Element) -> str:
    return " ".join(element.text.split())


def cells_of(row: Element) -> list[str]:
    return [squeezed(cell) for cell in row.find_all() if cell.tag in ("th", "td")]


def part_of(page: str, name: str) -> Element:
    return next(section for section in read_html(page).find_all("section") if section.attributes.get("id") == name)


@pytest.fixture(scope="module")
def page() -> str:
    late = [
        msgspec.structs.replace(report, days_late=2, points_lost=2 + 4) if report.student == "bo" else report
        for report in sample_class()
    ]
    unknown = msgspec.structs.replace(make_report("fay", KERNELS), days_late=None)
    statistics = class_statistics([*late, unknown, unreadable("fay", ATTENTION)], CONFIG, locations=LOCATIONS)
    return class_page(statistics, {"ada": "students/ada.html"})


def test_the_page_is_sound(page):
    root = read_html(page)
    assert_inert(root)
    assert_anchors(root)
    assert "For instructors" in root.find("header").text


def test_each_student_has_a_row_with_every_stage(page):
    rows = part_of(page, "scores").find("tbody").find_all("tr")
    assert [squeezed(row) for row in rows] == [
        "ada 8 2 10 / 18 – kernel",
        "bo 2 2 d late 4 +4 2 d late 10 / 18 4 kernel",
        "cy 0 7 +4 11 / 18 – kernel",
        "dee not begun, 0 not begun 0 / 8 – –",
        "eve 6 not graded 6 / 8 – kernel",
        "fay 8 time unknown not graded 8 / 8 – kernel",
    ]


def test_stages_that_wait_for_a_person_come_first_with_the_reason(page):
    rows = [cells_of(row) for row in part_of(page, "not-graded").find_all("tr")][1:]
    assert [row[:2] for row in rows] == [["eve", ATTENTION], ["fay", ATTENTION]]
    assert rows[1][2] == "fay.7z is not a supported archive; hand in a .zip or .tar.gz"
    assert "not-graded" not in class_page(class_statistics([make_report("bo")], CONFIG))


def test_only_students_with_a_page_have_a_link(page):
    links = [a for a in read_html(page).find_all("a") if not a.attributes["href"].startswith("#")]
    assert {(a.attributes["href"], a.text) for a in links} == {("students/ada.html", "ada")}


@pytest.mark.parametrize("path", ["javascript:alert(1)", "a b/ü?.html#x", '"><script>'])
def test_a_hostile_path_stays_a_path(path):
    root = read_html(class_page(class_statistics(sample_class(), CONFIG), {"ada": path}))
    assert_inert(root)


def test_mistakes_help_and_checks_are_listed(page):
    assert [cells_of(row)[:3] for row in part_of(page, "mistakes").find("tbody").find_all("tr")] == [
        ["your output is what you get when the scores are not divided by √d_head who ada, cy, eve", ATTENTION, "3"]
    ]
    rows = [cells_of(row) for row in part_of(page, "help").find("tbody").find_all("tr")]
    assert [row[0] for row in rows] == ["dee", "cy", "ada", "eve", "fay"]
    assert rows[0] == ["dee", "0 %", "1_kernels nothing was handed in", ""]
    assert rows[2][2:] == [
        "2_attention few points: 2 / 10; 1 check took too long",
        "your output is what you get when the scores are not divided by √d_head",
    ]
    scaled = next(row for row in part_of(page, "checks").find_all("tr") if "head size" in row.text)
    assert cells_of(scaled)[1:] == ["2_attention scaled_dot_product_attention", "3", "", "33 %", "–", "0.25"]


def test_points_by_hand_count_in_cells_and_totals():
    grades = [
        Grade(student="ada", stage=KERNELS, raw=8.0 + 1.5, possible=10.0, by_hand=1.5),
        Grade(student="bo", stage=KERNELS, raw=8.0, possible=10.0, waits=True),
    ]
    reports = [make_report("ada", KERNELS), make_report("bo", KERNELS)]
    rows = part_of(class_page(class_statistics(reports, CONFIG, grades=grades)), "scores").find("tbody").find_all("tr")
    assert [squeezed(row) for row in rows] == [
        "ada 9.5 +1.5 by hand 9.5 / 10 – kernel",
        "bo 8 by hand: open 8 / 10 – kernel",
    ]


def test_points_that_a_person_decided_are_marked():
    decided = {"test_gaussian_is_even": {"given": 0, "given_because": "copied"}}
    rows = part_of(class_page(class_statistics([make_report("ada", KERNELS, decided)], CONFIG)), "scores")
    assert squeezed(rows.find("tbody").find("tr")) == "ada 7 1 override 7 / 8 – kernel"


def test_claims_have_a_part_of_their_own_if_there_are_any(page):
    assert "claims" not in page.partition("<script>")[0]
    claims = [Claim("ada", 1.0, 0.25)]
    listed = part_of(class_page(class_statistics(sample_class(), CONFIG), claims=claims), "claims")
    assert cells_of(listed.find("tbody").find("tr")) == ["ada", "100 %", "25 %", "75 %"]


def test_a_check_shows_its_id_and_its_hidden_test_beside_the_title(page):
    heads = [squeezed(row.find("th")) for row in part_of(page, "checks").find_all("tr") if row.find_all("td")]
    assert (
        "scores are scaled by the head size test_scores_are_scaled tests/hidden/2_attention/test_attention.py:9"
        in heads
    )
    assert [head.split()[-1] for head in heads] == list(LOCATIONS.values())


def test_a_check_without_a_known_test_still_shows_its_id():
    page = class_page(class_statistics([make_report("ada", KERNELS)], CONFIG))
    heads = [squeezed(row.find("th")) for row in part_of(page, "checks").find_all("tr") if row.find_all("td")]
    assert heads[1] == "the profile is even test_gaussian_is_even"


def test_figures_are_described_in_words(page):
    figures = [svg.attributes["aria-label"] for svg in read_html(page).find_all("svg") if "role" in svg.attributes]
    assert "Scores in tenths of 8 points: 1 at 0–9 %, 1 at 20–29 %, 1 at 70–79 %, 2 at full marks" in figures
    assert "1 passed, 2 wrong answer, 0 stopped: error, time or memory, 0 not attempted, or no points yet" in figures


def test_outcome_bars_are_proportional_to_the_counts():
    wrong = {"test_slices_sum_to_one": {"outcome": Outcome.TIMEOUT}}
    reports = [make_report("a"), make_report("b"), make_report("c"), make_report("d", ATTENTION, wrong)]
    check = class_statistics(reports, CONFIG).stages[0].checks[0]
    bars = outcome_bars(check)
    assert [(bar.kind, bar.start, bar.size) for bar in bars] == [
        ("good", 0, 75),
        ("bad", 75, 0),
        ("stop", 75, 25),
        ("open", 100, 0),
    ]


def test_a_chart_shows_each_value_in_the_colour_of_its_part():
    page = read_html(histogram((4, 0, 1), "four and one"))
    heights = [_height(path) for path in page.find_all("path") if "axis" not in path.classes]
    assert heights == pytest.approx([heights[0], 0, heights[0] / 4])
    assert [path.classes for path in page.find_all("path")][:3] == [["plain"], ["plain"], ["good"]]
    texts = [text.text for text in page.find_all("text")]
    assert [text for text in texts if text.isdigit()] == ["4", "1"]
    bars = read_html(stacked_bars(["<b>$x$"], [Series("good", "full", (1,)), Series("open", "none", (3,))], "words"))
    assert "<b>$x$" in [text.text for text in bars.find_all("text")]
    assert bars.find("svg").attributes["aria-label"] == "words"


def _height(path: Element) -> float:
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.attributes["d"])]
    return max(numbers[1::2]) - min(numbers[1::2])


def test_grades_without_isolation_are_marked():
    alone = make_report("ada", isolation=IsolationLevel.NONE)
    assert "All reports were made without isolation" in class_page(class_statistics([alone], CONFIG))
    mixed = class_page(class_statistics([alone, make_report("bo")], CONFIG))
    assert "Some reports were made without isolation" in mixed
    assert "without isolation" not in class_page(class_statistics([make_report("bo")], CONFIG))


def test_an_empty_class_and_a_perfect_class_have_pages():
    empty = read_html(class_page(class_statistics([], CONFIG)))
    assert "0 students" in squeezed(empty)
    assert_anchors(empty)
    perfect = read_html(class_page(class_statistics([make_report("bo", KERNELS)], CONFIG)))
    assert "None: every student has at least half of the points" in perfect.text
    assert "No named mistake explains a failure" in perfect.text


def test_a_stage_with_bonus_checks_alone_has_a_page():
    report = make_report("ada", ATTENTION)
    bonus = msgspec.structs.replace(report, checks=tuple(check for check in report.checks if check.bonus))
    page = class_page(class_statistics([bonus], CONFIG))
    assert [squeezed(row) for row in part_of(page, "scores").find("tbody").find_all("tr")] == [
        "ada 0 +4 4 / 0 – kernel"
    ]


def test_cells_are_shaded_by_their_share_of_the_points():
    failed = {"outcome": Outcome.FAILED}
    reports = [
        make_report("all", KERNELS),
        make_report("some", KERNELS, {"test_average_is_weighted": failed}),
        make_report("none", KERNELS, dict.fromkeys(CONFIG.stages[KERNELS].check_ids, failed)),
    ]
    rows = part_of(class_page(class_statistics(reports, CONFIG)), "scores").find("tbody").find_all("tr")
    assert [row.find("td").classes[-1] for row in rows] == ["shade-4", "shade-2", "shade-0"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_shown_as_text(attack):
    texts = dict.fromkeys(("id", "title", "what", "where", "hint", "mistake", "exercise"), attack)
    wrong = {"test_scores_are_scaled": {"outcome": Outcome.FAILED, **texts}}
    locations = {(ATTENTION, attack): attack}
    statistics = class_statistics([make_report(attack, ATTENTION, wrong)], CONFIG, locations=locations)
    page = class_page(statistics, {attack: attack.replace("\ud800", "")})
    root = read_html(page)
    assert_inert(root)
    assert_anchors(root)
    page.encode()


@given(hostile_text, hostile_text)
@settings(max_examples=20, deadline=None)
def test_no_name_becomes_markup(name, stage):
    report = make_report(name, ATTENTION, WRONG)
    other = report.__class__(student=name, stage=stage, checks=report.checks, isolation=report.isolation)
    root = read_html(class_page(class_statistics([report, other], CONFIG)))
    assert_inert(root)
    assert_anchors(root)


def test_nothing_is_loaded_from_anywhere(page):
    assert not re.search(r"https?:|[^:]//[a-z]|url\(|@import|<link|<script .|<img|<iframe|import\(|fetch\(", page)
