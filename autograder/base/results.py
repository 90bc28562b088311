"""The results of grading: outcomes, check results, stage reports, and their versioned JSON.

All code that renders, files or exports a grade reads these structures; no other structure carries a
score. A score is an integer, all or nothing per check, and only
``Outcome.PASSED`` earns points.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from autograder.base.json_bytes import decode_json
from autograder.base.sinks import json_text

FORMAT_VERSION = 1


class Outcome(StrEnum):
    """How one check ended."""

    PASSED = "PASSED"
    UNPAID = "UNPAID"  # nothing is wrong, but no check of values of its exercise passes
    FAILED = "FAILED"  # a wrong answer
    ERROR = "ERROR"  # the submission raised
    TIMEOUT = "TIMEOUT"  # it exceeded its time limit
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NOT_ATTEMPTED = "NOT_ATTEMPTED"  # the stub is unchanged, or no file was handed in
    BLOCKED = "BLOCKED"  # the file was refused, or the module does not import
    NOT_GRADED = "NOT_GRADED"  # not run, because a person must decide first: never filed as a score
    GRADER_ERROR = "GRADER_ERROR"  # a fault of the grader: never filed as a score


class IsolationLevel(StrEnum):
    """How strongly student code was isolated while it ran; recorded in every report."""

    KERNEL_NAMESPACES = "kernel+ns"
    KERNEL = "kernel"
    CONTAINER = "container"
    NONE = "none"


def lowest_level(levels: Iterable[IsolationLevel | None]) -> IsolationLevel | None:
    """The weakest of several levels; None stands for "no code ran" and is returned if no level is left."""
    order = list(IsolationLevel)
    return max((level for level in levels if level is not None), key=order.index, default=None)


class ReportState(StrEnum):
    """Whether a report is a result; only ``GRADED`` reports count in the statistics of a class."""

    GRADED = "graded"
    NOT_BEGUN = "not begun"  # nothing was handed in, or only the stub as it was released
    NOT_GRADED = "not graded"  # no number until a person decides


JUDGE_FAILED = "the grader failed, not the student; run `autograder doctor`, then grade again"


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One scored hidden check of one submission.

    ``what`` is a symptom, ``where`` a location in the student's file, ``hint`` the author's advice;
    none of them contains an input, a value or exception text. ``mistake`` is the id of the named
    mistake that explains the failure; ``forbidden`` is the name of the forbidden function that was called.
    ``stand_ins`` names the exercises of the same module for which the course's own stood in, because the
    student's did not pass. ``given`` is the number of points that a person decided on, in place of the computed one,
    and ``given_because`` the reason. ``kept`` is whether the check counts as passed because the same hand-in passed it
    before the check was changed. ``example`` holds the input on which the check failed, the expected value and the
    student's, each with its label: for the instructor, and for students only by the policy ``feedback``.
    """

    id: str
    title: str
    exercise: str
    outcome: Outcome
    points: int
    bonus: bool = False
    what: str = ""
    where: str = ""
    hint: str = ""
    mistake: str | None = None
    forbidden: str = ""
    stand_ins: tuple[str, ...] = ()
    seconds: float = 0.0
    given: int | None = None
    given_because: str = ""
    kept: bool = False
    example: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the check earns its points."""
        return self.outcome is Outcome.PASSED

    @property
    def holds(self) -> bool:
        """Whether the check found nothing wrong, whether or not it earns its points."""
        return self.outcome in (Outcome.PASSED, Outcome.UNPAID)

    @property
    def score(self) -> int:
        """Points earned, all or nothing, unless a person decided otherwise."""
        if self.given is not None:
            return self.given
        return self.points if self.passed else 0

    @property
    def decision(self) -> str:
        """What a person decided, as the student reads it; empty if nothing was decided."""
        if self.given is None:
            return ""
        return f"your instructor gave {self.given} of {self.points} points: {self.given_because}"


class StageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One student's result in one stage.

    Attributes:
        student: id of the student.
        stage: id of the stage.
        checks: the results of all checks of the stage.
        dropped: the results of the checks of dropped exercises. They have no points and are shown to no one; they say
            what the student's own code may be used for.
        isolation: the isolation level under which student code ran; None if no code ran.
        stand_ins: the earlier modules that were replaced by the course's own.
        notes: for the instructor (invisible characters, unexpected paths).
        digest: identifies what was graded.
        python: the version of Python that ran the code; empty if no code ran.
        not_graded: why a person must decide before there is a score; names the file. Empty otherwise.
        begun: whether the student has handed in work, and not only the released stub.
        owed: whether the stage counts 0 although it was not begun, because it was requested by name.
        handed_in: the time of the hand-in; None if it is unknown.
        time_source: where that time comes from.
        days_late: days begun after the due date; None if the stage has a due date and the time is unknown.
        free_days: the late days among them that cost nothing.
        points_lost: the points that lateness costs.
        bonus_counts: whether the course counts the points of extensions.
        attempts: the number of attempts so far; 0 if they are not limited.
        attempts_allowed: the number of attempts that count; None if they are not limited.
    """

    student: str
    stage: str
    checks: tuple[CheckResult, ...]
    isolation: IsolationLevel | None
    stand_ins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""
    python: str = ""
    not_graded: str = ""
    begun: bool = True
    owed: bool = False
    handed_in: datetime | None = None
    time_source: str = ""
    days_late: int | None = 0
    free_days: int = 0
    points_lost: int = 0
    bonus_counts: bool = True
    attempts: int = 0
    attempts_allowed: int | None = None
    dropped: tuple[CheckResult, ...] = ()

    @property
    def why_not_graded(self) -> str:
        """The reason why there is no score until a person decides; empty if there is none."""
        if self.not_graded:
            return self.not_graded
        failed = any(check.outcome in (Outcome.GRADER_ERROR, Outcome.NOT_GRADED) for check in self.checks)
        return JUDGE_FAILED if failed or not self.checks else ""

    @property
    def grader_failed(self) -> bool:
        """Whether a check ended in a grader error."""
        return any(check.outcome is Outcome.GRADER_ERROR for check in self.checks)

    @property
    def state(self) -> ReportState:
        """Whether the stage was graded, was not begun, or waits for a person."""
        if self.why_not_graded:
            return ReportState.NOT_GRADED
        return ReportState.GRADED if self.begun else ReportState.NOT_BEGUN

    @property
    def graded(self) -> bool:
        """Whether the score may be filed as a number: a stage that was not begun counts 0 only if it is owed."""
        return self.state is ReportState.GRADED or (self.state is ReportState.NOT_BEGUN and self.owed)

    @property
    def ran(self) -> bool:
        """Whether the module could be loaded, so that the hand-in was an attempt."""
        return any(check.outcome is not Outcome.BLOCKED for check in self.checks)

    @property
    def points(self) -> int:
        """Possible points, without extensions."""
        return sum(check.points for check in self.checks if not check.bonus)

    @property
    def score(self) -> int:
        """Points earned, without extensions."""
        return sum(check.score for check in self.checks if not check.bonus)

    @property
    def bonus(self) -> int:
        """Points earned by extensions."""
        return sum(check.score for check in self.checks if check.bonus)

    @property
    def bonus_points(self) -> int:
        """Possible points of extensions."""
        return sum(check.points for check in self.checks if check.bonus)

    @property
    def final_score(self) -> int:
        """Points earned without extensions, after the penalty for lateness."""
        return max(self.score - self.points_lost, 0)

    @property
    def final_bonus(self) -> int:
        """Points earned by extensions, after the part of the penalty that exceeds ``score``."""
        return self.bonus - max(self.points_lost - self.score, 0)

    @property
    def counted_bonus(self) -> int:
        """Points earned by extensions, if the stage has a score and the course counts them."""
        return self.final_bonus if self.graded and self.bonus_counts else 0

    @property
    def final(self) -> int | None:
        """The points of the stage after the penalty, with those of extensions if they count; None without a score."""
        return self.final_score + self.counted_bonus if self.graded else None

    @property
    def seconds(self) -> float:
        """Total duration of the checks in seconds."""
        return sum(check.seconds for check in self.checks)

    def to_builtins(self, locations: Mapping[tuple[str, str], str] = {}) -> dict[str, Any]:
        """The report as JSON-ready data, with derived scores and the hidden test of each check.

        ``locations`` maps stage and check id to file and line of the hidden test.
        """
        checks = [
            {**msgspec.to_builtins(check), "score": check.score, "test": locations.get((self.stage, check.id))}
            for check in self.checks
        ]
        own = {name: value for name, value in msgspec.to_builtins(self).items() if name != "checks"}
        derived = {"points": self.points, "score": self.score, "bonus": self.bonus, "final": self.final}
        return {**own, **derived, "graded": self.graded, "state": self.state.value, "checks": checks}


