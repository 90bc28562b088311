"""The total of a student over the stages: which stages count, and how many points at most."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.course.policy import TotalPolicy
from autograder.integrations.grades import Grade


@dataclass(frozen=True, kw_only=True)
class Total:
    """The points of one student in the whole course.

    Attributes:
        points: points that count, those of extensions included; None without any number.
        possible: points possible in the stages that count, without extensions.
        dropped: the grades that do not count because their stages have the lowest shares.
        over: points beyond the cap, which do not count.
        waits: whether a person must still grade a question or look at a score again.
    """

    points: float | None
    possible: float
    dropped: tuple[Grade, ...] = ()
    over: float = 0.0
    waits: bool = False

    def __str__(self) -> str:
        """``57 / 142``, or a dash without a number."""
        return "–" if self.points is None else f"{self.points:g} / {self.possible:g}"


def course_total(grades: Iterable[Grade], policy: TotalPolicy) -> Total:
    """Add up a student's grades.

    Only grades with a number count. Of these, the ``drop_lowest`` with the lowest shares of the points possible are
    dropped, but one always counts. Of equal shares, the later stage is dropped.

    Args:
        grades: the student's grades, in the order of the stages.
        policy: the course's policy.
    """
    own = tuple(grades)
    numbered = [grade for grade in own if grade.points is not None]
    dropped = _lowest(numbered, min(policy.drop_lowest, len(numbered) - 1))
    counted = [grade for grade in numbered if grade not in dropped]
    possible = sum(grade.possible for grade in counted)
    points = sum(grade.points or 0.0 for grade in counted)
    most = points if policy.at_most is None else min(points, policy.at_most * possible)
    return Total(
        points=most if counted else None,
        possible=possible,
        dropped=dropped,
        over=points - most,
        waits=any(grade.waits for grade in own),
    )


def _lowest(grades: Sequence[Grade], count: int) -> tuple[Grade, ...]:
    """The ``count`` grades with the lowest shares, in the order of the stages."""
    last_first = sorted(reversed(grades), key=_share)
    lowest = last_first[: max(count, 0)]
    return tuple(grade for grade in grades if grade in lowest)


def _share(grade: Grade) -> float:
    return (grade.points or 0.0) / grade.possible if grade.possible else 1.0


def totals(grades: Iterable[Grade], policy: TotalPolicy) -> dict[str, Total]:
    """The total of each student."""
    by_student: dict[str, list[Grade]] = defaultdict(list)
    for grade in grades:
        by_student[grade.student].append(grade)
    return {student: course_total(own, policy) for student, own in by_student.items()}
