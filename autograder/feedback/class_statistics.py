"""Statistics of a class, for instructors: distribution, item analysis, common mistakes, students who need help."""

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.base.results import CheckResult, IsolationLevel, Outcome, ReportState, StageReport
from autograder.course.config import Config, Stage
from autograder.course.lab import Lab
from autograder.course.mistakes import load_mistakes
from autograder.feedback.needs_help import NeedsHelp, students_who_need_help

# A correlation over fewer submissions is mostly noise.
FEWEST_FOR_DISCRIMINATION = 10
# Ebel and Frisbie, Essentials of Educational Measurement: items below 0.2 need a review.
WEAK_DISCRIMINATION = 0.2
BINS = 11  # tenths of the points, and full marks

_NOT_RUN = (Outcome.NOT_ATTEMPTED, Outcome.BLOCKED, Outcome.NOT_GRADED)


@dataclass(frozen=True)
class CheckStatistics:
    """One check over the graded submissions in which at least one check of the stage ran.

    ``discrimination`` is the correlation between passing the check and the points of the stage's
    other checks, from -1 to 1; None if it is undefined or there are too few submissions. ``test`` is
    the file and line of the hidden test, or "" if unknown.
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
        """Share of submissions that pass; None without submissions."""
        total = sum(self.outcomes.values())
        return self.outcomes.get(Outcome.PASSED, 0) / total if total else None

    @property
    def flag(self) -> str:
        """``weak`` for a low discrimination, ``reversed`` for a negative one: the instructor may review the check."""
        if self.discrimination is None or self.discrimination >= WEAK_DISCRIMINATION:
            return ""
        return "reversed" if self.discrimination < 0 else "weak"


@dataclass(frozen=True)
class StageStatistics:
    """One stage over the class.

    ``scores`` are the final scores of the students who have begun the stage, without reports that wait for a person.
    ``ran`` is the number of graded reports in which a check ran; only these count in ``checks``.
    """

    id: str
    title: str
    points: int
    scores: tuple[int, ...]
    not_graded: int
    not_begun: int
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
        """Number of scores in each tenth of the points; the last bin counts full marks."""
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
    """Everything the class page shows.

    ``reports`` is keyed by student and stage. ``stages`` are those that any student has begun or that count 0;
    ``never_begun`` are the others.
    """

    course: str
    students: tuple[str, ...]
    stages: tuple[StageStatistics, ...]
    reports: Mapping[tuple[str, str], StageReport]
    mistakes: tuple[MistakeCount, ...]
    needs_help: tuple[NeedsHelp, ...]
    never_begun: tuple[str, ...] = ()

    @property
    def pythons(self) -> tuple[str, ...]:
        """The versions of Python that ran the students' code, oldest first."""
        versions = {report.python for report in self.reports.values() if report.python}
        return tuple(sorted(versions, key=lambda version: [int(part) for part in re.findall("[0-9]{1,9}", version)]))

    @property
    def isolation(self) -> Mapping[IsolationLevel, int]:
        """Isolation level → number of reports made under it, without those for which no code ran."""
        return Counter(report.isolation for report in self.reports.values() if report.isolation is not None)

    @property
    def nothing_ran(self) -> int:
        """Number of reports for which no code ran."""
        return sum(report.isolation is None for report in self.reports.values())

    @property
    def not_graded(self) -> tuple[StageReport, ...]:
        """Reports that wait for a person."""
        return tuple(report for report in self.reports.values() if report.state is ReportState.NOT_GRADED)

    @property
    def not_begun(self) -> int:
        """Number of stages of students that were not begun."""
        return sum(report.state is ReportState.NOT_BEGUN for report in self.reports.values())

    @property
    def unknown_times(self) -> tuple[StageReport, ...]:
        """Reports of stages with a due date whose time of hand-in is unknown."""
        return tuple(report for report in self.reports.values() if report.days_late is None)

    def total(self, student: str) -> str:
        """Final points earned and possible, as ``57 / 142``.

        Only stages with a number count: those that the student has begun, and those that are owed.
        """
        own = [report for (name, _), report in self.reports.items() if name == student and report.graded]
        if not own:
            return "–"
        return f"{sum(report.final_score for report in own)} / {sum(report.points for report in own)}"


