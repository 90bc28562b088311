"""The total of a student: by enumeration, and the same on every page and in every export."""

import io
import itertools
import json
from csv import DictReader

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_reader import read_html
from sample_reports import ATTENTION, CONFIG, EXERCISE_TITLES, KERNELS, WRONG, make_report

from autograder.base.console import SafeConsole
from autograder.course.policy import Policies, TotalPolicy
from autograder.feedback.class_page import class_page
from autograder.feedback.class_statistics import class_statistics
from autograder.feedback.class_terminal import print_class_table
from autograder.feedback.grade_words import policy_words
from autograder.feedback.platforms.gradescope import gradescope_results
from autograder.feedback.platforms.moodle import moodle_import
from autograder.feedback.student_page import student_page
from autograder.integrations.grades import Grade, grade_of
from autograder.integrations.totals import course_total

GRADES = st.lists(
    st.builds(
        lambda raw, lost, possible: (raw, min(lost, raw or 0), possible),
        st.none() | st.integers(0, 12),
        st.integers(0, 3),
        st.integers(1, 12),
    ),
    max_size=6,
)


def made(values):
    return [
        Grade(student="ada", stage=f"{index}_stage", raw=raw, lost=lost, possible=possible)
        for index, (raw, lost, possible) in enumerate(values)
    ]


@given(GRADES, st.integers(0, 4))
def test_the_stages_with_the_lowest_shares_are_dropped(values, drop_lowest):
    grades = made(values)
    total = course_total(grades, TotalPolicy(drop_lowest=drop_lowest))
    numbered = [grade for grade in grades if grade.points is not None]
    kept = [grade for grade in numbered if grade not in total.dropped]
    assert len(kept) == max(len(numbered) - drop_lowest, min(len(numbered), 1))
    for low, high in itertools.product(total.dropped, kept):
        assert low.points * high.possible <= high.points * low.possible
        if low.points * high.possible == high.points * low.possible:
            assert grades.index(low) > grades.index(high), "of equal shares the later stage is dropped"
    assert total.points == (sum(grade.points for grade in kept) if kept else None)
    assert total.possible == sum(grade.possible for grade in kept)


@given(GRADES, st.integers(0, 2), st.sampled_from([0.5, 1.0, 1.25]))
def test_a_total_is_cut_at_its_share_of_the_points_possible(values, drop_lowest, at_most):
    free = course_total(made(values), TotalPolicy(drop_lowest=drop_lowest))
    cut = course_total(made(values), TotalPolicy(drop_lowest=drop_lowest, at_most=at_most))
    if free.points is None:
        assert str(cut) == "–"
    else:
        assert cut.points == min(free.points, at_most * free.possible)
        assert cut.over == free.points - cut.points
    assert (cut.possible, cut.dropped) == (free.possible, free.dropped)


# ada: 8 of 8, and 2 of 10 without the extension; bo: 8 of 8, and 10 of 10 with 4 points of the extension.
@pytest.mark.parametrize(
    ("policy", "ada", "bo", "words"),
    [
        (TotalPolicy(), (10, 18), (22, 18), ()),
        (TotalPolicy(drop_lowest=1), (8, 8), (14, 10), (f"{ATTENTION} (2 of 10)", f"{KERNELS} (8 of 8)")),
        (TotalPolicy(at_most=1.0), (10, 18), (18, 18), ("the total is at most 18 points: 4 more do not count",)),
    ],
)
def test_every_page_and_export_has_the_same_total(policy, ada, bo, words):
    config = msgspec.structs.replace(CONFIG, policies=Policies(total=policy))
    reports = [
        make_report(student, stage, WRONG if (student, stage) == ("ada", ATTENTION) else {})
        for student in ("ada", "bo")
        for stage in (KERNELS, ATTENTION)
    ]
    grades = [grade_of(report) for report in reports]
    statistics = class_statistics(reversed(reports), config)
    stream = io.StringIO()
    print_class_table(SafeConsole(file=stream, width=100), statistics)
    page = class_page(statistics)
    assert f"has begun{policy_words(policy)}. They include" in read_html(page).text
    rows = read_html(page).find("table", "scores").find("tbody").find_all("tr")
    imported = {
        row["username"]: float(row["total"]) for row in DictReader(io.StringIO(moodle_import(grades, config).decode()))
    }
    said = ""
    for student, (points, possible) in {"ada": ada, "bo": bo}.items():
        text = f"{points} / {possible}"
        own = [report for report in reports if report.student == student]
        page = read_html(student_page(own, {}, config, EXERCISE_TITLES))
        results = json.loads(gradescope_results(own, [grade_of(report) for report in own], policy))
        said += page.find("header").text
        assert text in page.find("header").text
        assert ("with those of extensions" in page.find("header").text) == (student == "bo")
        assert any(
            line.split()[:1] == [student] and line.rstrip().endswith(text) for line in stream.getvalue().splitlines()
        )
        assert any(text in row.text for row in rows if student in row.text)
        assert (imported[student], results["score"]) == (points, points)
        assert f"{points} points of {possible} points" in results["output"]
    for word in words:
        assert word in said
    assert stream.getvalue().count("dropped") == 2 * policy.drop_lowest
