"""Output of a push: the summary, annotations at the student's lines, and the points notice."""

import dataclasses
import json
import re

import pytest
from tiny_lab import MODULE, STAGE

from lab.checking import ExerciseResult
from lab.ci import MOST_ANNOTATIONS, commands, failing, summary, write_summary
from lab.course import CompanionError
from lab.results import TestOutcome, TestResult

FILE = f"{STAGE}/{MODULE}.py"


@pytest.fixture
def results(course):
    """Three results: double passes, total was started and fails, halve (an extension) is not started."""
    double, total, halve = course.exercises
    line = {"file": FILE, "line": 23, "function": "total", "code": "return x"}
    error = TestResult(
        STAGE, "test_total", TestOutcome.FAILED, "IndexError: 100% wrong,\nsays torch", student_line=line
    )
    return [
        ExerciseResult(double, (TestResult(STAGE, "test_double", TestOutcome.PASSED),)),
        ExerciseResult(total, (error,)),
        ExerciseResult(
            halve, (TestResult(STAGE, "test_halve", TestOutcome.MISSING, "not written yet"),), is_started=False
        ),
    ]


def test_points_have_the_format_of_github_classroom(course, results):
    lines = list(commands(course, results))
    assert "::notice title=Autograding complete::Points 3/7" in lines
    report = next(line for line in lines if "Autograding report" in line)
    assert json.loads(report.partition("report::")[2]) == {"totalPoints": 3, "maxPoints": 7}


def test_an_annotation_is_at_the_students_line(course, results):
    (annotation,) = [line for line in commands(course, results) if line.startswith("::error")]
    message = "total: IndexError: 100%25 wrong,%0Asays torch"
    assert annotation == f"::error file={FILE},line=23,title=total::{message}"


def test_an_exercise_that_was_not_started_is_not_a_failure(results):
    assert [result.exercise.name for result in failing(results)] == ["total"]
    assert failing([results[0], results[2]]) == []


def test_messages_of_a_program_cannot_start_a_command(course, results):
    evil = TestResult(STAGE, "test_total", TestOutcome.FAILED, "x\n::set-output name=a::b\r::error::c")
    lines = list(commands(course, [dataclasses.replace(results[1], test_results=(evil,))]))
    assert all("\n" not in line and "\r" not in line for line in lines)
    assert len(lines) == 3


def test_a_module_that_is_not_valid_python_gets_one_annotation(course):
    problem = CompanionError(f"{FILE}, line 4: invalid syntax", 4)
    results = [ExerciseResult(exercise, (), problem=problem) for exercise in course.exercises]
    errors = [line for line in commands(course, results) if line.startswith("::error")]
    assert errors == [f"::error file={FILE},line=4,title={STAGE}::{FILE}, line 4: invalid syntax"]
    assert failing(results)


def test_there_are_at_most_as_many_annotations_as_github_shows(course, results):
    lines = list(commands(course, [results[1]] * 30))
    assert sum(line.startswith("::error") for line in lines) == MOST_ANNOTATIONS


def test_no_message_can_break_the_table_of_the_summary(course, results):
    evil = TestResult(STAGE, "test_total", TestOutcome.FAILED, "a | b\n<img src=x> `c`")
    text = summary(course, [results[0], dataclasses.replace(results[1], test_results=(evil,)), results[2]])
    assert "3 of 7 points" in text
    rows = [line for line in text.splitlines() if line.startswith(("| ✅", "| ❌", "| ⬜"))]
    assert [re.split(r"(?<!\\)\|", row)[2].strip() for row in rows] == ["`double`", "`total`", "`halve`"]
    assert all(len(re.split(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert "<img" not in text


def test_the_summary_is_written_if_there_is_a_page(tmp_path):
    page = tmp_path / "summary.md"
    for _ in range(2):
        write_summary("text", {"GITHUB_STEP_SUMMARY": str(page)})
    assert page.read_text(encoding="utf-8") == "text\ntext\n"
    write_summary("text", {})
