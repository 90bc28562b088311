"""What a push shows: the summary, remarks at the student's lines, and the points notice."""

import dataclasses
import json
import re

import pytest
from tiny_lab import MODULE, STAGE

from lab.checking import Checked
from lab.ci import MOST_REMARKS, commands, failing, summary, write_summary
from lab.course import LabError
from lab.results import Outcome, TestResult

FILE = f"{STAGE}/{MODULE}.py"


@pytest.fixture
def checked(course):
    """Of three exercises, double passes, total was begun and fails, halve (an extension) is as it was handed out."""
    double, total, halve = course.exercises
    where = {"file": FILE, "line": 23, "function": "total", "code": "return x"}
    error = TestResult(STAGE, "test_total", Outcome.FAILED, "IndexError: 100% wrong,\nsays torch", where=where)
    return [
        Checked(double, (TestResult(STAGE, "test_double", Outcome.PASSED),)),
        Checked(total, (error,)),
        Checked(halve, (TestResult(STAGE, "test_halve", Outcome.MISSING, "not written yet"),), is_begun=False),
    ]


def test_points_are_told_in_the_form_that_classrooms_read(course, checked):
    lines = list(commands(course, checked))
    assert "::notice title=Autograding complete::Points 3/7" in lines
    report = next(line for line in lines if "Autograding report" in line)
    assert json.loads(report.partition("report::")[2]) == {"totalPoints": 3, "maxPoints": 7}


def test_a_remark_stands_at_the_students_line(course, checked):
    (remark,) = [line for line in commands(course, checked) if line.startswith("::error")]
    message = "total: IndexError: 100%25 wrong,%0Asays torch"
    assert remark == f"::error file={FILE},line=23,title=total::{message}"


def test_what_was_not_begun_is_no_failure(checked):
    assert [one.exercise.name for one in failing(checked)] == ["total"]
    assert failing([checked[0], checked[2]]) == []


def test_words_of_a_program_can_begin_no_command(course, checked):
    evil = TestResult(STAGE, "test_total", Outcome.FAILED, "x\n::set-output name=a::b\r::error::c")
    lines = list(commands(course, [dataclasses.replace(checked[1], results=(evil,))]))
    assert all("\n" not in line and "\r" not in line for line in lines)
    assert len(lines) == 3


def test_a_module_that_is_not_python_gets_one_remark(course):
    problem = LabError(f"{FILE}, line 4: invalid syntax", 4)
    checked = [Checked(exercise, (), problem=problem) for exercise in course.exercises]
    errors = [line for line in commands(course, checked) if line.startswith("::error")]
    assert errors == [f"::error file={FILE},line=4,title={STAGE}::{FILE}, line 4: invalid syntax"]
    assert failing(checked)


def test_no_more_remarks_than_are_shown(course, checked):
    lines = list(commands(course, [checked[1]] * 30))
    assert sum(line.startswith("::error") for line in lines) == MOST_REMARKS


def test_the_summary_is_a_table_that_no_message_can_break(course, checked):
    evil = TestResult(STAGE, "test_total", Outcome.FAILED, "a | b\n<img src=x> `c`")
    text = summary(course, [checked[0], dataclasses.replace(checked[1], results=(evil,)), checked[2]])
    assert "3 of 7 points" in text
    rows = [line for line in text.splitlines() if line.startswith(("| ✅", "| ❌", "| ⬜"))]
    assert [re.split(r"(?<!\\)\|", row)[2].strip() for row in rows] == ["`double`", "`total`", "`halve`"]
    assert all(len(re.split(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert "<img" not in text


def test_the_summary_is_written_where_there_is_a_page(tmp_path):
    page = tmp_path / "summary.md"
    for _ in range(2):
        write_summary("text", {"GITHUB_STEP_SUMMARY": str(page)})
    assert page.read_text(encoding="utf-8") == "text\ntext\n"
    write_summary("text", {})
