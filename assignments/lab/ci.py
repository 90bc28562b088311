"""``lab ci``: public tests in GitHub Actions, with a summary, annotations at your lines, and the points notice.

Students can change what runs in their repositories, so these points are advice. Grades come from hidden tests that
run elsewhere.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lab.causes import find_causes, words_of
from lab.checking import ExerciseResult
from lab.course import Course
from lab.portability import remarks

# GitHub shows ten annotations per step. It accepts a summary of 1,048,576 bytes, and refuses a larger one whole.
MOST_ANNOTATIONS = 10
LARGEST_SUMMARY = 1_000_000
_CUT = "\n\nThe page ends here: GitHub shows no more. `lab check` shows everything.\n"


def points(results: Sequence[ExerciseResult]) -> tuple[int, int]:
    """Return the points of exercises whose public tests pass, and of all exercises; extensions are not counted."""
    required = [result for result in results if not result.exercise.bonus]
    reached = sum(result.exercise.points for result in required if result.passed)
    return reached, sum(result.exercise.points for result in required)


def failing(results: Sequence[ExerciseResult]) -> list[ExerciseResult]:
    """Return the exercises that were started and do not pass."""
    return [result for result in results if result.is_started and not result.passed]


def commands(course: Course, results: Sequence[ExerciseResult]) -> Iterator[str]:
    """Yield the lines that GitHub reads from a step's output, in the format of GitHub Classroom."""
    yield from [*_annotations(course, results), *_warnings(course)][:MOST_ANNOTATIONS]
    reached, total = points(results)
    yield f"::notice title=Autograding complete::Points {reached}/{total}"
    report = json.dumps({"totalPoints": reached, "maxPoints": total}, separators=(",", ":"))
    yield f"::notice title=Autograding report::{report}"


def _annotations(course: Course, results: Sequence[ExerciseResult]) -> Iterator[str]:
    """Yield one annotation for each cause, at the student's code."""
    for cause in find_causes(course, results):
        names = ", ".join(cause.exercises[1:])
        also = f" (this also concerns {names})" if names else ""
        yield _annotation(cause.file, cause.line, cause.exercises[0], cause.message + also)


def _warnings(course: Course) -> Iterator[str]:
    """Yield the annotations of code that does not work where it is graded: one for each text."""
    found: dict[tuple[str, str], list[int]] = {}
    for stage in course.stages:
        for remark in remarks(course, stage):
            found.setdefault((remark.file, remark.text), []).append(remark.line)
    for (file, text), (first, *rest) in found.items():
        also = f" (also in line {', '.join(map(str, rest))})" if rest else ""
        yield _annotation(file, first, "Where it is graded", text + also, kind="warning")


def _annotation(file: str, line: int | None, title: str, message: str, kind: str = "error") -> str:
    location = f"file={_property(file)}" + (f",line={line}" if line else "")
    return f"::{kind} {location},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a text so that it neither ends a command nor begins another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(course: Course, results: Sequence[ExerciseResult]) -> str:
    """Return the summary page of the run, in Markdown."""
    reached, total = points(results)
    lines = [
        f"## Public tests: the exercises that pass are worth {reached} of {total} points",
        "",
        "Public tests are a guide; the grade comes from further, hidden tests.",
        "",
    ]
    for stage in course.stages:
        own = [result for result in results if result.exercise.stage == stage.id]
        if not own:
            continue
        title = f"### {stage.id} · {_cell(stage.title)}"
        lines += [title, "", "| | exercise | tests | problem |", "|---|---|---|---|", *map(_row, own), ""]
    return _within("\n".join(lines), LARGEST_SUMMARY)


def _within(text: str, most: int) -> str:
    """Cut a text after a whole line, so that it has at most ``most`` bytes."""
    if len(text.encode()) <= most:
        return text
    kept = text.encode()[: most - len(_CUT.encode())].decode(errors="ignore")
    return kept.rpartition("\n")[0] + _CUT


def _row(result: ExerciseResult) -> str:
    passed = sum(test.passed for test in result.test_results)
    failed = next((test for test in result.test_results if not test.passed), None)
    if result.problem is not None:
        mark, problem = "❌", str(result.problem)
    elif result.passed:
        mark, problem = "✅", ""
    elif not result.is_started:
        mark, problem = "⬜", "not started"
    else:
        mark, problem = "❌", f"{words_of(failed.test)}: {failed.message}" if failed else ""
    return f"| {mark} | `{result.exercise.name}` | {passed}/{len(result.exercise.tests)} | {_cell(problem)} |"


def _cell(text: str) -> str:
    """Escape a text of a student's program for a table cell in Markdown."""
    flat = " ".join(text.split())
    for old, new in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "'")):
        flat = flat.replace(old, new)
    return flat


def write_summary(text: str, environment: Mapping[str, str] = os.environ) -> None:
    """Append to the summary page of the run, if there is one."""
    if file := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as page:
            page.write(text + "\n")
