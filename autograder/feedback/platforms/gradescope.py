"""Gradescope: ``results.json`` of one submission, as its autograders write it.

``score`` at the top counts instead of the sum of the tests, so that late penalties and points by hand are exact. Output
of student code stays hidden. Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/.
"""

from collections.abc import Sequence

from autograder.base.results import StageReport
from autograder.base.sinks import json_text, markdown_code, markdown_prose
from autograder.course.policy import TotalPolicy
from autograder.feedback.grade_words import total_remarks
from autograder.feedback.platforms.rows import PlatformRow, counted_points, platform_rows
from autograder.integrations.grades import Grade
from autograder.integrations.totals import course_total


def gradescope_results(reports: Sequence[StageReport], grades: Sequence[Grade], policy: TotalPolicy) -> bytes:
    """The ``results.json`` of one student.

    Args:
        reports: the student's reports of one or several stages.
        grades: the grade of each report.
        policy: how the points of several stages become the score.
    """
    rows = platform_rows(reports, grades)
    total = course_total(grades, policy)
    points = total.points or 0.0
    words = [f"{counted_points(points)} of {counted_points(total.possible)}", *total_remarks(total)]
    document = {
        "score": points,
        "execution_time": round(sum(report.seconds for report in reports)),
        "output": "\n\n".join(map(markdown_prose, words)),
        "output_format": "md",
        "test_output_format": "md",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_test(index, row) for index, row in enumerate(rows, 1)],
    }
    return json_text(document)


def _test(index: int, row: PlatformRow) -> dict[str, object]:
    return {
        "name": row.title,
        "number": str(index),
        "score": row.score,
        "max_score": row.possible,
        "status": "passed" if row.passed else "failed",
        "tags": [row.group],
        "visibility": "visible",
        "output": "\n".join(f"- **{part}** {_shown(part, text)}" for part, text in row.details),
    }


def _shown(part: str, text: str) -> str:
    return markdown_code(text) if part == "where" else markdown_prose(text)
