"""Students who may need help, and the reasons."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.base.results import Outcome, ReportState, StageReport
from autograder.feedback.views import stage_view

FEW_POINTS = 0.5  # share of a stage's points below which a student is listed

_RAN_OUT = {Outcome.TIMEOUT: "took too long", Outcome.OUT_OF_MEMORY: "ran out of memory"}


@dataclass(frozen=True)
class NeedsHelp:
    """A student who may need help.

    Attributes:
        student: id of the student.
        reasons: stage → reason.
        share: share of the points of the stages that have a number; None if there is none.
        mistakes: stage and id of the named mistakes in these stages, first found first.
    """

    student: str
    reasons: Mapping[str, str]
    share: float | None = None
    mistakes: tuple[tuple[str, str], ...] = ()


def students_who_need_help(
    reports: Mapping[tuple[str, str], StageReport], students: Sequence[str], stages: Sequence[str]
) -> list[NeedsHelp]:
    """List the students with a reason in any stage, beginning with the smallest share of the points.

    Args:
        reports: student and stage → report.
        students: the whole class.
        stages: the stages that any student has begun.
    """
    found = []
    for student in students:
        own = {stage: report for stage in stages if (report := reports.get((student, stage))) is not None}
        reasons = {stage: "; ".join(_reasons(report)) for stage, report in own.items()}
        reasons = {stage: reason for stage, reason in reasons.items() if reason}
        if not any(report.begun for report in own.values()):
            reasons = reasons or {stage: "no stage begun" for stage in stages[:1]}
        if reasons:
            found.append(NeedsHelp(student, reasons, _share(own.values()), _mistakes(own, reasons)))
    return sorted(found, key=lambda row: row.share or 0.0)


def _share(reports: Iterable[StageReport]) -> float | None:
    graded = [report for report in reports if report.graded]
    possible = sum(report.points for report in graded)
    return sum(report.final_score for report in graded) / possible if possible else None


def _mistakes(reports: Mapping[str, StageReport], stages: Iterable[str]) -> tuple[tuple[str, str], ...]:
    found = ((stage, check.mistake) for stage in stages if stage in reports for check in reports[stage].checks)
    return tuple(dict.fromkeys((stage, mistake) for stage, mistake in found if mistake is not None))


def _reasons(report: StageReport) -> Iterator[str]:
    if report.state is ReportState.NOT_BEGUN:
        if report.owed:
            yield report.checks[0].what
        return
    outcomes = Counter(check.outcome for check in report.checks)
    # A view takes time: only a report whose checks ended alike can have a common cause.
    common = stage_view(report).common if len(outcomes) == 1 else None
    if report.why_not_graded:
        yield f"not graded: {report.why_not_graded}"
        if not report.grader_failed:
            return
    elif common:
        yield common.what or common.label
        return
    elif report.score < FEW_POINTS * report.points:
        yield f"few points: {report.score} / {report.points}"
    for outcome, words in _RAN_OUT.items():
        if outcomes[outcome]:
            yield f"{outcomes[outcome]} {'check' if outcomes[outcome] == 1 else 'checks'} {words}"
