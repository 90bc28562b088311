"""The proof of the real lab: its references, stubs and stand-ins earn what they should.

The other alternatives, and isolation, are left to the slow test. The mistakes take longer than all other tests
together: `make verify` judges them too.
"""

from pathlib import Path

import pytest
from pipeline import InProcessJudges

from autograder.authoring.verify import Variant, count_variants, released_problems, verify_stage
from autograder.course.lab import Lab

LAB = Lab.find(Path(__file__).parent)


@pytest.mark.parametrize("stage", LAB.stages(), ids=lambda stage: stage.id)
def test_a_stage_holds_in_this_process(stage):
    """The same hidden tests without workers, on the stand-ins; of the alternatives, only the one for later stages."""

    def is_chosen(variant: Variant) -> bool:
        if variant.kind == "alternative":
            return variant.name == stage.stand_in.stem
        return variant.kind == "stub" or variant.name.endswith("on stand-ins") or not stage.spec.needs

    judges = InProcessJudges(LAB)
    assert verify_stage(LAB, stage, judges, seeds=[0], workers=1, with_mistakes=False, chosen=is_chosen) == []


def test_the_released_files_are_those_of_a_fresh_release():
    assert released_problems(LAB) == []


@pytest.mark.slow
def test_the_lab_holds_in_isolation(autograder):
    done = autograder("verify", "--no-mistakes", cwd=LAB.root, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    for stage in LAB.stages():
        count = count_variants(LAB, stage, with_mistakes=False)
        assert f"{stage.id}: {count} solutions judged, 0 problems" in done.stdout
    assert "the lab holds" in done.stdout
