"""Classroom 50: grades by our re-run, in ``scores.json`` of a classroom and ``result.json`` of a submission.

The identity of a submission (tag, commit, links, time) comes from the classroom's own ``scores.json``. ``"override":
true`` of an entry keeps its points when Classroom 50 collects scores again. Points are integers from 0 to
``max-score``. Source: Classroom 50, ``schemas/scores-v1.schema.json`` and ``schemas/result-v1.schema.json``.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from autograder.base.json_bytes import decode_json
from autograder.base.results import StageReport
from autograder.base.sinks import json_text
from autograder.course.policy import TotalPolicy
from autograder.feedback.platforms import PlatformFileError
from autograder.feedback.platforms.rows import PlatformRow, counted_points, platform_rows
from autograder.integrations.grades import Grade
from autograder.integrations.totals import Total, course_total

SCORES = "classroom50/scores/v1"
RESULT = "classroom50/result/v1"


@dataclass
class Rescored:
    """A classroom with our points.

    Attributes:
        scores: the new ``scores.json``.
        results: login → ``result.json`` of the latest submission.
        unknown: students with points who have no entry.
        notes: what the instructor should know, one line each.
    """

    scores: bytes = b""
    results: dict[str, bytes] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def rescore(
    path: Path,
    reports: Mapping[str, Sequence[StageReport]],
    grades: Mapping[str, Sequence[Grade]],
    policy: TotalPolicy,
    assignment: str | None = None,
    now: datetime | None = None,
) -> Rescored:
    """Replace the points of the latest submissions of an assignment by ours.

    Args:
        path: the classroom's ``scores.json``.
        reports: student → reports of the stages that make up the assignment.
        grades: student → the grade of each report.
        policy: how the points of several stages become the score.
        assignment: the assignment's name in ``scores.json``; may be None if it has only one.
        now: the time of grading; the current time if None.

    Raises:
        PlatformFileError: the file is not a classroom's ``scores.json``, or has no such assignment.
    """
    document = _read(path)
    name, bucket = _bucket(path, document["assignments"], assignment)
    graded_at = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    students = _students(path, grades, [str(entry["owner"]) for entry in bucket["entries"]])
    rescored = Rescored(unknown=[student for student in grades if student not in students.values()])
    for entry in bucket["entries"]:
        student = students.get(str(entry["owner"]).casefold())
        if student is None or all(grade.points is None for grade in grades[student]):
            continue
        rows = platform_rows(reports[student], grades[student])
        record = entry["submissions"][0]
        total = course_total(grades[student], policy)
        record.update(_points(rows, total), graded_at=graded_at)
        entry["override"] = True
        rescored.notes += _rounded(student, total)
        rescored.results[entry["owner"]] = json_text(_result(record, name))
    rescored.scores = json_text(document)
    return rescored


def _result(record: Mapping[str, Any], assignment: str) -> dict[str, Any]:
    """A record of ``scores.json`` as the ``result.json`` that it came from; ``late`` is not part of that."""
    return {
        "schema": RESULT,
        "assignment": assignment,
        **{key: value for key, value in record.items() if key != "late"},
    }


def _students(path: Path, students: Iterable[str], owners: Sequence[str]) -> dict[str, str]:
    """Owner of an entry, in lower case → student.

    A student's id is the owner's login, or ends with it as the name of a clone does, ``CLASSROOM-ASSIGNMENT-OWNER``.
    """
    logins = [owner.casefold() for owner in owners]
    found: dict[str, str] = {}
    for student in students:
        name = student.casefold()
        login = max((login for login in logins if name == login or name.endswith(f"-{login}")), key=len, default=None)
        if login is None:
            continue
        if login in found:
            raise PlatformFileError(
                f"{path}: {found[login]} and {student} are both the student {login}; grade one of them"
            )
        found[login] = student
    return found


def _points(rows: Sequence[PlatformRow], total: Total) -> dict[str, Any]:
    tests = [
        {
            "test-name": f"{row.group}: {row.title}",
            "passed": row.passed,
            "score": max(_whole(row.score), 0),
            "max-score": max(_whole(row.possible), _whole(row.score), 0),
            **({"hint": "; ".join(text for _, text in row.details)} if row.details else {}),
        }
        for row in rows
    ]
    score = max(_whole(total.points or 0.0), 0)
    possible = max(_whole(total.possible), score)
    return {"score": score, "max-score": possible, "tests": tests}


def _whole(points: float) -> int:
    """Points rounded to an integer, halves up."""
    return math.floor(points + 0.5)


def _rounded(student: str, total: Total) -> list[str]:
    points = total.points or 0.0
    if points == int(points):
        return []
    return [f"{student}: {counted_points(points)} are {_whole(points)} in Classroom 50, which has integer points"]


def _read(path: Path) -> dict[str, Any]:
    try:
        document = decode_json(path.read_bytes(), dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise PlatformFileError(f"{path} cannot be read: {error}") from None
    if document.get("schema") != SCORES or not isinstance(document.get("assignments"), dict):
        raise PlatformFileError(f'{path} is not a scores.json of Classroom 50: its "schema" is not "{SCORES}"')
    return document


def _bucket(path: Path, assignments: Mapping[str, Any], name: str | None) -> tuple[str, dict[str, Any]]:
    listed = ", ".join(assignments) or "none"
    if name is None and len(assignments) == 1:
        name = next(iter(assignments))
    if name is None or name not in assignments:
        problem = "choose an assignment with --assignment" if name is None else f"no assignment named {name}"
        raise PlatformFileError(f"{path}: {problem}. Its assignments: {listed}")
    bucket: dict[str, Any] = assignments[name]
    for entry in bucket.get("entries", []):
        if not entry.get("owner") or not entry.get("submissions"):
            raise PlatformFileError(f"{path}: an entry of {name} has no owner or no submission")
    return name, bucket
