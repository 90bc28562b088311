"""The cost of lateness: pure functions from times and policy to days and points."""

import math
from datetime import datetime, timedelta
from fractions import Fraction

from autograder.course.config import LatePolicy

_DAY = timedelta(days=1)


def points_lost(points: int, policy: LatePolicy, days: int) -> int:
    """Compute the points that a submission loses when it is ``days`` late: an integer from 0 to ``points``.

    Each day begun costs ``per_day`` of the points; after more than ``max_days`` days all points are lost. A
    ``per_day`` of 0 costs nothing, however late. The loss is rounded down: 7 points at 10 % lose nothing,
    at 20 % they lose one.
    """
    if policy.per_day == 0:
        return 0
    if days > policy.max_days:
        return points
    # As a decimal, as written in grading.yml: the float 0.1 is slightly more than a tenth.
    share = Fraction(str(policy.per_day)) * days
    return math.floor(min(share, Fraction(1)) * points)


def days_late(policy: LatePolicy, *, due: datetime | None, handed_in: datetime | None, extension_days: int = 0) -> int:
    """Count the days begun after due date, extension and grace period; 0 is in time.

    Args:
        policy: the course's policy.
        due: the due date with its time zone; None is never late.
        handed_in: the time of submission with its time zone; None is unknown, and never late.
        extension_days: the extension of this student for this stage, unless ``due`` includes it.

    Raises:
        ValueError: one of the times has no time zone, so the two cannot be compared.
    """
    if due is None or handed_in is None:
        return 0
    for name, moment in (("due", due), ("handed_in", handed_in)):
        if moment.utcoffset() is None:
            raise ValueError(f"{name} ({moment}) has no time zone; write one, as in 2026-03-01T12:00:00+01:00")
    late_by = handed_in - due - extension_days * _DAY - timedelta(minutes=policy.grace_minutes)
    return max(math.ceil(late_by / _DAY), 0)
