"""Time that a submission wastes is its own: checks that it reaches count, the rest time out, and the result is kept.

The limits are short, so that each submission is over in about a second.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_lab import MODULE, STAGE, build_tiny_lab, replace_in, solution

from autograder.base.results import Outcome
from autograder.course.lab import Lab
from autograder.intake import take_in
from autograder.judge.pool import JudgePool
from autograder.pipeline.grade import Graded, Grader, stage_files

RIGHT = {"double": "return 2 * x", "total": "return x.sum(axis)", "halve": "return x / 2"}
OUT_OF_TIME = "ran out of time: your code used up the time limit of the whole stage"

WASTEFUL = {
    "sleeps in each call": "import time\n"
    + solution(**{name: f"time.sleep(0.1); {body}" for name, body in RIGHT.items()}),
    "computes in each call": solution(
        **{name: f"[x.sum() for _ in range(40_000)]; {body}" for name, body in RIGHT.items()}
    ),
    "sleeps where its functions are looked up": "import time\n"
    + solution(**RIGHT).replace("def ", "def _")
    + "\ndef __getattr__(name):\n    time.sleep(0.1)\n    return globals()['_' + name]\n",
    "sleeps while it is loaded": "import time\ntime.sleep(0.25)\n" + solution(**RIGHT),
    "sleeps after it has replied": "import os, time\n_write = os.write\n"
    "def slow(*args):\n    _write(*args)\n    time.sleep(0.1)\n    return len(args[1])\n"
    "os.write = slow\n" + solution(**RIGHT),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = build_tiny_lab(tmp_path_factory.mktemp("time") / "lab")
    short = "limits: {call_cpu_seconds: 0.4, check_cpu_seconds: 0.4, stage_cpu_seconds: 0.4}"
    replace_in(lab.root / "grading.yml", "limits: {call_cpu_seconds: 2.0, check_cpu_seconds: 4.0}", short)
    return Lab(lab.root)


@pytest.fixture(scope="module")
def judges(lab: Lab) -> Iterator[JudgePool]:
    with JudgePool(lab.root, size=1) as judges:
        yield judges


def grade(lab: Lab, judges: JudgePool, folder: Path) -> Graded:
    """The result of the only submission in the folder."""
    (graded,) = Grader(lab, judges).grade_all(take_in([folder], stage_files(lab)), workers=1)
    return graded


@pytest.mark.parametrize("name", WASTEFUL)
def test_a_submission_that_wastes_its_time_gets_a_score_that_is_kept(lab, judges, tmp_path, name):
    file = tmp_path / "ann" / STAGE / f"{MODULE}.py"
    file.parent.mkdir(parents=True)
    file.write_text(WASTEFUL[name], encoding="utf-8")
    first = grade(lab, judges, tmp_path)
    assert {check.outcome for check in first.report.checks} <= {Outcome.PASSED, Outcome.TIMEOUT}
    late = [check.what for check in first.report.checks if check.outcome is Outcome.TIMEOUT]
    assert late[-1] == OUT_OF_TIME
    assert first.report.graded
    again = grade(lab, judges, tmp_path)
    assert again.cached
    assert again.report.checks == first.report.checks
