"""The real lab's proof of itself, in isolation."""

from pathlib import Path

from autograder.lab import Lab


def test_the_lab_holds(autograder):
    done = autograder("verify", cwd=Lab.find(Path(__file__).parent).root, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert "the lab holds" in done.stdout
