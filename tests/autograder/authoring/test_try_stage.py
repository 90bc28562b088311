"""The author's trial of a stage prints every unexpected result."""

import pytest
from click.testing import CliRunner
from tiny_lab import STAGE, replace_in

from autograder.authoring.try_stage import main


def run(lab, monkeypatch, *arguments: str) -> list[str]:
    monkeypatch.chdir(lab.root)
    result = CliRunner().invoke(main, [STAGE, *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output.splitlines()


def test_every_solution_of_a_correct_stage_is_ok(tiny_lab, monkeypatch):
    lines = run(tiny_lab, monkeypatch)
    names = [line.split(":")[0] for line in lines[:3]]
    assert names == ["ok reference", "ok alternative loop", "ok alternative pytorch"]
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert lines[-1] == "5 mistakes, 5 named correctly; checks that no mistake loses: none"


def test_unexpected_results_are_printed(tiny_lab, monkeypatch):
    stage = tiny_lab.stage(STAGE)
    replace_in(stage.mistakes_lock, '"test_total_adds_along_the_axis", ', "")
    replace_in(stage.mistakes, '"return 2 + x"', '"return x + x"')
    promise, _, *lines = run(tiny_lab, monkeypatch, "--only", "total_adds_everything", "--only", "double_adds_two")
    assert promise.startswith("lint error")
    assert "does not lose `test_total_adds_along_the_axis`" in promise
    assert lines[0].startswith("UNEXPECTED double_adds_two: loses 0 of 8")
    assert lines[1] == "    does not lose check test_double_multiplies_by_two"
    assert lines[2] == "    is not named"
    assert lines[3].startswith("UNEXPECTED total_adds_everything: loses 4 of 8")
    assert lines[4].startswith("    loses check test_total_adds_along_the_axis: FAILED, ")


@pytest.mark.parametrize(("option", "count"), [("--no-mistakes", 3), ("--no-alternatives", 6)])
def test_parts_can_be_left_out(tiny_lab, monkeypatch, option, count):
    assert sum(line.startswith("ok ") for line in run(tiny_lab, monkeypatch, option)) == count
