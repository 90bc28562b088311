"""Checks exercises: runs their public tests, whatever those do, and remembers what came of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.code import Module
from lab.course import Course, Exercise, LabError
from lab.progress import Progress, read_module, version
from lab.results import Outcome, TestResult
from lab.session import Session

# Public tests are quick; what takes longer than this has most likely no end.
TIME_LIMIT = 120.0
# Seconds until the first test, in which PyTorch is imported: on a cold disk that alone may take a minute.
IMPORT_LIMIT = 300.0


@dataclass(frozen=True)
class Checked:
    """One exercise and what its public tests said.

    ``is_begun`` tells whether it is any longer as it was handed out; ``problem`` is why its module
    cannot be read, in which case there are no results.
    """

    exercise: Exercise
    results: tuple[TestResult, ...]
    is_begun: bool = True
    problem: LabError | None = None

    @property
    def passed(self) -> bool:
        """Whether it was begun and all of its tests pass."""
        return self.problem is None and self.is_begun and all(result.passed for result in self.results)


def check(
    course: Course,
    exercises: Sequence[Exercise],
    progress: Progress,
    *,
    session: Session | None = None,
    limit: float = TIME_LIMIT,
) -> list[Checked]:
    """Run the public tests of some exercises and remember what came of them.

    Args:
        course: the course.
        exercises: what to check, of any stages.
        progress: what came of it is noted here and saved.
        session: a process that was started earlier; a fresh one when None.
        limit: seconds that one test may take.

    Raises:
        LabError: the tests cannot be run at all.
    """
    modules = _modules(course, exercises)
    readable = [exercise for exercise in exercises if isinstance(modules[exercise.stage], Module)]
    wanted = list(dict.fromkeys((one.stage, test) for one in readable for test in one.tests))
    stubs = {one: Module.parse(course.stage(one).stub, one) for one in modules}
    results = _run(course, wanted, session or Session(course.root), limit) if wanted else []
    checked = []
    for exercise in exercises:
        module = modules[exercise.stage]
        if isinstance(module, LabError):
            checked.append(Checked(exercise, (), problem=module))
            continue
        own = [one for one in results if one.stage == exercise.stage and one.base in exercise.tests]
        gone = [test for test in exercise.tests if test not in {one.base for one in own}]
        own += [TestResult(exercise.stage, test, Outcome.GONE, _GONE) for test in gone]
        made = version(course.root, exercise, module, stubs[exercise.stage])
        checked.append(Checked(exercise, tuple(own), is_begun=made is not None))
        if made is not None:
            progress.note(exercise, made, checked[-1].passed)
    progress.save(course.root)
    return checked


_GONE = "this public test is no longer in its file; get the file back from the course's repository"


def _modules(course: Course, exercises: Sequence[Exercise]) -> dict[str, Module | LabError]:
    """The modules of the exercises' stages, or why they cannot be read."""
    modules: dict[str, Module | LabError] = {}
    for stage_id in dict.fromkeys(exercise.stage for exercise in exercises):
        try:
            modules[stage_id] = read_module(course.root, course.stage(stage_id))
        except LabError as error:
            modules[stage_id] = error
    return modules


def _run(course: Course, wanted: list[tuple[str, str]], session: Session, limit: float) -> list[TestResult]:
    """The results of all tests; a process that a test takes down is followed by another for the rest."""
    results: list[TestResult] = []
    while wanted:
        with session:
            report = session.ask(_request(course, wanted, limit))
            fresh = [TestResult.from_json(content) for kind, content in report if kind == "result"]
            started = [json.loads(content) for kind, content in report if kind == "started"]
            if all(kind != "finished" for kind, _ in report) and started:
                stage, test = started[-1]
                fresh.append(_ended(stage, test, session.trace(), limit))
        results += fresh
        done = {(one.stage, one.base) for one in fresh}
        # A test that is gone leaves no line: what remains after a whole run is not asked for again.
        finished = any(kind == "finished" for kind, _ in report) or not done
        wanted = [] if finished else [one for one in wanted if one not in done]
        if wanted:
            session = Session(course.root)
    return results


def _ended(stage: str, test: str, where: dict[str, Any] | None, limit: float) -> TestResult:
    """The test during which the process ended."""
    if where is not None:
        message = f"no answer within {limit:g} s: is there a loop that does not end?"
        return TestResult(stage, test, Outcome.HUNG, message, where=where)
    message = "Python itself was stopped during this test: by exit(), by a lack of memory, or after a very long time"
    return TestResult(stage, test, Outcome.CRASHED, message)


def _request(course: Course, wanted: Sequence[tuple[str, str]], limit: float) -> dict[str, Any]:
    stages = [stage for stage in course.stages if any(stage.id == one for one, _ in wanted)]
    return {
        "root": str(course.root),
        "modules": [stage.file.as_posix() for stage in course.stages],
        "limit": limit,
        "import_limit": IMPORT_LIMIT,
        "stages": [
            {
                "id": stage.id,
                "file": stage.tests.name,
                "tests": [test for stage_id, test in wanted if stage_id == stage.id],
            }
            for stage in stages
        ],
    }
