"""``lab ci``: public tests in GitHub Actions, with a summary, remarks at your lines, and the points notice.

What runs in a student's repository can be changed by the student, so these points are advice. Grades
come from hidden tests that run elsewhere.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lab.checking import Checked
from lab.course import Course
from lab.results import TestResult

# GitHub shows ten remarks per step, and takes a summary of one megabyte.
MOST_REMARKS = 10
LARGEST_SUMMARY = 900_000


def points(checked: Sequence[Checked]) -> tuple[int, int]:
    """Points behind exercises whose public tests pass, and of all; extensions are not counted."""
    required = [one for one in checked if not one.exercise.bonus]
    return sum(one.exercise.points for one in required if one.passed), sum(one.exercise.points for one in required)


def failing(checked: Sequence[Checked]) -> list[Checked]:
    """Exercises that were begun and do not pass. What was not begun yet is no failure."""
    return [one for one in checked if one.is_begun and not one.passed]


def commands(course: Course, checked: Sequence[Checked]) -> Iterator[str]:
    """The lines that GitHub reads from a step's output, in the shape that GitHub Classroom made common."""
    yield from list(_remarks(course, checked))[:MOST_REMARKS]
    reached, total = points(checked)
    yield f"::notice title=Autograding complete::Points {reached}/{total}"
    report = json.dumps({"totalPoints": reached, "maxPoints": total}, separators=(",", ":"))
    yield f"::notice title=Autograding report::{report}"


def _remarks(course: Course, checked: Sequence[Checked]) -> Iterator[str]:
    for stage_id in dict.fromkeys(one.exercise.stage for one in checked if one.problem):
        problem = next(one.problem for one in checked if one.exercise.stage == stage_id)
        yield _remark(course.stage(stage_id).file.as_posix(), problem.line if problem else None, stage_id, str(problem))
    for one in failing(checked):
        wrong = next((result for result in one.results if not result.passed), None)
        if wrong is not None:
            place = _place(course, wrong)
            yield _remark(place[0], place[1], one.exercise.name, f"{_words(wrong.test)}: {wrong.message}")


def _place(course: Course, result: TestResult) -> tuple[str, int | None]:
    """The student's line where there is one, else the line of the test that asks."""
    place = result.where or result.asks
    return (place["file"], place["line"]) if place else (course.stage(result.stage).file.as_posix(), None)


def _remark(file: str, line: int | None, title: str, message: str) -> str:
    where = f"file={_property(file)}" + (f",line={line}" if line else "")
    return f"::error {where},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """Text that ends no command and begins none."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _words(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def summary(course: Course, checked: Sequence[Checked]) -> str:
    """The page of the run, in Markdown."""
    reached, total = points(checked)
    lines = [
        f"## Public tests: {reached} of {total} points stand behind exercises that pass",
        "",
        "These tests show the way; the grade comes from further, hidden tests.",
        "",
    ]
    for stage in course.stages:
        own = [one for one in checked if one.exercise.stage == stage.id]
        if not own:
            continue
        lines += [f"### {stage.id} · {_cell(stage.title)}", "", "| | exercise | tests | what |", "|---|---|---|---|"]
        lines += [_row(one) for one in own]
        lines.append("")
    return "\n".join(lines)[:LARGEST_SUMMARY]


def _row(one: Checked) -> str:
    passed = sum(result.passed for result in one.results)
    wrong = next((result for result in one.results if not result.passed), None)
    if one.problem is not None:
        mark, what = "❌", str(one.problem)
    elif one.passed:
        mark, what = "✅", ""
    elif not one.is_begun:
        mark, what = "⬜", "not started"
    else:
        mark, what = "❌", f"{_words(wrong.test)}: {wrong.message}" if wrong else ""
    return f"| {mark} | `{one.exercise.name}` | {passed}/{len(one.exercise.tests)} | {_cell(what)} |"


def _cell(text: str) -> str:
    """Words of students' programs, harmless in a table of Markdown."""
    flat = " ".join(text.split())
    for old, new in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "'")):
        flat = flat.replace(old, new)
    return flat


def write_summary(text: str, environment: Mapping[str, str] = os.environ) -> None:
    """Add to the run's page, where there is one."""
    if file := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as page:
            page.write(text + "\n")
