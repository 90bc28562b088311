"""The rules that turn points into grades, in ``grading.yml``, and the cost of lateness that follows from them."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from autograder.course.yaml_source import Keys, YamlSource, nearest

_DAY = timedelta(days=1)

Days = Annotated[int, msgspec.Meta(ge=0)]


class LatePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Share of a stage's score lost per started day after the due date, and the days after which all is lost."""

    per_day: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    max_days: Days = 7
    grace_minutes: Annotated[int, msgspec.Meta(ge=0)] = 10


class Policies(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that turn points into grades."""

    late: LatePolicy = LatePolicy()
    extensions: dict[str, dict[str, Days]] = {}  # student → stage → days
    attempts: Annotated[int, msgspec.Meta(ge=1)] | None = (
        None  # graded submissions that count per stage; None: no limit
    )
    count_bonus: bool = True
    # of times without a zone, such as those in zip archives: Europe/Berlin
    time_zone: Annotated[str, msgspec.Meta(min_length=1)] | None = None

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone."""
        return ZoneInfo(self.time_zone) if self.time_zone is not None else None


def check_policies(policies: Policies, stages: Iterable[str], keys: Keys, source: YamlSource) -> None:
    """Check the stages of the extensions, and the time zone.

    Raises:
        ConfigError: a stage or the time zone is unknown.
    """
    known = tuple(stages)
    for student, extended in policies.extensions.items():
        for stage_id in extended:
            if stage_id not in known:
                problem = f"no stage named `{stage_id}`{nearest(stage_id, known)}"
                raise source.error((*keys, "extensions", student, stage_id), problem)
    try:
        _ = policies.zone
    except (ZoneInfoNotFoundError, ValueError, OSError):
        close = nearest(str(policies.time_zone), sorted(available_timezones()))
        problem = f"`{policies.time_zone}` is not a time zone such as Europe/Berlin{close}"
        raise source.error((*keys, "time_zone"), problem) from None


def last_hand_in(policies: Policies, stage_id: str, due: datetime | None) -> datetime | None:
    """Return until when a hand-in of a stage can earn points: due date, grace, the longest extension and late days.

    Late days count only where they cost something; work that costs nothing however late has no end of its own.

    Args:
        policies: the course's policies.
        stage_id: the stage.
        due: its due date with its time zone; None if it has none.
    """
    if due is None:
        return None
    late = policies.late
    extension = max((stages.get(stage_id, 0) for stages in policies.extensions.values()), default=0)
    days = extension + (late.max_days if late.per_day else 0)
    return due + days * _DAY + timedelta(minutes=late.grace_minutes)


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
