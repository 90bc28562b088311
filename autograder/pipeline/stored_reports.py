"""The reports of earlier runs."""

from collections.abc import Callable

from autograder.base.results import Outcome, StageReport
from autograder.course.lab import Lab, StageFolders
from autograder.judge.unrun import unrun_stage
from autograder.pipeline.final_grade import FreeDays, with_decisions
from autograder.pipeline.secret import course_secret, seal_secret
from autograder.pipeline.store import ResultStore, distrust_line


def result_store(lab: Lab) -> ResultStore:
    """Open the lab's store of results.

    Raises:
        SecretError: the secret that seals the results is lost or damaged.
    """
    return ResultStore(lab.build / "results", seal_secret(course_secret(lab)))


def stored_reports(lab: Lab, notice: Callable[[str], object] = lambda line: None) -> list[StageReport]:
    """Return the last report of every student and stage.

    Penalties and overrides are those of the current ``grading.yml``; points are those of the last grading. A result
    that is not believed has a report without a number.

    Args:
        lab: the lab.
        notice: called with a line about the results that are not believed, if there are any.

    Raises:
        SecretError: the secret that seals the results is lost or damaged.
    """
    if not (lab.build / "results").exists():
        return []
    store = result_store(lab)
    free, order = FreeDays(lab.config), {stage: index for index, stage in enumerate(lab.config.stages)}
    in_order = sorted(store.all(), key=lambda report: order.get(report.stage, len(order)))
    reports = [free.spend(with_decisions(report, lab.config, free.left(report.student))) for report in in_order]
    reports += [
        _without_number(lab.stage(stage), student, f"the stored result {error.reason}: grade the hand-in again")
        for (student, stage), error in store.distrusted.items()
        if stage in lab.config.stages
    ]
    if line := distrust_line(store.distrusted, "shown without a number until `autograder grade` judges them again"):
        notice(line)
    return sorted(reports, key=lambda report: (report.student, report.stage))


def _without_number(stage: StageFolders, student: str, why: str) -> StageReport:
    checks = unrun_stage(stage, why, "", Outcome.NOT_GRADED)
    return StageReport(student=student, stage=stage.id, checks=checks, isolation=None, not_graded=why)
