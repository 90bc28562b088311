"""What made exercises fail: one cause for all that fail because of the same code."""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.checking import ExerciseResult
from lab.course import CompanionError, Course
from lab.progress import read_module


@dataclass(frozen=True)
class Cause:
    """Code that made exercises fail.

    Attributes:
        exercises: the name of the exercise, or the id of the stage, that this is about, and then of others that fail
            because of it.
        file: the student's module.
        line: the line to look at; None if it is not known.
        message: what is wrong.
    """

    exercises: tuple[str, ...]
    file: str
    line: int | None
    message: str


def find_causes(course: Course, results: Sequence[ExerciseResult]) -> list[Cause]:
    """Return the causes of the failures of exercises that were started, in the order of the course.

    An exercise whose code uses another failing exercise is not a cause of its own.
    """
    causes = [_of_problem(course, result) for result in results if result.problem]
    started = [result for result in results if result.is_started and not result.passed and not result.problem]
    failing = {result.exercise.key: result for result in started}
    uses = {key: _used(course, result, started) for key, result in failing.items()}
    reached = {key: _all_used(key, uses) for key in failing}
    for key, result in failing.items():
        if all(key in reached[used] for used in uses[key]):
            others = [other.exercise.name for name, other in failing.items() if key in reached[name] and name != key]
            causes.append(_of_failure(course, result, others))
    return _merged(causes)


def words_of(test: str) -> str:
    """Return a test's name as words."""
    return test.removeprefix("test_").replace("_", " ")


def _of_problem(course: Course, result: ExerciseResult) -> Cause:
    problem, stage = result.problem, course.stage(result.exercise.stage)
    return Cause((stage.id,), stage.file.as_posix(), problem.line if problem else None, str(problem))


def _of_failure(course: Course, result: ExerciseResult, others: list[str]) -> Cause:
    failed = next((test for test in result.test_results if not test.passed), None)
    names = (result.exercise.name, *others)
    stage = course.stage(result.exercise.stage)
    if failed is None:
        return Cause(names, stage.file.as_posix(), None, "not passing yet")
    reason = f"`{failed.missing.split('.')[0]}` is {failed.message}" if failed.missing else failed.message
    message = f"{words_of(failed.test)}: {reason}"
    if failed.student_line is not None:
        return Cause(names, failed.student_line["file"], failed.student_line["line"], message)
    return Cause(names, stage.file.as_posix(), _definition_line(course, result), message)


def _definition_line(course: Course, result: ExerciseResult) -> int | None:
    """Return the line in which the student's function begins."""
    lines = read_module(course.root, course.stage(result.exercise.stage)).lines(result.exercise.name)
    return lines[0] + 1 if lines else None


def _used(course: Course, result: ExerciseResult, failing: Sequence[ExerciseResult]) -> set[str]:
    """Return the keys of the failing exercises, of this stage or of those that it needs, that the exercise uses."""
    exercise = result.exercise
    try:
        module = read_module(course.root, course.stage(exercise.stage))
    except CompanionError:
        return set()
    mentioned = module.mentions(exercise.name)
    earlier = [stage.id for stage in course.stages]
    earlier = earlier[: earlier.index(exercise.stage) + 1]
    return {
        other.exercise.key
        for other in failing
        if other.exercise.name in mentioned and other.exercise.stage in earlier and other.exercise != exercise
    }


def _all_used(key: str, uses: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    wanted = [key]
    while wanted:
        fresh = uses[wanted.pop()] - found
        found |= fresh
        wanted += fresh
    return found


def _merged(causes: Sequence[Cause]) -> list[Cause]:
    """Merge causes with the same line: an error during an import fails all exercises of the stages that need it."""
    merged: dict[tuple[str, int | None, str], Cause] = {}
    for cause in causes:
        reason = cause.message if cause.line is None else ""
        key = cause.file, cause.line, reason
        known = merged.setdefault(key, cause)
        names = dict.fromkeys((*known.exercises, *cause.exercises))
        merged[key] = Cause(tuple(names), known.file, known.line, known.message)
    return list(merged.values())
