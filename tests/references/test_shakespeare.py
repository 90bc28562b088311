"""The texts for training and evaluation of language models: their content, and that they are reproducible."""

import hashlib
import math
import runpy
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from autograder.course.lab import Lab

DATA = Lab.find(Path(__file__)).root / "data"


@pytest.fixture(scope="module")
def prepare() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(DATA / "shakespeare" / "prepare.py")))


@pytest.fixture(scope="module")
def train() -> str:
    return (DATA / "shakespeare" / "train.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def validation() -> str:
    return (DATA / "shakespeare" / "validation.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def held_out() -> dict[str, str]:
    with zipfile.ZipFile(DATA / "held_out_plays" / "plays.zip") as archive:
        return {name.removesuffix(".txt"): archive.read(name).decode() for name in archive.namelist()}


def test_the_text_has_the_quoted_figures(train: str, validation: str) -> None:
    whole = train + validation
    assert (len(train), len(validation)) == (1_007_575, 111_953)
    assert len(set(whole)) == 64
    digest = hashlib.sha256(whole.encode()).hexdigest()
    assert digest == "057158e8c28393c408ac0bad33fa333c4d562ee8ed9ada03d17d4f6b99f8715c"


def test_the_text_is_reproducible(prepare: SimpleNamespace, train: str, validation: str) -> None:
    assert prepare.split(prepare.text()) == (train, validation)


def test_speeches_have_the_well_known_format(train: str, validation: str) -> None:
    assert train.startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\n")
    assert validation.endswith("Whiles thou art waking.\n")
    assert "\n\n\n\n" not in train + validation


def test_the_training_text_has_all_characters_of_the_other_texts(
    train: str, validation: str, held_out: dict[str, str]
) -> None:
    assert set(validation) <= set(train)
    for name, play in held_out.items():
        assert set(play) <= set(train), name


def test_the_held_out_plays_are_reproducible(prepare: SimpleNamespace, held_out: dict[str, str]) -> None:
    assert held_out == prepare.held_out()
    assert (len(held_out), sum(map(len, held_out.values()))) == (23, 2_868_206)


def test_no_held_out_play_is_in_the_training_text(
    prepare: SimpleNamespace, train: str, held_out: dict[str, str]
) -> None:
    assert not set(held_out) & set(prepare.NINE)
    for name, play in held_out.items():
        middle = len(play) // 2
        assert play[middle : middle + 60] not in train, name


def test_counting_single_characters_gives_the_quoted_loss(train: str, validation: str) -> None:
    counts = Counter(train)
    loss = -sum(math.log(counts[character] / len(train)) for character in validation) / len(validation)
    assert loss == pytest.approx(3.35, abs=0.005)
