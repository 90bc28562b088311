"""From the run of a check to its result: what the student reads, and where the fault is."""

from collections.abc import Mapping

import msgspec

from autograder.base.results import CheckResult, Outcome
from autograder.course.config import Check
from autograder.course.lab import StageFolders
from autograder.course.mistakes import Mistake
from autograder.judge.failing_example import failing_example
from autograder.judge.forbidden_calls import HINT
from autograder.judge.outcomes import Ending
from autograder.judge.reruns import CheckRun
from autograder.judge.source_map import SourceLocation, SourceMap
from autograder.judge.unrun import check_title

_WITH_EXAMPLE = (Outcome.FAILED, Outcome.ERROR, Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY)


def check_result(
    stage: StageFolders, check: Check, run: CheckRun, source: SourceMap, named: Mapping[str, tuple[Mistake, ...]]
) -> CheckResult:
    """Put together what a report says about a check.

    Args:
        stage: the stage.
        check: the check.
        run: its run.
        source: the student's file.
        named: check → the mistakes that explain it, for all checks of the stage.
    """
    exercise = stage.spec.exercises[check.exercise]
    record, ending, mistakes = run.record, run.ending, named.get(check.id, ())
    result = CheckResult(
        id=check.id,
        title=record.title or check_title(check.id),
        exercise=check.exercise,
        outcome=ending.outcome,
        points=check.points,
        bonus=exercise.bonus,
        what=_what(ending, mistakes),
        mistake=mistakes[0].id if len(mistakes) == 1 else None,
        forbidden=ending.forbidden,
        stand_ins=run.stand_ins,
        seconds=round(record.seconds, 4),
    )
    if ending.outcome in (Outcome.PASSED, Outcome.GRADER_ERROR):
        return result
    at_fault = source.of_exercise(_exercise_at_fault(check, named))
    default = SourceLocation(exercise.attachments[0]) if exercise.attachments else at_fault
    location = ending.location or default
    example = failing_example(record.error, stage.hidden_tests) if ending.outcome in _WITH_EXAMPLE else ()
    hint = HINT if ending.forbidden else ending.hint or record.hint
    return msgspec.structs.replace(result, where=str(location), hint=hint, example=example)


def _exercise_at_fault(check: Check, named: Mapping[str, tuple[Mistake, ...]]) -> str:
    """The exercise of the named mistake if the mistake is in it; the check's own if its work is written out there."""
    if len(mistakes := named.get(check.id, ())) == 1:
        elsewhere = mistakes[0].exercise
        for other, (first, *_) in named.items():
            if first is mistakes[0] and other in first.fails:
                return elsewhere
    return check.exercise


def _what(ending: Ending, mistakes: tuple[Mistake, ...]) -> str:
    if not mistakes:
        return ending.what
    causes = ", or when ".join(mistake.says for mistake in mistakes)
    if ending.outcome is Outcome.ERROR:
        return f"{ending.what}, which happens when {causes}"
    return f"your output is what you get when {causes}"
