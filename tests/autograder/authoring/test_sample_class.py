"""The sample class is built from the lab: each stage of the lab adds a submission per student."""

import pytest
from tiny_lab import STAGE, forbid_a_softmax

from autograder.authoring.sample_class import Sample, sample_class
from autograder.authoring.scaffold import new_stage
from autograder.course.lab import Lab

STOPS_AFTER_THE_FIRST_STAGE = "viktor"


@pytest.fixture
def samples(tiny_lab) -> list[Sample]:
    """The class of a lab with three stages."""
    for stage, module in (("2_twice", "twice"), ("3_thrice", "thrice")):
        new_stage(Lab(tiny_lab.root), stage, module)
    return sample_class(Lab(tiny_lab.root).stages())


def test_every_student_submits_every_stage(samples):
    stages = {}
    for sample in samples:
        stages.setdefault(sample.student, []).append(sample.stage)
    assert stages.pop(STOPS_AFTER_THE_FIRST_STAGE) == [STAGE]
    assert set(map(tuple, stages.values())) == {(STAGE, "2_twice", "3_thrice")}


def test_every_stage_has_every_kind_of_submission(samples):
    for stage in (STAGE, "2_twice", "3_thrice"):
        kinds = {sample.kind.split()[0] for sample in samples if sample.stage == stage}
        assert {"reference", "alternative", "mistake", "edits", "equal", "loops", "0"} <= kinds


def test_a_submission_loses_checks_of_its_stage_only(tiny_lab, samples):
    for sample in samples:
        assert sample.lost <= set(Lab(tiny_lab.root).stage(sample.stage).spec.check_ids)


def test_no_student_submits_an_alternative_with_refused_lines(tiny_lab):
    forbid_a_softmax(tiny_lab, "  # refused")
    samples = sample_class(Lab(tiny_lab.root).stages())
    kinds = {sample.kind for sample in samples if sample.kind.startswith("alternative")}
    assert kinds == {"alternative loop"}
