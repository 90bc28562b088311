"""Statistics of a class, compared with NumPy and with a class counted by hand."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_reports import ATTENTION, CONFIG, KERNELS, SCALE_SENTENCE, make_report, sample_class, unreadable
from scipy.stats import pearsonr

from autograder.base.results import IsolationLevel, Outcome
from autograder.course.lab import Lab
from autograder.feedback.class_statistics import class_statistics, mistake_sentences
from autograder.feedback.item_analysis import FEWEST_OF_EACH, Discrimination
from autograder.feedback.stage_statistics import BINS, StageStatistics

FAILED = {"outcome": Outcome.FAILED}
FAILED_KERNELS = dict.fromkeys(CONFIG.stages[KERNELS].check_ids, FAILED)
CHECKS = list(CONFIG.stages[ATTENTION].check_ids)


def class_of(*failures: set[str]):
    """One student per set of failed checks."""
    return [
        make_report(f"student {number}", ATTENTION, dict.fromkeys(failed, FAILED))
        for number, failed in enumerate(failures)
    ]


def test_scores_and_order_follow_grading_yml():
    statistics = class_statistics(reversed(sample_class()), CONFIG)
    assert [(stage.id, stage.points, stage.not_graded, stage.not_begun) for stage in statistics.stages] == [
        (KERNELS, 8, 0, 1),
        (ATTENTION, 10, 1, 1),
    ]
    assert sorted(statistics.stages[0].scores) == [0, 6, 8, 8], "those who have not begun are left out"
    assert statistics.stages[0].mean == pytest.approx(5.5)
    assert statistics.stages[0].median == 7


def test_a_report_that_is_not_graded_counts_in_no_score():
    statistics = class_statistics([*sample_class(), unreadable("fay", ATTENTION)], CONFIG)
    assert len(statistics.stages[1].scores) == 3
    assert [(report.student, report.stage) for report in statistics.not_graded] == [
        ("eve", ATTENTION),
        ("fay", ATTENTION),
    ]
    assert str(statistics.total("eve")) == "6 / 8"
    assert str(statistics.total("ada")) == "10 / 18"
    assert str(statistics.total("fay")) == "–"


def test_totals_count_stages_begun_or_owed_alone():
    begun = {"begun": False, "isolation": None}
    reports = [make_report("ada", KERNELS), make_report("bo", ATTENTION), make_report("ada", ATTENTION, **begun)]
    statistics = class_statistics([*reports, make_report("bo", KERNELS, FAILED_KERNELS, **begun, owed=True)], CONFIG)
    assert str(statistics.total("ada")) == "8 / 8"
    assert str(statistics.total("bo")) == "14 / 18", "with the extension"


def test_a_stage_that_no_student_has_begun_has_no_column():
    reports = [make_report("ada", KERNELS), make_report("ada", ATTENTION, begun=False)]
    statistics = class_statistics(reports, CONFIG)
    assert [stage.id for stage in statistics.stages] == [KERNELS]
    assert statistics.never_begun == (ATTENTION,)


def test_final_scores_count():
    late = make_report("ada", KERNELS, days_late=3, points_lost=3)
    statistics = class_statistics([late, make_report("bo", KERNELS)], CONFIG)
    assert statistics.stages[0].scores == (5, 8)
    assert str(statistics.total("ada")) == "5 / 8"


def test_of_two_reports_the_last_counts():
    first, second = make_report("ada", KERNELS, {"test_gaussian_is_even": FAILED}), make_report("ada", KERNELS)
    assert class_statistics([first, second], CONFIG).stages[0].scores == (8,)


@pytest.mark.parametrize(
    ("scores", "bins"),
    [((0, 1, 2), {0: 1, 1: 1, 2: 1}), ((9, 10, 10), {9: 1, 10: 2}), ((5,), {5: 1}), ((), {})],
)
def test_bins_are_tenths_and_full_marks(scores, bins):
    stage = StageStatistics("s", "", 10, scores, not_graded=0, not_begun=0, ran=0, checks=())
    assert stage.histogram == tuple(bins.get(index, 0) for index in range(BINS))


@given(st.lists(st.integers(0, 37), max_size=50))
def test_every_score_is_in_one_bin(scores):
    stage = StageStatistics("s", "", 37, tuple(scores), not_graded=0, not_begun=0, ran=0, checks=())
    assert sum(stage.histogram) == len(scores)
    assert stage.histogram[-1] == scores.count(37)


def test_checks_count_only_submissions_that_ran():
    """A student without a submission does not count in a check's statistics."""
    kernels = class_statistics(sample_class(), CONFIG).stages[0]
    assert kernels.ran == 3
    sums = next(check for check in kernels.checks if check.title == "each query's weights sum to one")
    assert sums.outcomes == {Outcome.PASSED: 2, Outcome.FAILED: 1}
    assert sums.passed_share == pytest.approx(2 / 3)


@given(st.lists(st.sets(st.sampled_from(CHECKS)), min_size=10, max_size=30))
@settings(max_examples=50, deadline=None)
def test_discrimination_is_the_item_rest_correlation(failures):
    stage = class_statistics(class_of(*failures), CONFIG).stages[0]
    spec = CONFIG.stages[ATTENTION]
    points = {check.id: check.points for check in spec.checks}
    counted = [check.id for check in spec.checks if not spec.exercises[check.exercise].bonus]
    for check, result in zip(CHECKS, stage.checks, strict=True):
        passed = np.array([check not in failed for failed in failures], float)
        rest = np.array(
            [sum(points[other] for other in counted if other != check and other not in failed) for failed in failures],
            float,
        )
        if min(passed.sum(), len(passed) - passed.sum()) < FEWEST_OF_EACH or rest.std() == 0:
            assert result.discrimination is None
        else:
            expected = pearsonr(passed, rest)
            interval = expected.confidence_interval()
            found = result.discrimination
            assert (found.value, found.low, found.high) == pytest.approx(
                (expected.statistic, interval.low, interval.high), abs=1e-6
            )


