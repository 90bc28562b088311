"""Ranks on the leaderboard, and hostile names on its page."""

import dataclasses
import re

import msgspec
import pytest
from tiny_entries import LAB, hand_in, record, source

from autograder.feedback.leaderboard_page import leaderboard_json, leaderboard_page
from autograder.intake import take_in
from autograder.isolation.process import Template
from autograder.leaderboard import Entry, EntryEvaluator, rank
from autograder.models import MODEL_FAILED, Evaluation
from autograder.models.record import Record
from autograder.pipeline.fingerprint import stage_fingerprint
from autograder.pipeline.grade import stage_files

EVENTS = {"sprint": 680_000, "long": 1_500_000}


def entry(student: str, loss: float, tokens: int = 680_000, name: str = "", luck: float = 0.01) -> Entry:
    """An entry of four blocks; `luck` raises the losses of some and lowers others, by the student's name."""
    own = (-1) ** (ord(student[0]) % 2) * luck
    losses = (loss + 0.3 + own, loss - 0.3 - own, loss + own, loss - own)
    record = Record(format_version=1, alphabet="ab", tokens=tokens, name=name)
    return Entry(student, record, Evaluation(losses=losses, untrained_loss=4.2, parameters=9))


def ranking_of(*entries: Entry):
    return rank(entries, EVENTS)


def ranks(*entries: Entry) -> dict[str, list[tuple[str, int, bool]]]:
    found = ranking_of(*entries)
    return {event.name: [(each.student, each.rank, each.tied) for each in ranked] for event, ranked in found.events}


def test_entries_are_ranked_by_event():
    found = ranks(entry("a", 1.7), entry("b", 1.6), entry("c", 1.5, 680_001), entry("d", 1.4, 1_500_000))
    assert found == {"sprint": [("b", 1, False), ("a", 2, False)], "long": [("d", 1, False), ("c", 2, False)]}


def test_an_entry_with_too_many_tokens_or_no_evaluation_has_no_rank():
    ranking = ranking_of(entry("a", 1.0, 1_500_001), Entry("b", problem="not handed in"))
    assert ranking.events == ()
    assert [unranked.student for unranked in ranking.unranked] == ["a", "b"]


def test_entries_tie_with_the_best_of_a_rank_and_not_in_a_chain():
    found = ranks(entry("a", 1.500), entry("b", 1.515), entry("c", 1.530), entry("d", 1.545), entry("e", 1.9))
    assert found["sprint"] == [("a", 1, True), ("b", 1, True), ("c", 3, True), ("d", 3, True), ("e", 5, False)]


def test_a_block_that_is_hard_for_all_makes_no_tie():
    """Both lose 0.6 more on one block than on another, but one model loses less on each block."""
    better, worse = entry("a", 1.500, luck=0.001), entry("b", 1.515, luck=0.001)
    assert worse.evaluation.standard_error > 0.1
    assert ranks(better, worse)["sprint"] == [("a", 1, False), ("b", 2, False)]


def test_a_difference_that_other_text_could_reverse_is_a_tie():
    assert ranks(entry("a", 1.500, luck=0.05), entry("b", 1.515, luck=0.05))["sprint"][1] == ("b", 1, True)


def test_the_same_model_twice_is_a_tie():
    assert ranks(entry("a", 1.5), entry("c", 1.5))["sprint"] == [("a", 1, True), ("c", 1, True)]


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x>', "{{ 7777 * 7777 }}", "\u202eabc\x1b[31m", "x" * 999]
)
def test_a_name_is_shown_as_text(name):
    ranking = ranking_of(entry("s-ada", 1.5, name=name), Entry("s-bob", problem="<b>`<i>`</b>"))
    page = leaderboard_page("<Course>", ranking)
    students = ("s-ada", "s-bob")
    for markup in ("<script", "<img", "<b>", "<i>", "\x1b", "\u202e", "60481729", "x" * 41, *students, "<Course>"):
        assert markup not in page.split("</style>")[1]
    (shown,) = msgspec.json.decode(leaderboard_json(ranking))["events"][0]["entries"]
    assert len(shown["name"]) <= 40
    assert shown["name"].isprintable()


