"""The reports of a made-up class: right solutions, mistakes from the lock files, and half-finished work.

No code runs: the lock files say which checks each mistake loses. Each call makes the same reports.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from autograder.base.results import CheckResult, IsolationLevel, Outcome, StageReport
from autograder.course.check_titles import check_titles
from autograder.course.lab import StageFolders
from autograder.course.mistakes import Mistake, load_mistakes

_NOT_BEGUN = "nothing was handed in"
_COPIES = "two different copies of the module were handed in"


@dataclass(frozen=True)
class _SimulatedStage:
    """A stage with what its reports need, read once; ``common`` are the mistakes that this class makes."""

    stage: StageFolders
    titles: dict[str, str]
    common: tuple[Mistake, ...]

    def checks(self, done: float, mistakes: Sequence[Mistake], seconds: float) -> tuple[CheckResult, ...]:
        """The checks of work whose last exercises are not attempted, and which has these mistakes."""
        exercises = list(self.stage.spec.exercises)
        undone = set(exercises[round(done * len(exercises)) :])
        return tuple(
            self._check(check.id, check.exercise, check.points, check.exercise in undone, mistakes, seconds)
            for check in self.stage.spec.checks
        )

    def _check(
        self, name: str, exercise: str, points: int, undone: bool, mistakes: Sequence[Mistake], seconds: float
    ) -> CheckResult:
        mistake = None if undone else next((mistake for mistake in mistakes if name in mistake.fails), None)
        outcome = Outcome.NOT_ATTEMPTED if undone else Outcome.FAILED if mistake else Outcome.PASSED
        return CheckResult(
            id=name,
            title=self.titles.get(name, name),
            exercise=exercise,
            outcome=outcome,
            points=points,
            bonus=self.stage.spec.exercises[exercise].bonus,
            what=f"your output is what you get when {mistake.says}" if mistake else "",
            mistake=mistake.id if mistake and mistake.named else None,
            seconds=0.0 if undone else seconds,
        )


def simulated_class(stages: Sequence[StageFolders], students: Sequence[str], seed: int = 7) -> list[StageReport]:
    """Make up the reports of a class, student by student.

    The stronger a student, the fewer mistakes and the more finished work. A few stages are late, not begun, or wait for
    a person.
    """
    generator = random.Random(seed)
    simulated = [
        _SimulatedStage(stage, check_titles(stage), tuple(_common(generator, load_mistakes(stage)))) for stage in stages
    ]
    return [report for student in students for report in _reports(generator, student, simulated)]


def _common(generator: random.Random, mistakes: Sequence[Mistake]) -> Sequence[Mistake]:
    """A fifth of the stage's mistakes, and not fewer than six: students do not make all that authors think of."""
    named = [mistake for mistake in mistakes if mistake.named]
    return generator.sample(named, min(max(6, len(named) // 5), len(named)))


def _reports(generator: random.Random, student: str, stages: Sequence[_SimulatedStage]) -> Iterator[StageReport]:
    skill = generator.random()
    last = len(stages) if skill > 0.3 else generator.randint(1, len(stages))
    for index, simulated in enumerate(stages):
        report = _report(generator, student, simulated, skill)
        if index >= last or generator.random() < 0.01:
            report = _all_alike(report, Outcome.NOT_ATTEMPTED, _NOT_BEGUN, begun=False)
        elif generator.random() < 0.005:
            report = _all_alike(report, Outcome.NOT_GRADED, _COPIES, not_graded=_COPIES)
        yield report


def _report(generator: random.Random, student: str, simulated: _SimulatedStage, skill: float) -> StageReport:
    share = 6 / max(len(simulated.common), 6)  # of the mistakes, so that a larger stage has no more of them
    made = [mistake for mistake in simulated.common if generator.random() < (0.35 - 0.35 * skill) * share]
    done = 1.0 if generator.random() < 0.8 + 0.3 * skill else generator.uniform(0.2, 0.8)
    late = generator.randint(1, 4) if generator.random() < 0.05 else 0
    checks = simulated.checks(done, made, generator.uniform(0.01, 0.2))
    points = sum(check.score for check in checks)
    return StageReport(
        student=student,
        stage=simulated.stage.id,
        checks=checks,
        isolation=IsolationLevel.KERNEL_NAMESPACES,
        digest=f"{student} {simulated.stage.id}",
        python="3.12.4",
        handed_in=datetime(2026, 3, 1, tzinfo=UTC),
        days_late=late,
        points_lost=points * late // 10,
    )


def _all_alike(report: StageReport, outcome: Outcome, what: str, **fields: object) -> StageReport:
    """The report if no code ran."""
    checks = tuple(
        msgspec.structs.replace(check, outcome=outcome, what=what, mistake=None, seconds=0.0) for check in report.checks
    )
    nothing = {"checks": checks, "isolation": None, "python": "", "days_late": 0, "points_lost": 0}
    return msgspec.structs.replace(report, **nothing, **fields)
