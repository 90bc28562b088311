"""What a regrade changes: who gains or loses points, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec

from autograder.base.results import CheckResult, Outcome, ReportState, StageReport

_UNDECIDED = (Outcome.GRADER_ERROR, Outcome.NOT_GRADED)


@dataclass(frozen=True)
class Regraded:
    """The report of a student and stage before and after a regrade; ``before`` is None for a first result."""

    before: StageReport | None
    after: StageReport

    @cached_property
    def difference(self) -> int:
        """The points gained; negative for points lost. A report without a number counts 0."""
        return (self.after.final or 0) - ((self.before.final or 0) if self.before else 0)

    @cached_property
    def changes(self) -> bool:
        """Whether the points or the state differ."""
        before = self.before
        if before is self.after:
            return False
        return before is None or (before.final, before.state) != (self.after.final, self.after.state)

    def reasons(self) -> tuple[str, ...]:
        """Why the points differ, one phrase for each check or rule."""
        return tuple(_reasons(self.before, self.after)) if self.before is not None else ("first result",)


def never_lower(report: StageReport, before: StageReport) -> StageReport:
    """The report in which the checks that the same hand-in passed before stay passed."""
    passed = {check.id for check in before.checks if check.passed}

    def kept(check: CheckResult) -> CheckResult:
        if check.id not in passed or check.passed or check.outcome in _UNDECIDED:
            return check
        emptied = {
            "what": "",
            "where": "",
            "hint": "",
            "mistake": None,
            "forbidden": "",
            "stand_ins": (),
            "example": (),
        }
        return msgspec.structs.replace(check, outcome=Outcome.PASSED, kept=True, **emptied)

    return msgspec.structs.replace(report, checks=tuple(map(kept, report.checks)))


def counts(regraded: Iterable[Regraded]) -> tuple[int, int, int]:
    """The numbers of results that gain points, lose points, and stay as they are."""
    signs = Counter(item.changes and (item.difference > 0) - (item.difference < 0) for item in regraded)
    return signs[1], signs[-1], signs[0]


def _reasons(before: StageReport, after: StageReport) -> Iterator[str]:
    if before.digest != after.digest:
        yield "another hand-in"
    if before.state is not after.state:
        reason = after.why_not_graded
        yield f"{before.state} → {after.state}{f': {reason}' if reason else ''}"
    earlier = {check.id: check for check in before.checks}
    later = {check.id: check for check in after.checks}
    if after.state is ReportState.GRADED:
        for name, check in later.items():
            yield from _check_reasons(earlier.get(name), check)
    dropped = {check.id for check in after.dropped}
    for name in earlier:
        if name not in later:
            yield f"{name}: {'dropped' if name in dropped else 'removed'}"
    if before.points_lost != after.points_lost:
        yield f"lateness costs {before.points_lost} → {after.points_lost} points"
    if before.bonus_counts != after.bonus_counts:
        yield f"bonus points {'count' if after.bonus_counts else 'do not count'}"


def _check_reasons(before: CheckResult | None, after: CheckResult) -> Iterator[str]:
    if before is None:
        yield f"{after.id}: new, {after.score} of {after.points}"
    elif (before.given, before.given_because) != (after.given, after.given_because):
        decided = f"override, {after.given} of {after.points}: {after.given_because}"
        yield f"{after.id}: {decided if after.given is not None else 'no override any more'}"
    elif before.outcome is not after.outcome:
        yield f"{after.id}: {_word(before)} → {_word(after)}"
    elif after.kept and not before.kept:
        yield f"{after.id}: stays passed"
    elif before.score != after.score:
        yield f"{after.id}: {before.score} → {after.score} points"


def _word(check: CheckResult) -> str:
    return check.outcome.replace("_", " ").lower()
