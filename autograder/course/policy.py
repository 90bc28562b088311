"""The rules that turn points into grades, in ``grading.yml``, and the cost of lateness that follows from them."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from autograder.course.yaml_source import Keys, YamlSource, nearest

_DAY = timedelta(days=1)

Days = Annotated[int, msgspec.Meta(ge=0)]


class LatePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Share of a stage's score lost per started day after the due date, and the days after which all is lost.

    ``free_days`` late days of each student cost nothing. They are spent in the order of the stages.
    """

    per_day: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    max_days: Days = 7
    free_days: Days = 0
    grace_minutes: Annotated[int, msgspec.Meta(ge=0)] = 10


class TotalPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the points of the stages become a student's total.

    The ``drop_lowest`` stages in which the student has the lowest shares of the points do not count. ``at_most`` limits
    the total to a share of the points possible: with 1.0, points of extensions make up for lost points only.
    """

    drop_lowest: Annotated[int, msgspec.Meta(ge=0)] = 0
    at_most: Annotated[float, msgspec.Meta(gt=0)] | None = None  # None: no limit


class Override(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The points of one check of one student, decided by a person; the student reads the reason."""

    points: Annotated[int, msgspec.Meta(ge=0)]
    reason: Annotated[str, msgspec.Meta(min_length=1)]


class Policies(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that turn points into grades."""

    late: LatePolicy = LatePolicy()
    total: TotalPolicy = TotalPolicy()
    extensions: dict[str, dict[str, Days]] = {}  # student → stage → days
    overrides: dict[str, dict[str, dict[str, Override]]] = {}  # student → stage → check → points
    attempts: Annotated[int, msgspec.Meta(ge=1)] | None = (
        None  # graded submissions that count per stage; None: no limit
    )
    counts: Literal["last", "best"] = "last"  # which attempt counts; the best by its points after the late penalty
    count_bonus: bool = True
    # What pages for students show of a failed check: hints alone, or its example too once no hand-in earns points.
    feedback: Literal["hints", "after_due"] = "hints"
    # of times without a zone, such as those in zip archives: Europe/Berlin
    time_zone: Annotated[str, msgspec.Meta(min_length=1)] | None = None

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone."""
        return ZoneInfo(self.time_zone) if self.time_zone is not None else None


def check_policies(policies: Policies, points: Mapping[str, Mapping[str, int]], keys: Keys, source: YamlSource) -> None:
    """Check the stages of the extensions, the checks of the overrides, the stages that count, and the time zone.

    Args:
        policies: the policies.
        points: stage → check → its points.
        keys: where the policies are in the file.
        source: the file.

    Raises:
        ConfigError: a stage, a check or the time zone is unknown, an override exceeds its check, or no stage counts.
    """
    for name, granted in (("extensions", policies.extensions), ("overrides", policies.overrides)):
        for student, stages in granted.items():
            for stage_id in stages:
                _check_name("stage", stage_id, points, (*keys, name, student), source)
    for student, decided in policies.overrides.items():
        for stage_id, checks in decided.items():
            for check, override in checks.items():
                here = (*keys, "overrides", student, stage_id)
                _check_name("check", check, points[stage_id], here, source)
                if override.points > points[stage_id][check]:
                    most = f"{override.points} is more than the {points[stage_id][check]} points of the check"
                    raise source.error((*here, check, "points"), most)
    if policies.total.drop_lowest >= len(points):
        few = f"{policies.total.drop_lowest} would drop all {len(points)} stages; the most is {len(points) - 1}"
        raise source.error((*keys, "total", "drop_lowest"), few)
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
    days = extension + (late.max_days + late.free_days if late.per_day else 0)
    return due + days * _DAY + timedelta(minutes=late.grace_minutes)


def examples_from(policies: Policies, stage: str, due: datetime | None) -> datetime | None:
    """The time from which students may see the examples on which their checks failed; None for never.

    It is the due date with the longest extension, and with the days on which late work still earns points.
    """
    return last_hand_in(policies, stage, due) if policies.feedback == "after_due" else None


def _check_name(kind: str, name: str, known: Iterable[str], keys: Keys, source: YamlSource) -> None:
    names = tuple(known)
    if name not in names:
        raise source.error((*keys, name), f"no {kind} named `{name}`{nearest(name, names)}")


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
