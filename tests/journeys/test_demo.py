"""The sample class, graded by the real command: the short class in one stage, and the full class in every stage."""

import pytest


@pytest.mark.parametrize(
    "arguments", [("--stage", "1_kernels"), pytest.param(("--full",), marks=pytest.mark.slow)], ids=" ".join
)
def test_every_sample_submission_scores_as_designed(autograder, instructor, arguments):
    done = autograder("demo", *arguments, cwd=instructor, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert "scored exactly as designed" in done.stdout
    class_page = instructor / "build" / "demo" / "build" / "pages" / "class.html"
    assert class_page.is_file()
    announced, first_result = done.stdout.index(str(class_page)), done.stdout.index("grading 1/")
    assert announced < first_result
