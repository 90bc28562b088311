"""The proof of the real lab, in isolation.

Its mistakes take longer than all other tests together: `make verify` judges them too.
"""

from pathlib import Path

from autograder.authoring.verify import count_variants
from autograder.course.lab import Lab


def test_the_lab_holds(autograder):
    lab = Lab.find(Path(__file__).parent)
    done = autograder("verify", "--no-mistakes", cwd=lab.root, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    for stage in lab.stages():
        count = count_variants(lab, stage, with_mistakes=False)
        assert f"{stage.id}: {count} solutions judged, 0 problems" in done.stdout
    assert "the lab holds" in done.stdout
