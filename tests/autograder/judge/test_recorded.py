"""``autograder explain``: a check that runs again, its failing example, and the script that reproduces it."""

import runpy
from pathlib import Path

import pytest
import torch
from tiny_lab import MODULE, STAGE, build_tiny_lab, replace_in, solution

from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.messages import Job
from autograder.judge.recorded import RecordedRun, run_recorded
from autograder.judge.reproduction import SCRIPT, reproduction

WRONG = solution(double="return x + 2", total="return x.sum(abs(axis) % x.ndim)", halve="raise ValueError('odd')")
CLASSES = """\

class Box:
    def __init__(self, x):
        self.x = x

    def twice(self, scale=1):
        return self.x + 2 * scale
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return build_tiny_lab(tmp_path / "lab")


def recorded(lab: Lab, check_id: str, source: str = WRONG) -> RecordedRun:
    stage = lab.stage(STAGE)
    job = Job(stage=STAGE, modules={MODULE: source}, seed=1, checks=frozenset({check_id}))
    (check,) = (check for check in stage.spec.checks if check.id == check_id)
    return run_recorded(stage, job, check, (), read_course_code(lab, stage), InProcessSession)


def run_script(run: RecordedRun, folder: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    for name, content in reproduction("bob", MODULE, run).items():
        (folder / name).write_bytes(content)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(__import__("sys").modules, MODULE, raising=False)
    return runpy.run_path(str(folder / SCRIPT))["result"]


def test_a_wrong_result_is_recorded_named_and_reproduced_without_the_grader(lab, tmp_path, monkeypatch):
    run = recorded(lab, "test_total_counts_axes_from_the_end")
    last = run.exchanges[-1]
    assert len(run.exchanges) <= 2, "the requests of the failing example alone"
    assert run.nearest is not None
    assert (run.nearest.mistake.id, run.nearest.difference) == ("total_drops_the_sign", 0)
    (x, axis) = last.arguments["args"]
    assert torch.equal(run.expected, x.sum(axis))
    assert dict(run.example)["input"].startswith("seed = 0; sizes = (2, 3, 4); x = [[[")
    result = run_script(run, tmp_path, monkeypatch)
    assert torch.equal(result, last.reply[0])
    assert not torch.equal(result, run.expected)
    script = (tmp_path / SCRIPT).read_text(encoding="utf-8")
    assert "autograder" not in script
    assert len(script.splitlines()) <= 12


def test_an_error_of_the_students_code_is_raised_by_the_script_too(lab, tmp_path, monkeypatch):
    run = recorded(lab, "test_halve_divides_by_two")
    assert run.nearest is None
    with pytest.raises(ValueError, match="odd"):
        run_script(run, tmp_path, monkeypatch)


def test_objects_of_the_student_are_made_again_by_the_script(lab, tmp_path, monkeypatch):
    replace_in(lab.stage(STAGE).reference, "def halve(", f"{CLASSES.replace('+ 2', '* 2')}\n\ndef halve(")
    tests = lab.stage(STAGE).hidden_tests / "test_tiny.py"
    replace_in(tests, "check_close(student.double(x), x + x)", "check_close(student.Box(x).twice(scale=2), 4 * x)")
    run = recorded(lab, "test_double_multiplies_by_two", WRONG + CLASSES)
    x = run.exchanges[0].arguments["args"][0]
    assert torch.equal(run_script(run, tmp_path, monkeypatch), x + 4)


def test_a_check_that_passes_now_has_no_failing_example(lab):
    run = recorded(lab, "test_double_keeps_the_dtype")
    assert (run.ending.outcome, run.example) == ("PASSED", ())
