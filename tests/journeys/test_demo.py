"""The sample class of one stage of the real lab, graded by the real command; `make demo` grades all stages."""

from pathlib import Path

from autograder.course.lab import Lab


def test_every_sample_submission_scores_as_designed(autograder):
    lab = Lab.find(Path(__file__).parent)
    done = autograder("demo", "--stage", "1_kernels", cwd=lab.root, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert "scored exactly as designed" in done.stdout
    assert (lab.root / "build" / "demo" / "build" / "pages" / "class.html").is_file()
