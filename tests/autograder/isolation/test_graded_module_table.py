"""A table for students says what a graded module can do: each example does what its row says."""

import re
import sys
from pathlib import Path

import pytest
from workers import load

from autograder.course.lab import Lab
from autograder.course.surroundings import surroundings
from autograder.isolation.errors import SubmissionError

LAB = Lab.find(Path(__file__).parent)
PAGE = LAB.root / "solutions" / "student_repository" / "docs" / "graded-module.md"
ROWS = re.findall(
    r"^\| ([^|]+) \| `([^|]+)` \| (works|fails|is not graded)", PAGE.read_text(encoding="utf-8"), re.MULTILINE
)


def test_the_table_has_its_rows():
    assert len(ROWS) == 14
    assert {outcome for *_, outcome in ROWS} == {"works", "fails", "is not graded"}


@pytest.mark.parametrize(("what", "example", "outcome"), ROWS, ids=[what for what, *_ in ROWS])
def test_an_example_does_what_its_row_says(spawn, what, example, outcome):
    worker = spawn()
    worker.request("surround", **surroundings(LAB))
    modules = {"attention": "def softmax(x): ..."}
    if outcome == "works" or (outcome == "is not graded" and sys.version_info >= (3, 12)):
        load(worker, example, "multihead", **modules)
    else:
        with pytest.raises(SubmissionError) as caught:
            load(worker, example, "multihead", **modules)
        assert (caught.value.type_name == "SyntaxError") == (outcome == "is not graded")
