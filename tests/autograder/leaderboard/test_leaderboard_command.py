"""`autograder leaderboard`, as an instructor calls it."""

import hashlib
import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tiny_entries import LAB, hand_in, record, source
from tiny_models import WITHOUT_NUMBERS

from autograder.cli.main import main
from autograder.cli.shared import LabOption
from autograder.isolation.launch import available_levels
from autograder.leaderboard import EntryEvaluator
from autograder.leaderboard.evaluation import evaluate_entry


@pytest.fixture
def ranked(monkeypatch, tmp_path):
    """Run the command in a workspace of the test."""
    monkeypatch.setenv("AUTOGRADER_SECRET", "of the course")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(LabOption, "lab", replace(LAB, workspace=tmp_path / "workspace"))
    monkeypatch.setattr("autograder.leaderboard.evaluator.evaluate_entry", partial(evaluate_entry, characters=4_800))

    def ranked(*arguments: Path | str, isolated: bool = False) -> Result:
        unsafe = [] if isolated and available_levels() else ["--unsafe-no-isolation"]
        return CliRunner().invoke(main, ["leaderboard", *unsafe, *map(str, arguments)], catch_exceptions=False)

    return ranked


def row(result: Result, name: str) -> list[str]:
    (line,) = [line for line in result.output.splitlines() if name in line and "±" in line]
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_a_class_is_ranked_and_unranked_entries_get_a_reason(ranked, tmp_path):
    name = "<b>Ada</b>\u202e"
    digest = hashlib.sha256(source()).hexdigest()
    ada = hand_in(tmp_path / "class" / "s-ada", speedrun__json=record(name=name, speedrun_sha256=digest))
    hand_in(tmp_path / "class" / "s-bob", speedrun__py=source("return logits * 0.4"))
    hand_in(tmp_path / "class" / "s-cyd", speedrun__json=record(name="Long", tokens=1_500_000))
    hand_in(tmp_path / "class" / "s-dan", speedrun__json=record(tokens=1_500_001))
    hand_in(tmp_path / "class" / "s-eve", speedrun__json=b"")
    hand_in(tmp_path / "class" / "s-fay", speedrun__json=record(speedrun_sha256="0" * 64))
    hand_in(tmp_path / "class" / "s-gus", speedrun__json=b"", speedrun__safetensors=b"")
    page, file = tmp_path / "page.html", tmp_path / "board.json"
    result = ranked(ada.parent, "--out", page, "--json", file, isolated=True)
    assert result.exit_code == 0, result.output
    assert row(result, "Ada")[:4] == ["1", "<b>Ada</b>\\u202e", "600,000", "3"]
    assert row(result, "anonymous")[0] == "2"
    assert row(result, "Long")[0] == "1"
    sprint, ada_, long, cyd = (
        result.output.index(text) for text in ("sprint: at most 680,000", "Ada", "long: at most", "Long")
    )
    assert sprint < ada_ < long < cyd
    assert "Kneser–Ney" in result.output
    for reason in (
        "trained on 1,500,001 tokens; at most 1,500,000 are allowed",
        "not handed in: speedrun.json",
        "speedrun.json belongs to another version of speedrun.py",
    ):
        assert reason in result.output
    assert result.output.count("not ranked, anonymous") == 3
    html, data = page.read_text("utf-8"), json.loads(file.read_bytes())
    assert "&lt;b&gt;Ada&lt;/b&gt;\\u202e" in html
    for text in (html, file.read_text("utf-8"), result.output):
        assert not re.search(r"\bs-[a-z]{3}\b", text)
    sprint, long = data["events"]
    assert [entry["name"] for entry in sprint["entries"]] == ["<b>Ada</b>\\u202e", "anonymous"]
    assert sprint["entries"][0]["loss"] == pytest.approx(2.55, abs=0.15)
    assert long["class"] == "long"
    assert "script" not in html


