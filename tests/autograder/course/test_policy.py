"""The cost of lateness at every boundary, in integer points."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.course.config import LatePolicy, Policies
from autograder.course.policy import days_late, examples_from, points_lost

DUE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLICY = LatePolicy(per_day=0.1, max_days=5, grace_minutes=10)
SECOND = timedelta(seconds=1)
MINUTES_10 = timedelta(minutes=10)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("after", "days", "lost"),
    [
        (-DAY, 0, 0),
        (timedelta(0), 0, 0),
        (MINUTES_10, 0, 0),
        (MINUTES_10 + SECOND, 1, 2),
        (MINUTES_10 + DAY, 1, 2),
        (MINUTES_10 + DAY + SECOND, 2, 4),
        (MINUTES_10 + 5 * DAY, 5, 10),
        (MINUTES_10 + 5 * DAY + SECOND, 6, 20),
        (400 * DAY, 400, 20),
    ],
)
def test_each_day_begun_after_the_grace_period_costs_its_share(after, days, lost):
    assert days_late(POLICY, due=DUE, handed_in=DUE + after) == days
    assert points_lost(20, POLICY, days) == lost


def test_an_extension_moves_due_date_and_grace():
    handed_in = DUE + 2 * DAY + MINUTES_10
    assert days_late(POLICY, due=DUE, handed_in=handed_in, extension_days=2) == 0
    assert days_late(POLICY, due=DUE, handed_in=handed_in + SECOND, extension_days=2) == 1


def test_without_due_date_or_known_time_nothing_is_late():
    assert days_late(POLICY, due=None, handed_in=DUE) == 0
    assert days_late(POLICY, due=DUE, handed_in=None) == 0
    assert points_lost(7, POLICY, 0) == 0


def test_a_policy_without_a_share_per_day_takes_nothing():
    assert days_late(LatePolicy(), due=DUE, handed_in=DUE + 100 * DAY) == 100
    assert points_lost(7, LatePolicy(), 100) == 0


def test_a_policy_without_late_days_makes_the_due_date_final():
    policy = LatePolicy(per_day=0.1, max_days=0, grace_minutes=0)
    assert days_late(policy, due=DUE, handed_in=DUE) == 0
    assert days_late(policy, due=DUE, handed_in=DUE + SECOND) == 1
    assert [points_lost(7, policy, days) for days in (0, 1)] == [0, 7]


@pytest.mark.parametrize(
    ("points", "per_day", "days", "lost"),
    [
        (7, 0.1, 1, 0),  # 0.7 of a point is not taken
        (7, 0.1, 2, 1),  # 1.4 takes one
        (10, 0.1, 3, 3),  # exactly 3, although 3 * 0.1 is more than 0.3 in binary
        (100, 0.07, 1, 7),  # exactly 7, although 100 * 0.07 is more than 7 in binary
        (3, 0.9, 2, 3),
        (0, 0.5, 1, 0),
    ],
)
def test_the_loss_is_rounded_down(points, per_day, days, lost):
    assert points_lost(points, LatePolicy(per_day=per_day, max_days=5, grace_minutes=0), days) == lost


def test_time_zones_are_compared_not_clocks():
    tokyo = timezone(timedelta(hours=9))
    assert days_late(POLICY, due=DUE, handed_in=datetime(2026, 3, 1, 21, 0, tzinfo=tokyo)) == 0
    assert days_late(POLICY, due=DUE, handed_in=datetime(2026, 3, 1, 21, 11, tzinfo=tokyo)) == 1


@pytest.mark.parametrize("argument", ["due", "handed_in"])
def test_a_time_without_a_zone_is_refused(argument):
    times = {"due": DUE, "handed_in": DUE, argument: DUE.replace(tzinfo=None)}
    with pytest.raises(ValueError, match=f"{argument} .* no time zone"):
        days_late(POLICY, **times)


@given(
    st.integers(0, 200),
    st.floats(0, 1),
    st.integers(0, 10),
    st.timedeltas(-3 * DAY, 20 * DAY),
    st.timedeltas(timedelta(0), 5 * DAY),
)
def test_later_is_never_worth_more_and_nothing_leaves_its_bounds(points, per_day, max_days, after, more):
    policy = LatePolicy(per_day=per_day, max_days=max_days)
    early, late = (days_late(policy, due=DUE, handed_in=DUE + after + wait) for wait in (timedelta(0), more))
    assert late >= early
    assert 0 <= points_lost(points, policy, early) <= points_lost(points, policy, late) <= points


@given(st.integers(0, 200), st.timedeltas(timedelta(0), 20 * DAY), st.integers(0, 30))
def test_an_extension_never_costs(points, after, extension_days):
    handed_in = DUE + after
    plain = days_late(POLICY, due=DUE, handed_in=handed_in)
    extended = days_late(POLICY, due=DUE, handed_in=handed_in, extension_days=extension_days)
    assert points_lost(points, POLICY, extended) <= points_lost(points, POLICY, plain)


def test_examples_are_shown_once_no_hand_in_of_anybody_earns_points():
    def begin(**more):
        return examples_from(Policies(late=POLICY, feedback="after_due", **more), "2_attention", DUE)

    assert begin() == DUE + 5 * DAY + MINUTES_10
    assert begin(extensions={"ada": {"2_attention": 3}, "bob": {"3_other": 9}}) == DUE + 8 * DAY + MINUTES_10
    assert examples_from(Policies(feedback="after_due"), "2_attention", DUE) == DUE + MINUTES_10, "late work is free"
    assert examples_from(Policies(feedback="after_due"), "2_attention", None) is None
    assert examples_from(Policies(), "2_attention", DUE) is None
