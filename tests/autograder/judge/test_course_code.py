"""The course's own code, as the judge reads it."""

from pathlib import Path

import pytest
from pipeline import build_two_stages
from tiny_lab import MODULE, REFERENCE, STAGE

from autograder.course.lab import Lab, LabError, needed_stages
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.loading import load_with_helpers

REAL_LAB = Lab(Path(__file__).parents[3])

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


@pytest.mark.parametrize("stage", REAL_LAB.stages(), ids=lambda stage: stage.id)
def test_a_helper_can_come_from_each_earlier_module_of_the_real_lab(stage):
    code, main = read_course_code(REAL_LAB, stage), stage.spec.module
    earlier = [needed for needed in needed_stages(REAL_LAB, stage) if needed.id != stage.id]
    course = {needed.spec.module: needed.stand_in_source() for needed in earlier}
    for module in course:
        own = f"{code.modules[module]}\n\ndef helper_of_my_own(x):\n    return 2 * x\n"
        modules = {**course, main: f"from {module} import helper_of_my_own\nfour = helper_of_my_own(2)\n"}
        first = load_with_helpers(InProcessSession, modules, {module: own}, main, code)
        assert first.error is None, f"{module}: {first.error}"
