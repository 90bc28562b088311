"""Students who may need help, and the reasons."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.base.results import Outcome, StageReport
from autograder.feedback.views import stage_view

FEW_POINTS = 0.5  # share of a stage's points below which a student is listed

_RAN_OUT = {Outcome.TIMEOUT: "took too long", Outcome.OUT_OF_MEMORY: "ran out of memory"}


@dataclass(frozen=True)
class NeedsHelp:
    """A student who may need help; ``reasons`` maps each stage to the reason."""

    student: str
    reasons: Mapping[str, str]


def students_who_need_help(
    reports: Mapping[tuple[str, str], StageReport], students: Sequence[str], stages: Sequence[str]
) -> list[NeedsHelp]:
    """List the students with a reason in any stage, beginning with the fewest points.

    Args:
        reports: student and stage → report.
        students: the whole class.
        stages: the stages that were graded; a student without a report of a stage handed nothing in.
    """
    found = []
    for student in students:
        reasons = {stage: "; ".join(_reasons(reports.get((student, stage)))) for stage in stages}
        reasons = {stage: reason for stage, reason in reasons.items() if reason}
        if reasons:
            found.append(NeedsHelp(student, reasons))

    def points(needs_help: NeedsHelp) -> int:
        own = [reports.get((needs_help.student, stage)) for stage in stages]
        return sum(report.score for report in own if report and report.graded)

    return sorted(found, key=points)


def _reasons(report: StageReport | None) -> Iterator[str]:
    if report is None:
        yield "nothing handed in"
        return
    outcomes = Counter(check.outcome for check in report.checks)
    common = stage_view(report).common
    if not report.graded:
        yield f"not graded: {outcomes[Outcome.GRADER_ERROR]} of {len(report.checks)} checks met a grader error"
    elif common:
        yield common.what or common.label
        return
    elif report.score < FEW_POINTS * report.points:
        yield f"few points: {report.score} / {report.points}"
    for outcome, words in _RAN_OUT.items():
        if outcomes[outcome]:
            yield f"{outcomes[outcome]} {'check' if outcomes[outcome] == 1 else 'checks'} {words}"
