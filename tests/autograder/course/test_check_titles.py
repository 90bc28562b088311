"""Titles of checks are read from the hidden tests, also where nothing was run."""

import os

import pytest
from tiny_lab import STAGE, replace_in

from autograder.base.results import Outcome
from autograder.course.check_titles import check_titles, title_and_hint
from autograder.course.lab import Lab
from autograder.judge.unrun import unrun_stage


@pytest.mark.parametrize(
    ("text", "title", "hint"),
    [
        ("A title.\n\nHint: some advice.\n", "A title", "some advice."),
        ("A title\n\nHint:\n  advice over\n  two lines\n", "A title", "advice over two lines"),
        ("A title.\n\nA remark.\n\nHint: advice.\n\nAnother remark.\n", "A title", "advice."),
        ("A title.", "A title", ""),
        ("  A title.  \n", "A title", ""),
        ("", "", ""),
    ],
)
def test_title_and_hint_come_from_the_docstring(text, title, hint):
    assert title_and_hint(text) == (title, hint)


def test_every_check_of_the_lab_has_a_title_that_begins_with_its_exercise():
    for stage in Lab.find().stages():
        titles = check_titles(stage)
        assert all(titles[check.id].startswith(f"{check.exercise}: ") for check in stage.spec.checks)


def test_a_check_that_did_not_run_has_the_title_of_its_hidden_test(tiny_lab):
    stage = tiny_lab.stage(STAGE)
    titles = check_titles(stage)
    results = unrun_stage(stage, "the file is missing", "tiny.py", Outcome.NOT_ATTEMPTED)
    assert {result.id: result.title for result in results} == titles
    assert len(titles) == len(stage.spec.checks)


def test_a_title_that_changes_is_read_again(tiny_lab):
    stage = tiny_lab.stage(STAGE)
    (path,) = stage.hidden_tests.glob("test_*.py")
    before = check_titles(stage)["test_halve_divides_by_two"]
    replace_in(path, before, "halve: another title")
    os.utime(path, ns=(1, 1))
    assert check_titles(stage)["test_halve_divides_by_two"] == "halve: another title"


def test_a_check_without_a_readable_hidden_test_is_titled_by_its_id(tiny_lab):
    stage = tiny_lab.stage(STAGE)
    (path,) = stage.hidden_tests.glob("test_*.py")
    path.write_text("def broken(:\n", encoding="utf-8")
    assert check_titles(stage) == {}
    assert unrun_stage(stage, "what", "where")[0].title == "double multiplies by two"
