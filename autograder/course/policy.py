"""What lateness costs: a pure function from times and policy to points."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from autograder.course.config import LatePolicy

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Late:
    """How late a hand-in was, in days begun, and what is left of its points."""

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
    """Take off what lateness costs.

    Args:
        points: what was earned; 0 or more.
        policy: of the course.
        due: with its time zone; None is never late.
        handed_in: with its time zone; None is not known, and never late.
        extension_days: granted to this student for this stage.

    Raises:
        ValueError: one of the times has no time zone, so that the two cannot be compared.
    """
    days = days_late(policy, due=due, handed_in=handed_in, extension_days=extension_days)
    return Late(days, points - points_lost(points, policy, days))


def points_lost(points: int, policy: LatePolicy, days: int) -> int:
    """The whole points that a hand-in loses which is ``days`` late, at most all that it has.

    Every day begun costs ``per_day`` of the points; after ``max_days`` of them nothing is left. A
    ``per_day`` of 0 costs nothing, however late. A fraction of a point is left to the student: 7
    points at 10 % lose none, at 20 % one.
    """
    if policy.per_day == 0:
        return 0
    if days > policy.max_days:
        return points
    # As a decimal, the way it is written in grading.yml: the float 0.1 is a little more than a tenth.
    share = Fraction(str(policy.per_day)) * days
    return math.floor(min(share, Fraction(1)) * points)


def days_late(policy: LatePolicy, *, due: datetime | None, handed_in: datetime | None, extension_days: int = 0) -> int:
    """Days begun after due date, extension and grace; 0 is in time.

    Raises:
        ValueError: one of the times has no time zone.
    """
    if due is None or handed_in is None:
        return 0
    for name, moment in (("due", due), ("handed_in", handed_in)):
        if moment.utcoffset() is None:
            raise ValueError(f"{name} ({moment}) has no time zone; write one, as in 2026-03-01T12:00:00+01:00")
    late_by = handed_in - due - extension_days * _DAY - timedelta(minutes=policy.grace_minutes)
    return max(math.ceil(late_by / _DAY), 0)
