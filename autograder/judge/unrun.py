"""The results of a submission that was not run.

In a module of its own: the pipeline needs it, and needs neither torch nor pytest for it.
"""

from autograder.base.results import CheckResult, Outcome
from autograder.course.lab import StageFolders


def unrun_stage(
    stage: StageFolders,
    what: str,
    where: str,
    outcome: Outcome = Outcome.BLOCKED,
    hint: str = "",
    only: frozenset[str] | None = None,
) -> tuple[CheckResult, ...]:
    """The results of a submission that was not run: refused, missing, not loading, or the grader failed.

    Of ``only`` these checks, or of all when None.
    """
    return tuple(
        CheckResult(
            id=check.id,
            title=check_title(check.id),
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
    """A readable stand-in for a title where the hidden test was not looked at."""
    return check.removeprefix("test_").replace("_", " ")