def test_only_changed_entries_are_evaluated_again(ranked, tmp_path, monkeypatch):
    runs = []
    run = EntryEvaluator._run
    monkeypatch.setattr(
        EntryEvaluator, "_run", lambda self, student, files: runs.append(files.record.name) or run(self, student, files)
    )
    ada = hand_in(tmp_path / "ada", speedrun__json=record(name="Ada"))
    bob = hand_in(tmp_path / "bob", speedrun__json=record(name="Bob"))
    unfit = hand_in(
        tmp_path / "cyd", speedrun__json=record(name="Cyd"), speedrun__py=source("return torch.zeros_like(logits)")
    )
    first = ranked(ada, bob, unfit, "--show-students")
    assert sorted(runs) == ["Ada", "Bob", "Cyd"]
    assert "not ranked, cyd: the trained weights predict hardly better" in first.output
    assert row(first, "Ada")[:3] == ["1=", "Ada", "ada"]
    assert "within two standard errors" in first.output
    hand_in(tmp_path / "bob", speedrun__json=record(name="Bob"), speedrun__py=source("return logits * 0.9"))
    again = ranked(ada, bob, unfit, "--show-students")
    assert runs[3:] == ["Bob"]
    assert "not ranked, cyd: the trained weights predict hardly better" in again.output
    assert row(again, "Ada")[3:] == row(first, "Ada")[3:]


def test_a_stopped_run_loses_no_evaluation(ranked, tmp_path, monkeypatch):
    run, runs = EntryEvaluator._run, []

    def stopped(self, student, files):
        runs.append(files.record.name)
        if len(runs) == 2:
            raise KeyboardInterrupt
        return run(self, student, files)

    monkeypatch.setattr(EntryEvaluator, "_run", stopped)
    folders = [hand_in(tmp_path / name, speedrun__json=record(name=name)) for name in ("ada", "bob")]
    assert ranked(*folders, "--workers", "1").exit_code == 130
    assert ranked(*folders, "--workers", "1").exit_code == 0
    assert runs == ["ada", "bob", "bob"]


def test_an_entry_that_the_grader_fails_on_stops_no_other(ranked, tmp_path, monkeypatch):
    from autograder.leaderboard import evaluator

    evaluate = evaluator.evaluate_entry

    def failing(sessions, speedrun, entry, *more, **options):
        if entry.name == "odd":
            raise RuntimeError("secret text")
        return evaluate(sessions, speedrun, entry, *more, **options)

    monkeypatch.setattr(evaluator, "evaluate_entry", failing)
    folders = [hand_in(tmp_path / name, speedrun__json=record(name=name)) for name in ("odd", "fine")]
    result = ranked(*folders)
    assert result.exit_code == 0
    assert row(result, "fine")[0] == "1"
    assert "not ranked, anonymous: the grader failed on this entry" in result.output
    assert "secret" not in result.output


def test_a_class_without_entries_gets_a_message(ranked, tmp_path):
    nothing = hand_in(tmp_path / "gus", speedrun__json=b"", speedrun__safetensors=b"")
    result = ranked(nothing)
    assert result.exit_code == 2
    assert "no folder holds a speedrun.safetensors" in result.output


def test_paths_and_huge_numbers_of_a_student_are_not_shown(ranked, tmp_path):
    twice = hand_in(tmp_path / "class" / "s-twice", gpt__py=b"")
    for number in (1, 2):
        copy = twice / f"clara_{number}" / "gpt.py"
        copy.parent.mkdir()
        copy.write_text(f"# attempt {number}\n", encoding="utf-8")
    hand_in(tmp_path / "class" / "s-liar", speedrun__json=record(validation_loss=1e308))
    hand_in(tmp_path / "class" / "s-huge", speedrun__safetensors=WITHOUT_NUMBERS)
    page = tmp_path / "page.html"
    result = ranked(twice.parent, "--out", page)
    assert result.exit_code == 0, result.output
    assert "a file was refused (ambiguous); `autograder grade` names it" in result.output
    assert "speedrun.safetensors is damaged: `w` has the shape [0, " in result.output
    for shown in (result.output, page.read_text(encoding="utf-8")):
        assert "clara" not in shown
        assert "0000000000" not in shown
