"""The part of a report that its student may see: the only way from results to text for students.

A view holds titles, points, symptoms, locations in the student's file, and hints; every character in
them is visible. It holds no check ids, mistake ids, notes, digests, times or locations of hidden tests, so
no renderer can show them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from types import MappingProxyType

from autograder.base.results import CheckResult, IsolationLevel, Outcome, StageReport
from autograder.course.config import Stage
from autograder.feedback.text import one_line

_NO_TITLES: Mapping[str, str] = MappingProxyType({})

NOT_ISOLATED = "graded without isolation: these points are provisional"
NOT_GRADED = "no score yet: the grader failed, not your code"

_LOCATION = re.compile(r"(?P<file>[^,]+), line (?P<line>[0-9]{1,7})(?=,|$)")

_NOT_RUN = (Outcome.NOT_ATTEMPTED, Outcome.BLOCKED, Outcome.GRADER_ERROR)

_LABELS = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "not right yet",
    Outcome.ERROR: "stopped with an error",
    Outcome.TIMEOUT: "took too long",
    Outcome.OUT_OF_MEMORY: "out of memory",
    Outcome.NOT_ATTEMPTED: "not attempted yet",
    Outcome.BLOCKED: "could not be run",
    Outcome.GRADER_ERROR: "not graded",
}


@dataclass(frozen=True)
class CheckView:
    """One check as its student sees it.

    ``named`` is whether ``what`` names the mistake that explains the failure.
    """

    title: str
    exercise: str
    outcome: Outcome
    points: int
    score: int
    what: str
    where: str
    hint: str
    named: bool

    @property
    def short_title(self) -> str:
        """The title under the heading of its exercise: without the name of the exercise."""
        return self.title.removeprefix(f"{self.exercise}: ")

    @property
    def mark(self) -> str:
        """One character for the outcome, which identifies it without colour."""
        marks = {Outcome.PASSED: "✓", Outcome.NOT_ATTEMPTED: "○", Outcome.GRADER_ERROR: "!"}
        return marks.get(self.outcome, "✗")

    @property
    def label(self) -> str:
        """The outcome in words."""
        return _LABELS[self.outcome]

    @property
    def tone(self) -> str:
        """The colour class of the outcome: ``good``, ``bad``, ``open`` or ``ours``."""
        return {"✓": "good", "○": "open", "!": "ours"}.get(self.mark, "bad")

    @property
    def score_text(self) -> str:
        """``3 / 3``; ``– / 3`` after a grader error."""
        return f"{'–' if self.outcome is Outcome.GRADER_ERROR else self.score} / {self.points}"

    @property
    def details(self) -> list[tuple[str, str]]:
        """Symptom, location and hint, each with its label; empty parts are omitted."""
        parts = [("what", self.what), ("where", self.where), ("hint", self.hint)]
        return [(name, text) for name, text in parts if text and text != self.label]

    def line_in(self, file: str) -> int | None:
        """The line of ``file`` that the check points at; None if it points elsewhere."""
        location = _LOCATION.match(self.where)
        return int(location["line"]) if location and location["file"] == file else None


@dataclass(frozen=True)
class ExerciseView:
    """An exercise with its checks.

    ``remark`` names the exercises for which the course's own stood in; empty if there were none.
    """

    name: str
    title: str
    bonus: bool
    checks: tuple[CheckView, ...]
    remark: str = ""

    @property
    def points(self) -> int:
        """Points possible."""
        return sum(check.points for check in self.checks)

    @property
    def score_text(self) -> str:
        """``5 / 8``; ``– / 8`` if one of the checks has no score."""
        graded = all(check.outcome is not Outcome.GRADER_ERROR for check in self.checks)
        return f"{sum(check.score for check in self.checks) if graded else '–'} / {self.points}"


@dataclass(frozen=True)
class StageView:
    """One stage of one student. ``score`` is None while the stage is not graded."""

    student: str
    stage: str
    title: str
    file: str
    score: int | None
    points: int
    bonus: int
    bonus_points: int
    exercises: tuple[ExerciseView, ...]
    remarks: tuple[str, ...]

    @property
    def checks(self) -> tuple[CheckView, ...]:
        """All checks, in the order of the exercises."""
        return tuple(check for exercise in self.exercises for check in exercise.checks)

    @cached_property
    def common(self) -> CheckView | None:
        """One view for all checks if none ran and all give the same details; its title is the label."""
        first, *others = self.checks or (None,)
        if first is None or not others or first.outcome not in _NOT_RUN:
            return None
        alike = all((other.outcome, other.details) == (first.outcome, first.details) for other in others)
        return replace(first, title=first.label) if alike else None

    @property
    def score_text(self) -> str:
        """``31 / 40``, ``31 / 40 + 2`` with a bonus, or ``not graded``."""
        if self.score is None:
            return "not graded"
        return f"{self.score} / {self.points}" + (f" + {self.bonus}" if self.bonus else "")


def stage_view(report: StageReport, stage: Stage | None = None, titles: Mapping[str, str] = _NO_TITLES) -> StageView:
    """Copy from ``report`` what its student may see.

    Args:
        report: the student's report of one stage.
        stage: source of the stage's title and of the name of the file.
        titles: exercise → title; an exercise without a title is shown by its name.
    """
    return StageView(
        student=one_line(report.student),
        stage=one_line(report.stage),
        title=one_line(stage.title) if stage else "",
        file=f"{stage.module}.py" if stage else "",
        score=report.score if report.graded else None,
        points=report.points,
        bonus=report.bonus,
        bonus_points=report.bonus_points,
        exercises=tuple(_exercises(report.checks, titles)),
        remarks=tuple(_remarks(report)),
    )


def _exercises(checks: Iterable[CheckResult], titles: Mapping[str, str]) -> Iterable[ExerciseView]:
    for name, group in groupby(checks, key=lambda check: check.exercise):
        members = list(group)
        yield ExerciseView(
            name=one_line(name),
            title=one_line(titles.get(name, "")),
            bonus=members[0].bonus,
            checks=tuple(_check(check) for check in members),
            remark=_exercise_remark(members),
        )


def _exercise_remark(checks: Iterable[CheckResult]) -> str:
    names = dict.fromkeys(name for check in checks for name in check.stand_ins)
    if not names:
        return ""
    listed = ", ".join(f"`{one_line(name)}`" for name in names)
    return f"checked with the course's own {listed}, so that errors there cost no points here"


def _check(check: CheckResult) -> CheckView:
    return CheckView(
        title=one_line(check.title),
        exercise=one_line(check.exercise),
        outcome=check.outcome,
        points=check.points,
        score=check.score,
        what=one_line(check.what),
        where=one_line(check.where),
        hint=one_line(check.hint),
        named=check.mistake is not None,
    )


def _remarks(report: StageReport) -> Iterable[str]:
    if not report.graded:
        yield NOT_GRADED
    if report.isolation is IsolationLevel.NONE:
        yield NOT_ISOLATED
    if report.stand_ins:
        names = ", ".join(one_line(name) for name in report.stand_ins)
        yield f"run on the course's own {names}, because yours did not pass everything"