@given(st.lists(st.sets(st.sampled_from(CHECKS)), min_size=10, max_size=30))
@settings(max_examples=50, deadline=None)
def test_reliability_is_alpha_by_the_covariances_of_the_checks(failures):
    spec = CONFIG.stages[ATTENTION]
    counted = [check for check in spec.checks if not spec.exercises[check.exercise].bonus]
    table = np.array([[check.points * (check.id not in failed) for check in counted] for failed in failures], float)
    found = class_statistics(class_of(*failures), CONFIG).stages[0].reliability
    covariances = np.cov(table.T)
    if covariances.sum() < 1e-9:
        assert found is None
    else:
        count = len(counted)
        between = (covariances.sum() - np.trace(covariances)) / covariances.sum()
        assert found == pytest.approx(count / (count - 1) * between, abs=1e-9)


def test_one_or_two_failures_say_nothing_about_a_check():
    """Two strong students fail a check that all others pass: the correlation is negative, and rests on two."""
    weak = [set(CHECKS[1:3]) for _ in range(40)]
    strong = [{CHECKS[0]}, {CHECKS[0]}, *(set() for _ in range(57))]
    check = class_statistics(class_of(*weak, *strong), CONFIG).stages[0].checks[0]
    assert (check.discrimination, check.flag) == (None, "")


@pytest.mark.parametrize(
    ("interval", "flag"),
    [((0.3, 0.1, 0.5), ""), ((0.1, -0.1, 0.19), "weak"), ((-0.1, -0.3, 0.1), "weak"), ((-0.3, -0.5, -0.1), "reversed")],
)
def test_a_check_is_flagged_only_if_the_whole_interval_is_low(interval, flag):
    assert Discrimination(*interval).flag == flag


def test_mistakes_are_counted_once_per_student_and_most_common_first():
    rare = {"outcome": Outcome.FAILED, "what": "rare", "mistake": "rare"}
    both = {"test_slices_sum_to_one": rare, "test_large_logits_stay_finite": rare}
    statistics = class_statistics([*sample_class(), make_report("fay", ATTENTION, both)], CONFIG)
    assert [(mistake.id, mistake.says, mistake.students) for mistake in statistics.mistakes] == [
        ("scores_unscaled", SCALE_SENTENCE, ("ada", "cy", "eve")),
        ("rare", "rare", ("fay",)),
    ]


def test_a_mistake_is_described_by_the_catalogue_if_given(tiny_lab: Lab):
    sentences = mistake_sentences(tiny_lab)
    assert sentences["1_tiny", "double_adds_two"] == "2 is added to each element"
    statistics = class_statistics(sample_class(), CONFIG, sentences={(ATTENTION, "scores_unscaled"): "no scaling"})
    assert statistics.mistakes[0].says == "no scaling"


def test_students_who_need_help_are_listed_with_their_reasons():
    reports = [*sample_class(), make_report("fay", KERNELS, begun=False), make_report("fay", ATTENTION, begun=False)]
    reasons = {row.student: row.reasons for row in class_statistics(reports, CONFIG).needs_help}
    assert reasons == {
        "ada": {ATTENTION: "few points: 2 / 10; 1 check took too long"},
        "cy": {KERNELS: "kernels.py cannot be loaded: it raised SyntaxError"},
        "dee": {KERNELS: "nothing was handed in"},
        "eve": {ATTENTION: "not graded: the grader failed, not the student; run `autograder doctor`, then grade again"},
        "fay": {KERNELS: "no stage begun"},
    }


def test_half_the_points_are_not_few():
    half = dict.fromkeys(("test_scores_are_scaled", "test_large_logits_stay_finite"), FAILED)
    less = {**half, "test_slices_sum_to_one": FAILED}
    statistics = class_statistics([make_report("half", ATTENTION, half), make_report("less", ATTENTION, less)], CONFIG)
    assert statistics.stages[0].scores == (5, 3)
    assert [row.student for row in statistics.needs_help] == ["less"]


def test_students_with_the_fewest_points_come_first():
    students = [row.student for row in class_statistics(sample_class(), CONFIG).needs_help]
    assert students[0] == "dee"
    assert "bo" not in students


def test_isolation_levels_are_counted():
    reports = [make_report("ada"), make_report("bo", isolation=IsolationLevel.NONE), unreadable("cy", ATTENTION)]
    statistics = class_statistics(reports, CONFIG)
    assert statistics.isolation == {IsolationLevel.KERNEL: 1, IsolationLevel.NONE: 1}
    assert statistics.nothing_ran == 1


def test_an_empty_class_has_empty_statistics():
    statistics = class_statistics([], CONFIG)
    assert (statistics.students, statistics.stages, statistics.mistakes, statistics.needs_help) == ((), (), (), ())


def test_the_versions_of_python_are_listed_oldest_first():
    reports = [
        msgspec.structs.replace(make_report(f"student {number}", ATTENTION, {}), python=version)
        for number, version in enumerate(["3.14", "3.9", "3.11", "", "3.11"])
    ]
    assert class_statistics(reports, CONFIG).pythons == ("3.9", "3.11", "3.14")
