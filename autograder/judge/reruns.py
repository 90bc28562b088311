"""Runs the checks of a submission, and runs failed checks again on the course's code where their exercise builds on it.

An exercise may build on other exercises of its module. If one of these did not pass, the course's stands in for it
and the failed checks of the exercise run again: an error costs the points of its own exercise only.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from autograder.base.results import Outcome
from autograder.course.config import Stage
from autograder.course.dependencies import in_dependency_order
from autograder.judge.outcomes import OUT_OF_TIME, Ending
from autograder.judge.plugin import CheckRecord
from autograder.judge.source_map import SourceMap

StandIns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class CheckRun:
    """The run of a check that counts.

    Attributes:
        record: its record.
        ending: how it ended.
        stand_ins: the exercises for which the course's own stood in.
    """

    record: CheckRecord
    ending: Ending
    stand_ins: tuple[str, ...] = ()


class RunChecks(Protocol):
    """Runs checks of one submission in fresh sessions."""

    def __call__(self, only: frozenset[str] | None, stand_ins: StandIns) -> dict[str, CheckRun]:
        """Run checks.

        Args:
            only: ids of the checks to run; all when None.
            stand_ins: check → the exercises for which the course's own stand in.
        """


def run_with_stand_ins(
    stage: Stage,
    builds_on: Mapping[str, tuple[str, ...]],
    run: RunChecks,
    only: frozenset[str] | None,
    source: SourceMap,
) -> dict[str, CheckRun]:
    """Run checks, and run the failed checks again without the errors of the exercises that theirs build on.

    Args:
        stage: the stage.
        builds_on: exercise → the exercises that it builds on.
        run: runs checks.
        only: ids of the checks to run; all when None.
        source: the student's file.
    """
    runs = run(only, {})
    for level in in_dependency_order(builds_on):
        again = dict(_stand_ins(stage, level, builds_on, runs, source))
        if again:
            repeated = run(frozenset(again), again)
            runs |= {check: result for check, result in repeated.items() if result.ending != OUT_OF_TIME}
    return runs


def _stand_ins(
    stage: Stage,
    exercises: Iterable[str],
    builds_on: Mapping[str, tuple[str, ...]],
    runs: Mapping[str, CheckRun],
    source: SourceMap,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each check to run again, with the exercises for which the course's own stand in."""
    for exercise in exercises:
        undone = tuple(name for name in builds_on[exercise] if not _passed(stage, name, runs))
        for check in stage.exercises[exercise].checks if undone else ():
            if check in runs and _may_pass(exercise, runs[check].ending, source):
                yield check, undone


def _passed(stage: Stage, exercise: str, runs: Mapping[str, CheckRun]) -> bool:
    """Whether every check of the exercise that ran has passed."""
    checks = stage.exercises[exercise].checks
    return all(runs[check].ending.outcome is Outcome.PASSED for check in checks if check in runs)


def _may_pass(exercise: str, ending: Ending, source: SourceMap) -> bool:
    """Whether a check may pass on other code: it failed, and not because its exercise is a stub."""
    if ending.outcome is Outcome.NOT_ATTEMPTED and ending.location is not None and ending.location.line is not None:
        return source.definition_at(ending.location.line) != exercise
    return ending.doubtful or (ending.outcome not in (Outcome.PASSED, Outcome.GRADER_ERROR) and ending != OUT_OF_TIME)
