"""Passages of held-out plays: the secret draws them, from all plays, without overlap."""

from collections import Counter
from pathlib import Path

import pytest

from autograder.course.lab import Lab
from autograder.models.corpora.plays import draw_passages, plays_of, read_plays

# Every character of every play is unique, so that a passage reveals its position.
PLAYS = {
    f"play {number}": "".join(chr(1000 + 1000 * number + position) for position in range(900)) for number in range(3)
}


def positions(passages: list[str]) -> list[tuple[int, int]]:
    return [((ord(passage[0]) - 1000) // 1000, (ord(passage[0]) - 1000) % 1000) for passage in passages]


def test_only_the_secret_determines_the_passages():
    first, again, other = (draw_passages(PLAYS, secret, 20, 400) for secret in (b"a", b"a", b"b"))
    assert first == again
    assert set(first).isdisjoint(other) or sorted(first) != sorted(other)
    assert draw_passages(dict(reversed(PLAYS.items())), b"a", 20, 400) == first


def test_passages_come_from_all_plays_and_have_the_length_and_number_required():
    passages = draw_passages(PLAYS, b"a", 20, 401)
    assert len(passages) == 21
    assert {len(passage) for passage in passages} == {21}
    assert all(passage in "".join(PLAYS.values()) for passage in passages)
    assert Counter(play for play, _ in positions(passages)) == {0: 7, 1: 7, 2: 7}


def test_passages_do_not_overlap():
    passages = draw_passages(PLAYS, b"a", 20, 1500)
    characters = Counter("".join(passages))
    assert set(characters.values()) == {1}


def test_positions_cover_the_whole_play():
    seen = {
        position for number in range(60) for _, position in positions(draw_passages(PLAYS, bytes([number]), 20, 60))
    }
    assert min(seen) < 60
    assert max(seen) > 820
    assert len(seen) > 100


def test_more_than_the_plays_hold_is_refused():
    with pytest.raises(ValueError, match=r"the plays hold 1\d\d passages of 20 characters, not 500"):
        draw_passages(PLAYS, b"a", 20, 10_000)


def test_the_archive_holds_the_plays():
    plays = read_plays(plays_of(Lab.find(Path(__file__)).root))
    assert {"hamlet", "macbeth", "king-lear"} <= set(plays)
    assert plays["hamlet"].startswith("BERNARDO:\nWho's there?")
