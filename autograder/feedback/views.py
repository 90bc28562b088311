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

from autograder.base.results import CheckResult, Outcome, ReportState, StageReport
from autograder.base.sinks import one_line
from autograder.course.config import Stage
from autograder.feedback.words import remarks

_NO_TITLES: Mapping[str, str] = MappingProxyType({})

_LOCATION = re.compile(r"(?P<file>[^,]+), line (?P<line>[0-9]{1,7})(?=,|$)")

_UNSCORED = (Outcome.NOT_GRADED, Outcome.GRADER_ERROR)
_NOT_RUN = (Outcome.NOT_ATTEMPTED, Outcome.BLOCKED, *_UNSCORED)

# Outcomes that one cause gives to many checks. A wrong result may have another cause in each check.
_ONE_CAUSE = (Outcome.UNPAID, Outcome.ERROR, Outcome.BLOCKED, Outcome.NOT_ATTEMPTED)

_LABELS = {
    Outcome.PASSED: "passed",
    Outcome.UNPAID: "no points yet",
    Outcome.FAILED: "not right yet",
    Outcome.ERROR: "stopped with an error",
    Outcome.TIMEOUT: "took too long",
    Outcome.OUT_OF_MEMORY: "out of memory",
    Outcome.NOT_ATTEMPTED: "not attempted yet",
    Outcome.BLOCKED: "could not be run",
    Outcome.NOT_GRADED: "not graded",
    Outcome.GRADER_ERROR: "not graded",
}


@dataclass(frozen=True)
class CheckView:
    """One check as its student sees it.

    ``named`` is whether ``what`` names the mistake that explains the failure. ``also`` lists the other checks with
    the same cause; ``explained`` is whether an earlier check shows the cause. ``decision`` is what a person decided.
    ``example`` is the example on which the check failed, if students may see it.
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
    decision: str = ""
    example: tuple[tuple[str, str], ...] = ()
    also: tuple[str, ...] = ()
    explained: bool = False

    @property
    def cause(self) -> tuple[object, ...] | None:
        """A value that checks share if one cause explains them; None where the symptom does not show the cause."""
        if self.outcome in (Outcome.PASSED, Outcome.GRADER_ERROR) or not (self.named or self.outcome in _ONE_CAUSE):
            return None
        return self.outcome, self.what, self.where

    @property
    def short_title(self) -> str:
        """The title under the heading of its exercise: without the name of the exercise."""
        return self.title.removeprefix(f"{self.exercise}: ")

    @property
    def mark(self) -> str:
        """One character for the outcome, which identifies it without colour."""
        open_ = dict.fromkeys((Outcome.NOT_ATTEMPTED, Outcome.UNPAID), "○")
        marks = {Outcome.PASSED: "✓", **open_, **dict.fromkeys(_UNSCORED, "!")}
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
        """``3 / 3``; ``– / 3`` for a check that was not graded."""
        return f"{'–' if self.outcome in _UNSCORED else self.score} / {self.points}"

    @property
    def details(self) -> list[tuple[str, str]]:
        """Decision, symptom, location, hint and other checks with the same cause, with labels; without empty parts."""
        parts = [("what", self.what), ("where", self.where), ("hint", self.hint), ("also", "; ".join(self.also))]
        shown = [("decided", self.decision), *(() if self.explained else parts), *self.example]
        return [(name, text) for name, text in shown if text and text != self.label]

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
        graded = all(check.outcome not in _UNSCORED for check in self.checks)
        return f"{sum(check.score for check in self.checks) if graded else '–'} / {self.points}"


@dataclass(frozen=True)
class StageView:
    """One stage of one student.

    ``score`` and ``bonus`` are those after the penalty for lateness; ``score`` is None without a number. A stage that
    was not begun has no ``exercises`` to show.
    """

    student: str
    stage: str
    title: str
    file: str
    state: ReportState
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
        """``31 / 40``, ``31 / 40 + 2`` with a bonus, ``not graded`` or ``not begun``."""
        if self.score is None:
            return self.state.value
        return f"{self.score} / {self.points}" + (f" + {self.bonus}" if self.bonus else "")


def stage_view(
    report: StageReport, stage: Stage | None = None, titles: Mapping[str, str] = _NO_TITLES, *, examples: bool = False
) -> StageView:
    """Copy from ``report`` what its student may see.

    Args:
        report: the student's report of one stage.
        stage: source of the stage's title and of the name of the file.
        titles: exercise → title; an exercise without a title is shown by its name.
        examples: whether students may see the examples on which their checks failed.
    """
    view = StageView(
        student=one_line(report.student),
        stage=one_line(report.stage),
        title=one_line(stage.title) if stage else "",
        file=f"{stage.module}.py" if stage else "",
        state=report.state,
        score=report.final_score if report.graded else None,
        points=report.points,
        bonus=report.final_bonus,
        bonus_points=report.bonus_points,
        exercises=() if report.state is ReportState.NOT_BEGUN else tuple(_exercises(report.checks, titles, examples)),
        remarks=tuple(remarks(report)),
    )
    return view if view.common else replace(view, exercises=_causes_shown_once(view))


def _causes_shown_once(view: StageView) -> tuple[ExerciseView, ...]:
    """Show each cause at the first check that it explains, with the titles of the others."""
    alike: dict[tuple[object, ...], list[CheckView]] = {}
    for check in view.checks:
        if check.cause is not None:
            alike.setdefault(check.cause, []).append(check)

    def shown(check: CheckView) -> CheckView:
        if check.cause is None:
            return check
        first, *others = alike[check.cause]
        if check is not first:
            return replace(check, explained=True)
        titles = (other.short_title if other.exercise == check.exercise else other.title for other in others)
        return replace(check, also=tuple(titles))

    return tuple(replace(exercise, checks=tuple(map(shown, exercise.checks))) for exercise in view.exercises)


def _exercises(checks: Iterable[CheckResult], titles: Mapping[str, str], examples: bool) -> Iterable[ExerciseView]:
    for name, group in groupby(checks, key=lambda check: check.exercise):
        members = list(group)
        yield ExerciseView(
            name=one_line(name),
            title=one_line(titles.get(name, "")),
            bonus=members[0].bonus,
            checks=tuple(_check(check, examples) for check in members),
            remark=_exercise_remark(members),
        )


def _exercise_remark(checks: Iterable[CheckResult]) -> str:
    names = dict.fromkeys(name for check in checks for name in check.stand_ins)
    if not names:
        return ""
    listed = ", ".join(f"`{one_line(name)}`" for name in names)
    return f"checked with the course's own {listed}, so that errors there cost no points here"


def _check(check: CheckResult, examples: bool) -> CheckView:
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
        decision=one_line(check.decision),
        example=tuple((label, one_line(text)) for label, text in check.example) if examples else (),
    )
