"""The course's own code, as the judge reads it."""

import pytest
from pipeline import build_two_stages
from tiny_lab import MODULE, REFERENCE, STAGE

from autograder.course.lab import Lab, LabError, needed_stages
from autograder.judge.course_code import read_course_code

THIRD = """\
  3_most:
    title: Most of it
    module: most
    needs: [2_more]
    exercises:
      most:
        checks: {test_most: 1}
"""


@pytest.fixture
def lab(tmp_path) -> Lab:
    two_stages = build_two_stages(tmp_path / "lab")
    grading = two_stages.root / "grading.yml"
    grading.write_text(grading.read_text(encoding="utf-8") + THIRD, encoding="utf-8")
    return two_stages


def test_a_stage_needs_those_it_builds_on_directly_or_not(lab):
    needed = {stage.id: [needed_stage.id for needed_stage in needed_stages(lab, stage)] for stage in lab.stages()}
    assert needed == {STAGE: [STAGE], "2_more": [STAGE, "2_more"], "3_most": [STAGE, "2_more", "3_most"]}


def test_the_references_of_all_of_them_are_read(lab):
    code = read_course_code(lab, lab.stage("2_more"))
    assert list(code.modules) == [MODULE, "more"]
    assert code.modules[MODULE] == REFERENCE
    assert code.mistakes == ()


def test_a_missing_part_is_named(lab):
    with pytest.raises(LabError, match=r"most\.py is missing"):
        read_course_code(lab, lab.stage("3_most"))
