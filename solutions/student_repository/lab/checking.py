"""Checks exercises: runs their public tests, which may hang or crash, and records the results."""

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.code import Module
from lab.course import CompanionError, Course, Exercise
from lab.progress import Progress, read_module, version
from lab.results import TestOutcome, TestResult, no_answer
from lab.runner_process import Ending, Runner, RunnerProcess
from lab.shadows import refuse_hiding_files

# Public tests take milliseconds; a test that takes longer most likely never ends.
TIME_LIMIT = 20.0
# Seconds that the import of one test file may take, once PyTorch is imported.
IMPORT_LIMIT = 30.0


@dataclass(frozen=True)
class ExerciseResult:
    """Result of the public tests of one exercise.

    Attributes:
        exercise: the exercise.
        test_results: results of its tests; empty if its module cannot be read.
        is_started: whether it differs from its stub.
        problem: why its module cannot be read.
    """

    exercise: Exercise
    test_results: tuple[TestResult, ...]
    is_started: bool = True
    problem: CompanionError | None = None

    @property
    def import_error(self) -> str | None:
        """Why no test could run: an error in the module, or in a module that it imports; None if tests could run."""
        if self.problem is not None:
            return str(self.problem)
        reasons = {(test.imported_line, test.message) for test in self.test_results}
        (line, message), *others = reasons or {(None, "")}
        return f"{line}: {message}" if line and not others else None

    @property
    def can_have_a_hint(self) -> bool:
        """Whether a hint may help: the exercise was started, its tests could run, and one fails."""
        return self.is_started and self.import_error is None and not self.passed

    @property
    def passed(self) -> bool:
        """Whether the exercise was started and all of its tests pass."""
        return self.problem is None and self.is_started and all(result.passed for result in self.test_results)


def check(
    course: Course,
    exercises: Sequence[Exercise],
    progress: Progress,
    *,
    process: Runner | None = None,
    limit: float = TIME_LIMIT,
) -> list[ExerciseResult]:
    """Run the public tests of some exercises and record the results.

    Args:
        course: the course.
        exercises: the exercises to check, of any stages.
        progress: the results are recorded here; the caller saves them, after showing them.
        process: runs the tests, such as a process that was started earlier; a new process if None.
        limit: seconds that one test may take.

    Raises:
        CompanionError: the tests cannot be run at all.
    """
    refuse_hiding_files(course)
    modules = _modules(course, exercises)
    readable = [exercise for exercise in exercises if isinstance(modules[exercise.stage], Module)]
    wanted = list(dict.fromkeys((exercise.stage, test) for exercise in readable for test in exercise.tests))
    stubs = {stage_id: Module.parse(course.stage(stage_id).stub, stage_id) for stage_id in modules}
    test_results = _run(course, wanted, process or RunnerProcess(course.root), limit) if wanted else []
    results = []
    for exercise in exercises:
        module = modules[exercise.stage]
        if isinstance(module, CompanionError):
            results.append(ExerciseResult(exercise, (), problem=module))
            continue
        own = [result for result in test_results if result.stage == exercise.stage and result.base in exercise.tests]
        absent = [test for test in exercise.tests if test not in {result.base for result in own}]
        own += [_without_result(course, exercise.stage, test) for test in absent]
        digest = version(course.root, exercise, module, stubs[exercise.stage])
        results.append(ExerciseResult(exercise, tuple(own), is_started=digest is not None))
        if digest is not None:
            progress.record_check(exercise, digest, results[-1].passed)
    return results


def _without_result(course: Course, stage_id: str, test: str) -> TestResult:
    """Return the result of a test that left none: it is missing from its file, or pytest did not run it."""
    file = course.stage(stage_id).tests
    try:
        tree = ast.parse((course.root / file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        tree = ast.Module([], [])
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    if test in defined:
        why = f"pytest did not run this test; to see the reason, type: python -m pytest {file.as_posix()}"
        return TestResult(stage_id, test, TestOutcome.FAILED, why)
    gone = f"this public test is no longer in {file.as_posix()}; restore the file from the course's repository"
    return TestResult(stage_id, test, TestOutcome.GONE, gone)


def _modules(course: Course, exercises: Sequence[Exercise]) -> dict[str, Module | CompanionError]:
    """Return the modules of the exercises' stages, or the reasons why they cannot be read."""
    modules: dict[str, Module | CompanionError] = {}
    for stage_id in dict.fromkeys(exercise.stage for exercise in exercises):
        try:
            modules[stage_id] = read_module(course.root, course.stage(stage_id))
        except CompanionError as error:
            modules[stage_id] = error
    return modules


def _run(course: Course, wanted: list[tuple[str, str]], process: Runner, limit: float) -> list[TestResult]:
    """Run all tests; if a test ends the process, another process runs the remaining tests."""
    results: list[TestResult] = []
    while wanted:
        with process:
            report = process.run_tests(_request(course, wanted, limit))
            fresh = [TestResult.from_json(content) for kind, content in report if kind == "result"]
            finished = report[-1][0] == "finished"
            if not finished:
                fresh += _ended(report, wanted, process.ending(), limit)
        results += fresh
        done = {(result.stage, result.base) for result in fresh}
        # A test without a result after a complete run is missing from its file: do not run it again.
        wanted = [] if finished or not done else [key for key in wanted if key not in done]
        if wanted:
            process = RunnerProcess(course.root)
    return results


def _ended(
    report: list[tuple[str, str]], wanted: list[tuple[str, str]], ending: Ending, limit: float
) -> list[TestResult]:
    """Return the results of the tests during which the process ended: one test, or all of a file during its import."""
    kind, content = next(((kind, content) for kind, content in reversed(report) if kind in ("importing", "started")))
    if kind == "started":
        stage, test = json.loads(content)
        tests, reason = [test], ending.reason
        timeout = no_answer(limit)
    else:
        stage = json.loads(content)
        tests = [test for stage_id, test in wanted if stage_id == stage]
        timeout = f"the import did not end within {IMPORT_LIMIT:g} s: it never got past this line"
        reason = f"{ending.reason}, during the import"
    outcome, message = (TestOutcome.HUNG, timeout) if ending.timed_out else (TestOutcome.CRASHED, reason)
    return [TestResult(stage, test, outcome, message, student_line=ending.line) for test in tests]


def _request(course: Course, wanted: Sequence[tuple[str, str]], limit: float) -> dict[str, Any]:
    stages = [stage for stage in course.stages if any(stage.id == stage_id for stage_id, _ in wanted)]
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
