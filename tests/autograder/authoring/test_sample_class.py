"""The sample class is built from the lab: each stage of the lab adds a submission per student."""

import re

import pytest
from tiny_lab import STAGE, forbid_a_softmax

from autograder.authoring.sample_class import (
    ALTERNATIVE_STUDENTS,
    MISTAKEN_STUDENTS,
    Sample,
    sample_class,
)
from autograder.authoring.scaffold import new_stage
from autograder.course.lab import Lab

STOPS_AFTER_THE_FIRST_STAGE = "viktor"


@pytest.fixture
def samples(tiny_lab) -> list[Sample]:
    """The class of a lab with three stages."""
    for stage, module in (("2_twice", "twice"), ("3_thrice", "thrice")):
        new_stage(Lab(tiny_lab.root), stage, module)
    return sample_class(Lab(tiny_lab.root).stages(), full=True)


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


def kind_of(sample: Sample) -> str:
    """The kind of a submission, the same for all alternatives, all mistakes and all unfinished work that is begun."""
    if sample.student in ALTERNATIVE_STUDENTS:
        return "alternative"
    if sample.student in MISTAKEN_STUDENTS:
        return "mistake"
    share = re.match(r"(\d+) of \d+ exercises", sample.kind)
    return sample.kind if share is None else f"some exercises: {share[1] != '0'}"


def test_the_short_class_has_every_kind_of_submission_in_the_first_stage(tiny_lab):
    full, short = ({kind_of(sample) for sample in sample_class(tiny_lab.stages(), full=full)} for full in (True, False))
    assert short == full


def test_the_short_class_has_every_stage_in_less_than_half_of_the_submissions(tiny_lab, samples):
    short = sample_class(Lab(tiny_lab.root).stages(), full=False)
    assert len(short) < len(samples) / 2
    for stage in (STAGE, "2_twice", "3_thrice"):
        kinds = {sample.kind.split()[0] for sample in short if sample.stage == stage}
        assert {"reference", "alternative", "mistake"} <= kinds


def test_a_submission_loses_checks_of_its_stage_only(tiny_lab, samples):
    for sample in samples:
        assert sample.lost <= set(Lab(tiny_lab.root).stage(sample.stage).spec.check_ids)


def test_no_student_submits_an_alternative_with_refused_lines(tiny_lab):
    forbid_a_softmax(tiny_lab, "  # refused")
    samples = sample_class(Lab(tiny_lab.root).stages(), full=True)
    kinds = {sample.kind for sample in samples if sample.kind.startswith("alternative")}
    assert kinds == {"alternative loop"}
