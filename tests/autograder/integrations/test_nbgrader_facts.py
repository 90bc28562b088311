"""Facts about nbgrader on which the lab relies, or which it works around.

If one of these tests fails after an update of nbgrader, the integration must be reviewed.
"""

from datetime import datetime, timedelta, timezone

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.utils import compute_checksum, determine_grade, parse_utc

from autograder.integrations.nbgrader.course import open_gradebook

PRINTED = new_output("stream", name="stdout", text="0 of 4 points")
WARNED = new_output("stream", name="stderr", text="UserWarning: deprecated")
TABLE = new_output("display_data", data={"text/html": "<table></table>", "text/plain": "0/4"})
RAISED = new_output("error", ename="AssertionError", evalue="", traceback=[])


def result(text: str) -> nbformat.NotebookNode:
    return new_output("execute_result", data={"text/plain": text})


def graded_cell(*outputs: nbformat.NotebookNode) -> nbformat.NotebookNode:
    marks = {"grade_id": "check", "grade": True, "solution": False, "locked": True, "points": 4, "schema_version": 3}
    return new_code_cell("# graded by the course", outputs=list(outputs), metadata={"nbgrader": marks})


@pytest.mark.parametrize(
    "outputs", [(), (PRINTED,), (TABLE,), (result("all wrong"),), (result("nan"),), (result("-1.0"),)]
)
def test_a_graded_cell_without_a_number_earns_everything(outputs):
    assert determine_grade(graded_cell(*outputs)) == (4.0, 4.0)


@pytest.mark.parametrize("outputs", [(WARNED, result("4.0")), (RAISED,)])
def test_anything_on_standard_error_costs_everything(outputs):
    assert determine_grade(graded_cell(*outputs)) == (0, 4.0)


@pytest.mark.parametrize("score", [0.0, 1.0, 2.5, 4.0])
def test_the_first_result_that_is_a_number_is_the_score_whatever_is_displayed_before_it(score):
    assert determine_grade(graded_cell(TABLE, result(repr(score)), result("4.0"))) == (score, 4.0)


def test_more_than_the_points_is_an_error():
    with pytest.raises(ValueError, match="cannot be greater"):
        determine_grade(graded_cell(result("4.5")))


def test_an_unchanged_answer_is_zero_and_a_changed_answer_needs_manual_grading():
    marks = {"grade_id": "why", "grade": True, "solution": True, "locked": False, "points": 2, "schema_version": 3}
    answer = new_markdown_cell("Write here.", metadata={"nbgrader": marks})
    answer.metadata.nbgrader.checksum = compute_checksum(answer)
    assert determine_grade(answer) == (0, 2.0)
    answer.source = "Because."
    assert determine_grade(answer) == (None, 2.0)


def test_a_manual_score_outranks_the_automatic_one_and_extra_credit_needs_either(classroom):
    with open_gradebook(classroom.lab) as gradebook:
        gradebook.add_assignment("a")
        gradebook.add_notebook("n", "a")
        gradebook.add_grade_cell("c", "n", "a", max_score=4, cell_type="code")
        gradebook.add_student("s")
        gradebook.add_submission("a", "s")
        grade = gradebook.find_grade("c", "n", "a", "s")
        assert grade.needs_manual_grade
        scores = []
        for automatic, manual, extra in ((None, None, 1.0), (3.0, None, None), (3.0, None, 1.0), (3.0, 2.5, 1.0)):
            grade.auto_score, grade.manual_score, grade.extra_credit = automatic, manual, extra
            gradebook.db.commit()
            scores.append(gradebook.find_submission("a", "s").score)
    assert scores == [0.0, 3.0, 4.0, 3.5]


def test_times_are_stored_in_utc_without_a_zone():
    assert str(parse_utc("2026-03-01 12:00:00.000000 UTC")) == "2026-03-01 12:00:00"
    in_tokyo = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    assert parse_utc(in_tokyo) == datetime(2026, 3, 1, 3)
