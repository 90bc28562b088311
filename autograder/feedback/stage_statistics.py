"""Statistics of one stage over a class: its scores, and each of its checks."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autograder.base.results import CheckResult, Outcome, ReportState, StageReport
from autograder.course.config import Stage
from autograder.feedback.item_analysis import Discrimination, discrimination, reliability

BINS = 11  # tenths of the points, and full marks

_NOT_RUN = (Outcome.NOT_ATTEMPTED, Outcome.BLOCKED, Outcome.NOT_GRADED)


@dataclass(frozen=True)
class CheckStatistics:
    """One check over the graded submissions in which at least one check of the stage ran.

    ``discrimination`` is None if it is undefined or rests on too few passes or failures. ``seconds`` is the median
    duration. ``test`` is the file and line of the hidden test, or "" if unknown.
    """

    id: str
    title: str
    exercise: str
    points: int
    bonus: bool
    outcomes: Mapping[Outcome, int]
    discrimination: Discrimination | None
    test: str = ""
    seconds: float = 0.0

    @property
    def passed_share(self) -> float | None:
        """Share of submissions that pass; None without submissions."""
        total = sum(self.outcomes.values())
        return self.outcomes.get(Outcome.PASSED, 0) / total if total else None

    @property
    def flag(self) -> str:
        """``weak`` or ``reversed`` if the submissions leave no doubt: the instructor may review the check."""
        return self.discrimination.flag if self.discrimination is not None else ""


@dataclass(frozen=True)
class StageStatistics:
    """One stage over the class.

    ``scores`` are the final scores of the students who have begun the stage, without reports that wait for a person.
    ``ran`` is the number of graded reports in which a check ran; only these count in ``checks``. ``by_hand`` is the
    number of points that persons can give. ``reliability`` is Cronbach's alpha; None with too few submissions.
    ``seconds`` is the median duration of a submission.
    """

    id: str
    title: str
    points: int
    scores: tuple[int, ...]
    not_graded: int
    not_begun: int
    ran: int
    checks: tuple[CheckStatistics, ...]
    by_hand: int = 0
    reliability: float | None = None
    seconds: float = 0.0

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


def stage_statistics(
    stage_id: str,
    stage: Stage | None,
    reports: Sequence[StageReport],
    locations: Mapping[tuple[str, str], str],
) -> StageStatistics:
    """Compute the statistics of a stage.

    Args:
        stage_id: id of the stage.
        stage: its entry in ``grading.yml``; None if it has none.
        reports: the reports of all students.
        locations: stage and check id → file and line of the hidden test.
    """
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
        by_hand=sum(question.points for question in stage.questions.values()) if stage else 0,
        reliability=_reliability(ran),
        seconds=statistics.median(report.seconds for report in ran) if ran else 0.0,
    )


def _reliability(reports: Sequence[StageReport]) -> float | None:
    """Cronbach's alpha over the reports that have the checks of the last report."""
    counted = [[check for check in report.checks if not check.bonus] for report in reports]
    ids = [check.id for check in counted[-1]] if counted else []
    return reliability([[check.score for check in own] for own in counted if [check.id for check in own] == ids])


def _check(results: Sequence[tuple[CheckResult, int]], location: str) -> CheckStatistics:
    check = results[-1][0]
    return CheckStatistics(
        id=check.id,
        title=check.title,
        exercise=check.exercise,
        points=check.points,
        bonus=check.bonus,
        outcomes=Counter(result.outcome for result, _ in results),
        discrimination=discrimination(
            [result.passed for result, _ in results],
            [others for _, others in results],
        ),
        test=location,
        seconds=statistics.median(result.seconds for result, _ in results),
    )
