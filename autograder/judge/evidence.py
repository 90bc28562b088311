"""Notes for the instructor about forbidden calls: calls that were refused, and code that could hide others.

The pipeline imports this module, so it needs neither torch nor pytest.
"""

from collections.abc import Iterable

from autograder.base.results import CheckResult
from autograder.course.config import Stage
from autograder.course.forbidden import short_name
from autograder.intake import RefusedError
from autograder.intake.limited import limited
from autograder.judge.hiding_words import hiding_words


def forbidden_call_notes(stage: Stage, source: str, checks: Iterable[CheckResult]) -> tuple[str, ...]:
    """Write the notes about one submission; none for a stage that forbids nothing.

    Args:
        stage: the stage, with the calls that its exercises forbid.
        source: the student's module; empty when there is none.
        checks: the submission's results.
    """
    if not any(exercise.forbid for exercise in stage.exercises.values()):
        return ()
    calls: dict[str, list[str]] = {}
    for check in checks:
        if check.forbidden:
            exercises = calls.setdefault(f"{check.where}: calls {short_name(check.forbidden)}", [])
            exercises += [check.exercise] * (check.exercise not in exercises)
    refused = (f"{call}, which {' and '.join(exercises)} must not" for call, exercises in calls.items())
    return (*refused, *_hiding_notes(f"{stage.module}.py", source))


def _hiding_notes(file: str, source: str) -> list[str]:
    try:
        words = limited(file, hiding_words, source)
    except RefusedError as error:
        return [f"not searched for hidden forbidden calls: {error}"]
    return [f"{file}, line {line}: {word} could hide a forbidden call" for line, word in words]
