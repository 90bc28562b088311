"""``python public_tests.py STAGE…``: run the public tests of these stages, and print what passed as JSON.

It runs in a pristine copy of the students' repository that holds the student's modules, with the companion ``lab``.
"""

import json
import sys
from pathlib import Path

from lab import ci
from lab.checking import ExerciseResult, check
from lab.course import Course
from lab.progress import Progress


def main(stages: list[str]) -> None:
    """Check the exercises of these stages that have public tests."""
    course = Course.load(Path.cwd())
    exercises = [exercise for exercise in course.exercises if exercise.stage in stages and exercise.tests]
    results = check(course, exercises, Progress())
    report = {
        "passed": [result.exercise.key for result in results if result.passed],
        "hints": {result.exercise.key: _hint(result) for result in results if not result.passed},
        "summary": ci.summary(course, results),
    }
    print(json.dumps(report))


def _hint(result: ExerciseResult) -> str:
    if result.problem is not None:
        return str(result.problem)
    if not result.is_started:
        return "not started"
    return next((test.message for test in result.test_results if not test.passed), "")


if __name__ == "__main__":
    main(sys.argv[1:])
