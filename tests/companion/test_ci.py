"""Output of a push: the summary, annotations at the student's lines, and the points notice."""

import dataclasses
import json
import re

import pytest
from tiny_lab import MODULE, STAGE

from lab.checking import ExerciseResult
from lab.ci import LARGEST_SUMMARY, MOST_ANNOTATIONS, commands, failing, summary, write_summary
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
    many = [
        dataclasses.replace(
            results[1],
            exercise=dataclasses.replace(results[1].exercise, name=f"total_{number}"),
            test_results=(
                dataclasses.replace(results[1].test_results[0], student_line={"file": FILE, "line": number}),
            ),
        )
        for number in range(1, 30)
    ]
    lines = list(commands(course, many))
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


def failed(course, name: str, message: str = "differs", **fields) -> ExerciseResult:
    (exercise,) = course.select(name)
    line = {"file": f"{STAGE}/test_{MODULE}.py", "line": 4, "function": "", "code": ""}
    result = TestResult(STAGE, f"test_{name}", TestOutcome.FAILED, message, test_line=line, **fields)
    return ExerciseResult(exercise, (result,))


def errors(course, results) -> list[str]:
    return [line for line in commands(course, results) if line.startswith("::error")]


def line_of(course, text: str) -> int:
    lines = (course.root / FILE).read_text(encoding="utf-8").split("\n")
    return next(number for number, line in enumerate(lines, 1) if line.startswith(text))


def test_a_wrong_value_is_marked_at_the_students_function(course, write):
    write(double="return x")
    line = line_of(course, "def double(")
    assert errors(course, [failed(course, "double")]) == [
        f"::error file={FILE},line={line},title=double::double: differs"
    ]


def test_one_bug_makes_one_annotation(course, write):
    """Total uses a helper that uses double; halve uses total: only double is wrong."""
    write(
        double="return x", total="return helper(x)", halve="return total(x, 0)", top="\ndef helper(x):\n    double(x)\n"
    )
    both = [failed(course, name) for name in ("double", "total", "halve")]
    (annotation,) = errors(course, both)
    assert f"line={line_of(course, 'def double(')},title=double::" in annotation
    assert annotation.endswith("differs (this also concerns total, halve)")
    assert len(errors(course, both[1:])) == 1  # double passes: total is the cause
    assert len(errors(course, [both[0], failed(course, "halve")])) == 1


def test_exercises_that_use_each_other_are_each_marked(course, write):
    write(double="return total(x, 0)", total="return double(x)")
    assert len(errors(course, [failed(course, "double"), failed(course, "total")])) == 2


def test_an_error_during_the_import_makes_one_annotation_for_all_stages(course, write):
    write(double="return x", total="return x", halve="return x")
    line = {"file": FILE, "line": 3, "function": "<module>", "code": "import einops"}
    results = [failed(course, name, student_line=line) for name in ("double", "total", "halve")]
    (annotation,) = errors(course, results)
    assert annotation.startswith(f"::error file={FILE},line=3,title=double::")


def test_an_exercise_that_needs_an_unwritten_one_names_it(course, write):
    write(total="return double(x)")
    line = {"file": FILE, "line": 16, "function": "double", "code": ""}
    (annotation,) = errors(course, [failed(course, "total", "not written yet", student_line=line, missing="double")])
    assert "line=16" in annotation
    assert "`double` is not written yet" in annotation


def test_the_same_remark_is_shown_once(course, write):
    write(top="\nimport einops\nimport einops\n")
    (warning,) = [line for line in commands(course, []) if line.startswith("::warning")]
    assert re.search(r"with this import the module cannot be loaded \(also in line \d+\)$", warning)


def test_a_large_summary_is_cut_in_bytes_after_a_whole_row(course, results):
    wide = dataclasses.replace(
        results[1], test_results=(TestResult(STAGE, "test_total", TestOutcome.FAILED, "…" * 600),)
    )
    text = summary(course, [wide] * 700)
    assert 900_000 < len(text.encode()) <= LARGEST_SUMMARY < 1_048_576
    assert text.endswith("\n\nThe page ends here: GitHub shows no more. `lab check` shows everything.\n")
    assert all(len(re.split(r"(?<!\\)\|", row)) == 6 for row in text.splitlines() if row.startswith("| ❌"))