def test_a_page_explains_ties_and_missing_isolation():
    tied = ranking_of(entry("a", 1.5), entry("b", 1.5))
    assert "two standard errors" in leaderboard_page("Course", tied)
    assert "without isolation" in leaderboard_page("Course", tied, isolated=False)
    apart = leaderboard_page("Course", ranking_of(entry("a", 1.5), entry("b", 1.8)))
    assert "two standard errors" not in apart
    assert "without isolation" not in apart
    assert "No entry could be ranked" in leaderboard_page("Course", ranking_of())


def test_grading_ignores_entries(tmp_path):
    folder = hand_in(tmp_path / "ada")
    files = stage_files(LAB, ["6_gpt"])
    (with_entry,) = [submission for submission in take_in([folder], files) if submission.stage == "6_gpt"]
    for name in LAB.stage("6_gpt").spec.entries:
        (folder / "6_gpt" / name).unlink()
    (without,) = [submission for submission in take_in([folder], files) if submission.stage == "6_gpt"]
    assert with_entry.digest == without.digest
    assert with_entry.attachments == without.attachments == ()
    stage = LAB.stage("6_gpt")
    bare = dataclasses.replace(stage, spec=msgspec.structs.replace(stage.spec, entries={}, speedrun=None))
    assert stage_fingerprint(LAB, stage) == stage_fingerprint(LAB, bare)


@pytest.fixture(scope="module")
def template():
    template = Template.start_without_isolation()
    yield template
    template.close()


@pytest.fixture
def evaluated(monkeypatch, tmp_path, template):
    monkeypatch.setenv("AUTOGRADER_SECRET", "of the course")
    stage = LAB.stage("6_gpt")
    lab = dataclasses.replace(LAB, workspace=tmp_path / "workspace")
    evaluator = EntryEvaluator(lab, stage, stage.spec.speedrun, template)
    files = [
        dataclasses.replace(wanted, attachments=tuple(stage.spec.entries.items()))
        if wanted.stage == stage.id
        else wanted
        for wanted in stage_files(LAB, [stage.id])
    ]
    return lambda folder: evaluator.evaluate(take_in([folder], files))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"speedrun__py": source().decode().encode("utf-16")}, "speedrun.py is saved as UTF-16"),
        ({"speedrun__py": b"#" * 300_000}, "speedrun.py is larger than 256 KB"),
        ({"speedrun__json": record() + b" " * 2**20}, "speedrun.json is larger than 1 MB"),
        ({"speedrun__safetensors": b"\x80\x02"}, "was written by `torch.save`"),
        ({"speedrun__py": source("raise ValueError(tokens.tolist())")}, MODEL_FAILED),
        ({"speedrun__py": source("import os; os._exit(0)")}, MODEL_FAILED),
        ({"speedrun__py": source(more="\nclass Word(Exception):\n    pass\n\nraise Word()\n")}, MODEL_FAILED),
        ({"gpt__py": b"x\0"}, "gpt.py is saved as UTF-16"),
    ],
)
def test_an_unfit_entry_gets_a_clear_message(evaluated, tmp_path, files, says):
    entry = evaluated(hand_in(tmp_path / "ada", **files))
    assert entry.evaluation is None
    assert re.search(says, entry.problem), entry.problem


@pytest.mark.parametrize("missing", [["gpt__py"], ["speedrun__json", "speedrun__safetensors"]])
def test_a_student_without_a_model_has_no_entry(evaluated, tmp_path, missing):
    assert evaluated(hand_in(tmp_path / "ada", **dict.fromkeys(missing, b""))) is None


def test_a_link_is_not_followed(evaluated, tmp_path):
    folder = hand_in(tmp_path / "ada", speedrun__py=b"")
    (folder / "6_gpt" / "speedrun.py").symlink_to(tmp_path / "elsewhere.py")
    assert "speedrun.py is a link" in evaluated(folder).problem
