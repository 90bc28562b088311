"""Late penalties: pure functions of times, policy and points."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from autograder.course.config import LatePolicy

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Late:
    """The number of started days that a submission is late, and the points that it keeps."""

    days: int
    points: int


def late_points(
    points: int,
    policy: LatePolicy,
    *,
    due: datetime | None,
    handed_in: datetime | None,
    extension_days: int = 0,
) -> Late:
    """Subtract the late penalty.

    Args:
        points: earned points; 0 or more.
        policy: the late policy of the course.
        due: due time, with a time zone; if None, no submission is late.
        handed_in: time of submission, with a time zone; None means unknown and is never late.
        extension_days: days granted to this student for this stage.

    Raises:
        ValueError: a time has no time zone, so the two times cannot be compared.
    """
    days = days_late(policy, due=due, handed_in=handed_in, extension_days=extension_days)
    return Late(days, points - points_lost(points, policy, days))


def points_lost(points: int, policy: LatePolicy, days: int) -> int:
    """Return the points that a submission loses if it is ``days`` late, at most all of ``points``.

    Every started day costs the share ``per_day`` of the points; after ``max_days`` days, all points are lost. If
    ``per_day`` is 0, a submission never loses points. The loss is rounded down: at 10 %, 7 points lose none; at 20 %,
    they lose one.
    """
    if policy.per_day == 0:
        return 0
    if days > policy.max_days:
        return points
    # The decimal that grading.yml contains: the float 0.1 is slightly larger than a tenth.
    share = Fraction(str(policy.per_day)) * days
    return math.floor(min(share, Fraction(1)) * points)


def days_late(policy: LatePolicy, *, due: datetime | None, handed_in: datetime | None, extension_days: int = 0) -> int:
    """Return the started days after due date, extension and grace period; 0 means in time.

    Raises:
        ValueError: a time has no time zone.
    """
    if due is None or handed_in is None:
        return 0
    for name, moment in (("due", due), ("handed_in", handed_in)):
        if moment.utcoffset() is None:
            raise ValueError(f"{name} ({moment}) has no time zone; add one, as in 2026-03-01T12:00:00+01:00")
    late_by = handed_in - due - extension_days * _DAY - timedelta(minutes=policy.grace_minutes)
    return max(math.ceil(late_by / _DAY), 0)
