"""Late penalties at every boundary, in integer points."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.course.config import LatePolicy
from autograder.course.policy import Late, days_late, late_points

DUE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLICY = LatePolicy(per_day=0.1, max_days=5, grace_minutes=10)
SECOND = timedelta(seconds=1)
MINUTES_10 = timedelta(minutes=10)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("after", "days", "points"),
    [
        (-DAY, 0, 20),
        (timedelta(0), 0, 20),
        (MINUTES_10, 0, 20),
        (MINUTES_10 + SECOND, 1, 18),
        (MINUTES_10 + DAY, 1, 18),
        (MINUTES_10 + DAY + SECOND, 2, 16),
        (MINUTES_10 + 5 * DAY, 5, 10),
        (MINUTES_10 + 5 * DAY + SECOND, 6, 0),
        (400 * DAY, 400, 0),
    ],
)
def test_every_started_day_after_the_grace_period_costs_its_share(after, days, points):
    assert late_points(20, POLICY, due=DUE, handed_in=DUE + after) == Late(days, points)


def test_an_extension_moves_the_due_date_and_the_grace_period():
    handed_in = DUE + 2 * DAY + MINUTES_10
    assert days_late(POLICY, due=DUE, handed_in=handed_in, extension_days=2) == 0
    assert days_late(POLICY, due=DUE, handed_in=handed_in + SECOND, extension_days=2) == 1


def test_without_a_due_date_or_a_known_time_no_submission_is_late():
    assert late_points(7, POLICY, due=None, handed_in=DUE) == Late(0, 7)
    assert late_points(7, POLICY, due=DUE, handed_in=None) == Late(0, 7)


def test_a_policy_without_a_share_per_day_takes_no_points():
    assert late_points(7, LatePolicy(), due=DUE, handed_in=DUE + 100 * DAY) == Late(100, 7)


def test_max_days_of_zero_makes_the_due_date_final():
    policy = LatePolicy(per_day=0.1, max_days=0, grace_minutes=0)
    assert late_points(7, policy, due=DUE, handed_in=DUE) == Late(0, 7)
    assert late_points(7, policy, due=DUE, handed_in=DUE + SECOND) == Late(1, 0)


@pytest.mark.parametrize(
    ("points", "per_day", "days", "left"),
    [
        (7, 0.1, 1, 7),  # 0.7 of a point is rounded down to none
        (7, 0.1, 2, 6),  # 1.4 points are rounded down to one
        (10, 0.1, 3, 7),  # exactly 3 points, although 3 * 0.1 > 0.3 in floating point
        (100, 0.07, 1, 93),  # exactly 7 points, although 100 * 0.07 > 7 in floating point
        (3, 0.9, 2, 0),
        (0, 0.5, 1, 0),
    ],
)
def test_the_loss_is_rounded_down(points, per_day, days, left):
    policy = LatePolicy(per_day=per_day, max_days=5, grace_minutes=0)
    assert late_points(points, policy, due=DUE, handed_in=DUE + days * DAY) == Late(days, left)


def test_times_in_different_time_zones_are_compared():
    tokyo = timezone(timedelta(hours=9))
    assert days_late(POLICY, due=DUE, handed_in=datetime(2026, 3, 1, 21, 0, tzinfo=tokyo)) == 0
    assert days_late(POLICY, due=DUE, handed_in=datetime(2026, 3, 1, 21, 11, tzinfo=tokyo)) == 1


@pytest.mark.parametrize("argument", ["due", "handed_in"])
def test_a_time_without_a_time_zone_is_refused(argument):
    times = {"due": DUE, "handed_in": DUE, argument: DUE.replace(tzinfo=None)}
    with pytest.raises(ValueError, match=f"{argument} .* no time zone"):
        late_points(7, POLICY, **times)


@given(
    st.integers(0, 200),
    st.floats(0, 1),
    st.integers(0, 10),
    st.timedeltas(-3 * DAY, 20 * DAY),
    st.timedeltas(timedelta(0), 5 * DAY),
)
def test_a_later_submission_never_keeps_more_points(points, per_day, max_days, after, more):
    policy = LatePolicy(per_day=per_day, max_days=max_days)
    early = late_points(points, policy, due=DUE, handed_in=DUE + after)
    late = late_points(points, policy, due=DUE, handed_in=DUE + after + more)
    assert 0 <= late.points <= early.points <= points
    assert late.days >= early.days


@given(st.integers(0, 200), st.timedeltas(timedelta(0), 20 * DAY), st.integers(0, 30))
def test_an_extension_never_costs_points(points, after, extension_days):
    handed_in = DUE + after
    plain = late_points(points, POLICY, due=DUE, handed_in=handed_in)
    extended = late_points(points, POLICY, due=DUE, handed_in=handed_in, extension_days=extension_days)
    assert extended.points >= plain.points
