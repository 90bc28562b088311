"""The author's tool: what is not as listed is printed."""

import pytest
from click.testing import CliRunner
from tiny_lab import STAGE, replace_in

from autograder.authoring.try_stage import main


def run(lab, monkeypatch, *arguments: str) -> list[str]:
    monkeypatch.chdir(lab.root)
    result = CliRunner().invoke(main, [STAGE, *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output.splitlines()


def test_a_right_stage_is_all_ok(tiny_lab, monkeypatch):
    lines = run(tiny_lab, monkeypatch)
    names = [line.split(":")[0] for line in lines[:3]]
    assert names == ["ok reference", "ok alternative loop", "ok alternative pytorch"]
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert lines[-1] == "5 mistakes, 5 named rightly; checks without a mistake: none"


def test_what_is_not_as_listed_is_printed(tiny_lab, monkeypatch):
    stage = tiny_lab.stage(STAGE)
    replace_in(stage.mistakes_lock, '"test_total_adds_along_the_axis", ', "")
    replace_in(stage.mistakes, '"return 2 + x"', '"return x + x"')
    lines = run(tiny_lab, monkeypatch, "--only", "total_adds_everything", "--only", "double_adds_two")
    assert lines[0].startswith("NOT AS LISTED double_adds_two: loses 0 of 8")
    assert lines[1] == "    survived: test_double_multiplies_by_two"
    assert lines[2] == "    not named"
    assert lines[3].startswith("NOT AS LISTED total_adds_everything: loses 4 of 8")
    assert lines[4].startswith("    unexpected: test_total_adds_along_the_axis: FAILED ")


@pytest.mark.parametrize(("option", "count"), [("--no-mistakes", 3), ("--no-alternatives", 6)])
def test_parts_can_be_left_out(tiny_lab, monkeypatch, option, count):
    assert sum(line.startswith("ok ") for line in run(tiny_lab, monkeypatch, option)) == count


def test_a_mistake_that_costs_more_than_verify_allows_is_marked(tiny_lab, monkeypatch):
    monkeypatch.setattr("autograder.authoring.try_stage.LARGEST_COST", 0.4)
    lines = run(tiny_lab, monkeypatch, "--only", "total_adds_everything", "--only", "double_adds_two")
    assert lines[0].startswith("ok double_adds_two: loses 2 of 8 (")
    assert lines[1].startswith("ok total_adds_everything: loses 4 of 8 over 40% (")
