"""The results of grading: outcomes, check results, stage reports, and their versioned JSON.

All code that renders, files or exports a grade reads these structures; no other structure carries a
score. A score is an integer, all or nothing per check, and only
``Outcome.PASSED`` earns points.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

FORMAT_VERSION = 1


class Outcome(StrEnum):
    """How one check ended."""

    PASSED = "PASSED"
    FAILED = "FAILED"  # a wrong answer
    ERROR = "ERROR"  # the submission raised
    TIMEOUT = "TIMEOUT"  # it exceeded its time limit
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NOT_ATTEMPTED = "NOT_ATTEMPTED"  # the stub is unchanged, or no file was handed in
    BLOCKED = "BLOCKED"  # the file was refused, or the module does not import
    GRADER_ERROR = "GRADER_ERROR"  # a fault of the grader: never filed as a score


class IsolationLevel(StrEnum):
    """How strongly student code was isolated while it ran; recorded in every report."""

    KERNEL_NAMESPACES = "kernel+ns"
    KERNEL = "kernel"
    CONTAINER = "container"
    NONE = "none"


def lowest_level(levels: Iterable[IsolationLevel]) -> IsolationLevel:
    """The weakest of several levels; ``IsolationLevel.NONE`` if ``levels`` is empty."""
    order = list(IsolationLevel)
    return max(levels, key=order.index, default=IsolationLevel.NONE)


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One scored hidden check of one submission.

    ``what`` is a symptom, ``where`` a location in the student's file, ``hint`` the author's advice;
    none of them contains an input, a value or exception text. ``mistake`` is the id of the named
    mistake that explains the failure; ``forbidden`` is the name of the forbidden function that was called.
    ``stand_ins`` names the exercises of the same module for which the course's own stood in, because the
    student's did not pass.
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

    @property
    def passed(self) -> bool:
        """Whether the check earns its points."""
        return self.outcome is Outcome.PASSED

    @property
    def score(self) -> int:
        """Points earned: all or nothing."""
        return self.points if self.passed else 0


class StageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One student's result in one stage.

    ``stand_ins`` names the earlier modules that were replaced by the course's own; ``notes`` are
    for the instructor (invisible characters, unexpected paths); ``digest`` identifies what was graded.
    """

    student: str
    stage: str
    checks: tuple[CheckResult, ...]
    isolation: IsolationLevel
    stand_ins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""

    @property
    def graded(self) -> bool:
        """Whether the score may be filed: there are checks, and none ended in a grader error."""
        return bool(self.checks) and all(check.outcome is not Outcome.GRADER_ERROR for check in self.checks)

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
        return {
            "student": self.student,
            "stage": self.stage,
            "points": self.points,
            "score": self.score,
            "bonus": self.bonus,
            "graded": self.graded,
            "isolation": self.isolation.value,
            "stand_ins": list(self.stand_ins),
            "notes": list(self.notes),
            "digest": self.digest,
            "checks": checks,
        }


class ResultsFormatError(ValueError):
    """The bytes are not a results file, or have an unsupported version."""


def encode_results(
    reports: Iterable[StageReport], isolation: IsolationLevel, locations: Mapping[tuple[str, str], str] = {}
) -> bytes:
    """The JSON that ``autograder grade --json`` writes, for instructors.

    Args:
        reports: the reports to write.
        isolation: the weakest level among them.
        locations: stage and check id → file and line of the hidden test; the ``test`` of a check
            without a location is null.
    """
    document = {
        "format_version": FORMAT_VERSION,
        "isolation": isolation.value,
        "reports": [report.to_builtins(locations) for report in reports],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def decode_results(raw: bytes) -> tuple[IsolationLevel, list[StageReport]]:
    """Decode the JSON of ``encode_results``; derived scores are recomputed, not read.

    Raises:
        ResultsFormatError: The bytes are not JSON, have another version, or contain an invalid report.
    """
    try:
        version = msgspec.json.decode(raw, type=_Version).format_version
        if version != FORMAT_VERSION:
            known = f"this program reads version {FORMAT_VERSION}"
            raise ResultsFormatError(f"the results have format version {version}, but {known}; grade again")
        document = msgspec.json.decode(raw, type=_Document)
    except msgspec.DecodeError as error:
        raise ResultsFormatError(f"not a results file: {error}") from None
    return document.isolation, list(document.reports)


class _Version(msgspec.Struct):
    format_version: int


class _Document(_Version):
    isolation: IsolationLevel
    reports: tuple[StageReport, ...]