def class_statistics(
    reports: Iterable[StageReport],
    config: Config,
    *,
    sentences: Mapping[tuple[str, str], str] = {},
    locations: Mapping[tuple[str, str], str] = {},
) -> ClassStatistics:
    """Compute the statistics of a class.

    Args:
        reports: one report per student and stage; of several, the last counts.
        config: source of the titles and the order of stages.
        sentences: stage and mistake id → sentence about the mistake (see ``mistake_sentences``); a mistake
            without a sentence is described by the text that students read.
        locations: stage and check id → file and line of the hidden test.
    """
    last = {(report.student, report.stage): report for report in reports}
    students = tuple(dict.fromkeys(student for student, _ in last))
    seen = dict.fromkeys(stage for _, stage in last)
    order = list(dict.fromkeys([*(stage for stage in config.stages if stage in seen), *seen]))
    begun = {stage for (_, stage), report in last.items() if report.graded or report.why_not_graded}
    never_begun = tuple(stage for stage in order if stage not in begun)
    order = [stage for stage in order if stage in begun]
    stages = tuple(
        _stage(
            stage, config.stages.get(stage), [report for report in last.values() if report.stage == stage], locations
        )
        for stage in order
    )
    return ClassStatistics(
        course=config.course,
        students=students,
        stages=stages,
        reports=last,
        mistakes=tuple(_mistakes(last.values(), sentences)),
        needs_help=tuple(students_who_need_help(last, students, order)),
        never_begun=never_begun,
    )


def mistake_sentences(lab: Lab) -> dict[tuple[str, str], str]:
    """Stage and mistake id → ``says`` of the mistake, for all stages of the lab."""
    return {(stage.id, mistake.id): mistake.says for stage in lab.stages() for mistake in load_mistakes(stage)}


def _stage(
    stage_id: str,
    stage: Stage | None,
    reports: Sequence[StageReport],
    locations: Mapping[tuple[str, str], str],
) -> StageStatistics:
    states = Counter(report.state for report in reports)
    graded = [report for report in reports if report.state is ReportState.GRADED]
    ran = [report for report in graded if any(check.outcome not in _NOT_RUN for check in report.checks)]
    by_check: dict[str, list[tuple[CheckResult, int]]] = defaultdict(list)
    for report in ran:
        score = report.score
        for check in report.checks:
            others = score - (0 if check.bonus else check.score)
            by_check[check.id].append((check, others))
    return StageStatistics(
        id=stage_id,
        title=stage.title if stage else "",
        points=max((report.points for report in reports), default=0),
        scores=tuple(report.final_score for report in graded),
        not_graded=states[ReportState.NOT_GRADED],
        not_begun=states[ReportState.NOT_BEGUN],
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
    """The item-rest correlation: ``others`` excludes the check's own points, which would correlate with it."""
    if len(passed) < FEWEST_FOR_DISCRIMINATION or len(set(passed)) == 1 or len(set(others)) == 1:
        return None
    return statistics.correlation([float(value) for value in passed], others)


def _mistakes(reports: Iterable[StageReport], sentences: Mapping[tuple[str, str], str]) -> Iterator[MistakeCount]:
    students: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    says: dict[tuple[str, str], str] = {}
    for report in reports:
        for check in report.checks:
            if check.mistake is not None:
                key = (report.stage, check.mistake)
                students[key][report.student] = None
                says[key] = sentences.get(key, check.what)
    for key in sorted(students, key=lambda key: (-len(students[key]), key)):
        yield MistakeCount(key[0], key[1], says[key], tuple(students[key]))
