"""Points that students' own runs reported, beside the results of the hidden tests.

A student can write whatever their repository reports. A claim far above the results hints at a changed workflow, or at
tests that a submission recognises.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from autograder.base.json_bytes import decode_json
from autograder.base.results import StageReport
from autograder.course.lab import LabError

LEAST_DIFFERENCE = 0.2


class ClaimsError(LabError):
    """A file of claims cannot be read."""


@dataclass(frozen=True)
class Claim:
    """A student's claim and the result, as shares of the points possible."""

    student: str
    claimed: float
    ours: float

    @property
    def difference(self) -> float:
        """How far the claim is above the result."""
        return self.claimed - self.ours


def read_claims(path: Path) -> dict[str, float]:
    """Read the share of points that each login claims: Classroom 50's ``scores.json``, or a CSV file.

    The columns of the CSV file are ``username`` (or ``student``), ``score`` and ``max_score``, as in the file of
    ``gh teacher download``.

    Raises:
        ClaimsError: the file cannot be read or lacks a column.
    """
    try:
        raw = path.read_bytes()
        rows = _from_scores(raw) if raw.lstrip().startswith(b"{") else _from_csv(raw)
        return {login.casefold(): score / most for login, score, most in rows if most}
    except (OSError, UnicodeDecodeError, csv.Error, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        expected = "a scores.json of Classroom 50, or a CSV file with the columns username, score and max_score"
        raise ClaimsError(
            f"{path} cannot be read as claims ({type(error).__name__}: {error}); expected: {expected}"
        ) from None


def _from_scores(raw: bytes) -> Iterator[tuple[str, float, float]]:
    document = decode_json(raw, dict[str, Any])
    for bucket in document["assignments"].values():
        for entry in bucket["entries"]:
            latest = entry["submissions"][0]
            yield str(entry["owner"]), float(latest["score"]), float(latest["max-score"])


def _from_csv(raw: bytes) -> Iterator[tuple[str, float, float]]:
    for row in csv.DictReader(raw.decode("utf-8-sig").splitlines()):
        login = row["username"] if "username" in row else row["student"]
        if row["score"]:
            yield login, float(row["score"]), float(row["max_score"])


def differing_claims(claims: Mapping[str, float], reports: Iterable[StageReport]) -> list[Claim]:
    """The claims that are at least ``LEAST_DIFFERENCE`` above the results, the largest difference first.

    Args:
        claims: login → claimed share. A student's id is the login, or ends with ``-`` and the login as a clone's name.
        reports: the reports of the stages that the claims are about; penalties do not count.
    """
    points: dict[str, tuple[int, int]] = {}
    for report in reports:
        if report.graded:
            score, possible = points.get(report.student, (0, 0))
            points[report.student] = (score + report.score, possible + report.points)
    found = []
    for student, (score, possible) in points.items():
        login = _login(student.casefold(), claims)
        if login is not None and possible:
            found.append(Claim(student, claims[login], score / possible))
    differing = [claim for claim in found if claim.difference >= LEAST_DIFFERENCE]
    return sorted(differing, key=lambda claim: (-claim.difference, claim.student))


def _login(student: str, claims: Mapping[str, float]) -> str | None:
    if student in claims:
        return student
    parts = student.split("-")
    ends = ("-".join(parts[index:]) for index in range(1, len(parts)))
    return next((end for end in ends if end in claims), None)
