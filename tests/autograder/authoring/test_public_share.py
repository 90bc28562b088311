"""The share of the mistakes that public tests catch: computed for the tiny lab, at least half in each real stage."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_lab import STAGE, replace_in

from autograder.course.lab import Lab

LAB = Lab.find(Path(__file__).parent)


def run(lab: Lab, stage_id: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "autograder.authoring.public_share", stage_id],
        cwd=lab.root,
        env={**os.environ, "PYTHONPATH": str(LAB.root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_missed_mistakes_and_false_alarms_are_listed(tiny_lab):
    stage = tiny_lab.stage(STAGE)
    tests = stage.folder / f"test_{stage.spec.module}.py"
    replace_in(tests, "tiny.halve(torch.tensor([4.0]))", "tiny.halve(torch.tensor([0.0]))")
    replace_in(tests, "== [2.0], ", "== [0.0] and tiny.__name__ == 'tiny', ")
    replace_in(stage.folder / "alternatives" / "loop.py", "def halve(x", "def halved(x")
    code, text = run(tiny_lab, STAGE)
    assert text.splitlines() == [
        "1_tiny: 2 of 5 (40%)",
        "    false alarm: loop",
        "    double (1 caught) misses double_upcasts",
        "    total (1 caught) misses total_drops_the_sign",
        "    halve (0 caught) misses halve_forgets_to_divide",
    ]
    assert code == 1


@pytest.mark.slow
@pytest.mark.parametrize("stage_id", [stage.id for stage in LAB.stages()])
def test_public_tests_catch_half_of_the_mistakes_and_fail_no_correct_solution(stage_id):
    code, text = run(LAB, stage_id)
    assert code == 0, text
