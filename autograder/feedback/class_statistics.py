"""A class in figures, for instructors: distribution, item analysis, common mistakes, who needs help."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.base.results import CheckResult, IsolationLevel, Outcome, StageReport
from autograder.course.config import Config, Stage
from autograder.course.lab import Lab
from autograder.course.mistakes import load_mistakes
from autograder.feedback.needs_help import NeedsHelp, who_needs_help

# A correlation over fewer submissions says more about chance than about the check.
FEWEST_FOR_DISCRIMINATION = 10
# Ebel and Frisbie, Essentials of Educational Measurement: items below 0.2 are to be looked at.
WEAK_DISCRIMINATION = 0.2
BINS = 11  # tenths of the points, full marks apart

_NOT_RUN = (Outcome.NOT_ATTEMPTED, Outcome.BLOCKED)


@dataclass(frozen=True)
class CheckStatistics:
    """One check over the graded submissions in which at least one check of the stage ran.

    ``discrimination`` is the correlation between passing the check and the points of the stage's
    other checks, from -1 to 1; None where it is undefined or too few submissions were made. ``test``
    is the file and line of the hidden test, or "" where it is unknown.
    """

    id: str
    title: str
    exercise: str
    points: int
    bonus: bool
    outcomes: Mapping[Outcome, int]
    discrimination: float | None
    test: str = ""

    @property
    def passed_share(self) -> float | None:
        """Share of submissions that pass."""
        total = sum(self.outcomes.values())
        return self.outcomes.get(Outcome.PASSED, 0) / total if total else None

    @property
    def flag(self) -> str:
        """What an instructor may want to look at: the check tells weak from strong badly, or the wrong way round."""
        if self.discrimination is None or self.discrimination >= WEAK_DISCRIMINATION:
            return ""
        return "reversed" if self.discrimination < 0 else "weak"


@dataclass(frozen=True)
class StageStatistics:
    """One stage over the class. ``scores`` are those of graded reports; ``ran`` of them count in ``checks``."""

    id: str
    title: str
    points: int
    scores: tuple[int, ...]
    ungraded: int
    ran: int
    checks: tuple[CheckStatistics, ...]

    @property
    def mean(self) -> float | None:
        """Mean score."""
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def median(self) -> float | None:
        """Median score."""
        return statistics.median(self.scores) if self.scores else None

    @property
    def histogram(self) -> tuple[int, ...]:
        """How many scores lie in each tenth of the points; full marks are the last bin."""
        counts = Counter((BINS - 1) * score // self.points if self.points else 0 for score in self.scores)
        return tuple(counts[bin_] for bin_ in range(BINS))


@dataclass(frozen=True)
class MistakeCount:
    """A named mistake and the students whose failures it explains."""

    stage: str
    id: str
    says: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class ClassStatistics:
    """Everything the class page shows. ``reports`` is keyed by student and stage."""

    course: str
    students: tuple[str, ...]
    stages: tuple[StageStatistics, ...]
    reports: Mapping[tuple[str, str], StageReport]
    mistakes: tuple[MistakeCount, ...]
    needs_help: tuple[NeedsHelp, ...]
    late_days: Mapping[tuple[str, str], int]

    @property
    def isolation(self) -> Mapping[IsolationLevel, int]:
        """Isolation level → how many reports were made under it."""
        return Counter(report.isolation for report in self.reports.values())

    @property
    def ungraded(self) -> tuple[StageReport, ...]:
        """Reports that may not become a number."""
        return tuple(report for report in self.reports.values() if not report.graded)

    def total(self, student: str) -> tuple[int, int]:
        """Points earned and possible; a stage without a report earns nothing, one not graded does not count yet."""
        earned = possible = 0
        for stage in self.stages:
            report = self.reports.get((student, stage.id))
            if report is None or report.graded:
                earned += report.score if report else 0
                possible += stage.points
        return earned, possible


def class_statistics(
    reports: Iterable[StageReport],
    config: Config,
    *,
    sentences: Mapping[tuple[str, str], str] = {},
    late_days: Mapping[tuple[str, str], int] = {},
    locations: Mapping[tuple[str, str], str] = {},
) -> ClassStatistics:
    """Work out a class's figures.

    Args:
        reports: at most one per student and stage; of several the last counts.
        config: titles, and the order of stages.
        sentences: stage and mistake id → what the mistake is (see ``mistake_sentences``); a mistake
            without one is described by the words that students read.
        late_days: student and stage → days late, for late submissions alone.
        locations: stage and check id → file and line of the hidden test.
    """
    table = {(report.student, report.stage): report for report in reports}
    students = tuple(dict.fromkeys(student for student, _ in table))
    seen = dict.fromkeys(stage for _, stage in table)
    order = list(dict.fromkeys([*(stage for stage in config.stages if stage in seen), *seen]))
    stages = tuple(
        _stage(
            stage, config.stages.get(stage), [report for report in table.values() if report.stage == stage], locations
        )
        for stage in order
    )
    return ClassStatistics(
        course=config.course,
        students=students,
        stages=stages,
        reports=table,
        mistakes=tuple(_mistakes(table.values(), sentences)),
        needs_help=tuple(who_needs_help(table, students, order)),
        late_days=late_days,
    )


def mistake_sentences(lab: Lab) -> dict[tuple[str, str], str]:
    """Stage and mistake id → the catalogue's sentence, for all stages of the lab."""
    return {(stage.id, mistake.id): mistake.says for stage in lab.stages() for mistake in load_mistakes(stage)}


