"""Results of a submission that was not run.

The pipeline imports this module, so it needs neither torch nor pytest.
"""

from autograder.base.results import CheckResult, Outcome
from autograder.course.check_titles import check_titles
from autograder.course.lab import StageFolders

UNREADABLE = "nothing can be checked: the process that reads what your code returns ended, twice"
GRADER_FAILED = "the grader failed, not your code; no points were deducted"


def unrun_stage(
    stage: StageFolders,
    what: str,
    where: str,
    outcome: Outcome = Outcome.BLOCKED,
    hint: str = "",
    only: frozenset[str] | None = None,
) -> tuple[CheckResult, ...]:
    """Give every check of a submission that was not run the same result.

    The submission was refused or missing, its module did not load, or the grader failed.

    Args:
        stage: the stage.
        what: the symptom that the student reads.
        where: the file, and the line where one is known.
        outcome: the outcome of each check.
        hint: the hint that the student reads.
        only: ids of the checks to include; all when None.
    """
    titles = check_titles(stage)
    return tuple(
        CheckResult(
            id=check.id,
            title=titles.get(check.id) or check_title(check.id),
            exercise=check.exercise,
            outcome=outcome,
            points=check.points,
            bonus=stage.spec.exercises[check.exercise].bonus,
            what=what,
            where=where,
            hint=hint,
        )
        for check in stage.spec.checks
        if only is None or check.id in only
    )


def check_title(check: str) -> str:
    """Derive a readable title from a check's id, for use where the hidden test was not read."""
    return check.removeprefix("test_").replace("_", " ")