class ResultsFormatError(ValueError):
    """The bytes are not a results file, or have an unsupported version."""


def encode_results(
    reports: Iterable[StageReport], isolation: IsolationLevel | None, locations: Mapping[tuple[str, str], str] = {}
) -> bytes:
    """The JSON that ``autograder grade --json`` writes, for instructors.

    Args:
        reports: the reports to write.
        isolation: the weakest level among them; None if no code ran.
        locations: stage and check id → file and line of the hidden test; the ``test`` of a check
            without a location is null.
    """
    document = {
        "format_version": FORMAT_VERSION,
        "isolation": isolation,
        "reports": [report.to_builtins(locations) for report in reports],
    }
    return json_text(document)


def decode_results(raw: bytes) -> tuple[IsolationLevel | None, list[StageReport]]:
    """Decode the JSON of ``encode_results``; derived scores are recomputed, not read.

    Raises:
        ResultsFormatError: The bytes are not JSON, have another version, or contain an invalid report.
    """
    try:
        version = decode_json(raw, _Version).format_version
        if version != FORMAT_VERSION:
            known = f"this program reads version {FORMAT_VERSION}"
            raise ResultsFormatError(f"the results have format version {version}, but {known}; grade again")
        document = decode_json(raw, _Document)
    except msgspec.DecodeError as error:
        raise ResultsFormatError(f"not a results file: {error}") from None
    return document.isolation, list(document.reports)


class _Version(msgspec.Struct):
    format_version: int


class _Document(_Version):
    isolation: IsolationLevel | None
    reports: tuple[StageReport, ...]