def _stage(
    stage_id: str,
    stage: Stage | None,
    reports: Sequence[StageReport],
    locations: Mapping[tuple[str, str], str],
) -> StageStatistics:
    graded = [report for report in reports if report.graded]
    ran = [report for report in graded if any(check.outcome not in _NOT_RUN for check in report.checks)]
    by_check: dict[str, list[tuple[CheckResult, int]]] = defaultdict(list)
    for report in ran:
        for check in report.checks:
            others = report.score - (0 if check.bonus else check.score)
            by_check[check.id].append((check, others))
    return StageStatistics(
        id=stage_id,
        title=stage.title if stage else "",
        points=max((report.points for report in reports), default=0),
        scores=tuple(report.score for report in graded),
        ungraded=len(reports) - len(graded),
        ran=len(ran),
        checks=tuple(_check(results, locations.get((stage_id, id_), "")) for id_, results in by_check.items()),
    )


def _check(results: Sequence[tuple[CheckResult, int]], location: str) -> CheckStatistics:
    check = results[-1][0]
    return CheckStatistics(
        id=check.id,
        title=check.title,
        exercise=check.exercise,
        points=check.points,
        bonus=check.bonus,
        outcomes=Counter(result.outcome for result, _ in results),
        discrimination=_discrimination([result.passed for result, _ in results], [others for _, others in results]),
        test=location,
    )


def _discrimination(passed: Sequence[bool], others: Sequence[int]) -> float | None:
    """The item-rest correlation: the check's own points are left out, or it would correlate with itself."""
    if len(passed) < FEWEST_FOR_DISCRIMINATION or len(set(passed)) == 1 or len(set(others)) == 1:
        return None
    return statistics.correlation([float(one) for one in passed], others)


def _mistakes(reports: Iterable[StageReport], sentences: Mapping[tuple[str, str], str]) -> Iterator[MistakeCount]:
    students: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    words: dict[tuple[str, str], str] = {}
    for report in reports:
        for check in report.checks:
            if check.mistake is not None:
                key = (report.stage, check.mistake)
                students[key][report.student] = None
                words[key] = sentences.get(key, check.what)
    for key in sorted(students, key=lambda key: (-len(students[key]), key)):
        yield MistakeCount(key[0], key[1], words[key], tuple(students[key]))
