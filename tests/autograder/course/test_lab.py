"""The paths of the lab, and the errors for missing files and unknown stages."""

import pytest
from tiny_lab import MODULE, STAGE

from autograder.course.lab import Lab, LabError


def test_a_lab_is_found_from_any_folder_inside_it(tiny_lab):
    deep = tiny_lab.root / "solutions" / STAGE
    assert Lab.find(deep).root == tiny_lab.root
    assert Lab.find(tiny_lab.root).root == tiny_lab.root


def test_outside_a_lab_the_error_says_what_to_do(tmp_path):
    with pytest.raises(LabError, match=r"no grading\.yml in .* or above it: run this in the lab's repository"):
        Lab.find(tmp_path)


def test_a_stage_knows_its_files(tiny_lab):
    stage = tiny_lab.stage(STAGE)
    for path in (stage.reference, stage.sheet, stage.mistakes, *stage.alternatives):
        assert path.is_file()
    assert stage.hidden_tests.is_dir()
    assert [path.stem for path in stage.alternatives] == ["loop", "pytorch"]
    assert stage.assignment == tiny_lab.root / "assignments" / STAGE
    assert "### BEGIN SOLUTION" in stage.reference_source()


def test_stages_come_in_the_order_of_grading_yml(tiny_lab):
    assert [stage.id for stage in tiny_lab.stages()] == [STAGE]


def test_the_error_for_an_unknown_stage_lists_the_stages(tiny_lab):
    with pytest.raises(LabError, match=r"no stage named `2_tiny` in grading\.yml; stages: 1_tiny"):
        tiny_lab.stage("2_tiny")


def test_a_missing_reference_is_named(tiny_lab):
    stage = tiny_lab.stage(STAGE)
    stage.reference.unlink()
    with pytest.raises(LabError, match=rf"{MODULE}\.py is missing: every stage needs it"):
        stage.reference_source()


def test_grades_are_kept_in_the_workspace(tiny_lab, tmp_path):
    separate = Lab(tiny_lab.root, workspace=tmp_path / "elsewhere")
    assert (tiny_lab.build, separate.build) == (tiny_lab.root / "build", tmp_path / "elsewhere" / "build")
    assert separate.gradebook.parent == tmp_path / "elsewhere"
    assert separate.stage(STAGE).reference == tiny_lab.stage(STAGE).reference
