"""The texts of the known language are reproducible, and the figures in their README are correct."""

import re
import runpy
from pathlib import Path

import pytest

from autograder.course.lab import Lab
from autograder.models.corpora.known_language import KnownLanguage

FOLDER = Lab.find(Path(__file__)).root / "data" / "known_language"


def test_the_texts_are_reproducible() -> None:
    prepare = runpy.run_path(str(FOLDER / "prepare.py"))
    language = KnownLanguage()
    # The beginning of each text suffices and is faster to write.
    for seed, name in enumerate(prepare["LENGTHS"]):
        made = language.write(20_000, prepare["Random"](seed))
        assert (FOLDER / name).read_text(encoding="utf-8").startswith(made)


def test_the_readme_quotes_the_smallest_possible_loss() -> None:
    quoted = re.search(r"\*\*(\d\.\d+) nats per character\*\*", (FOLDER / "README.md").read_text(encoding="utf-8"))
    language = KnownLanguage()
    losses = [least for least, _ in language.limit((FOLDER / "validation.txt").read_text(encoding="utf-8"))]
    assert len(losses) == 100_000
    assert quoted is not None
    assert float(quoted[1]) == pytest.approx(sum(losses) / len(losses), abs=0.0005)


def test_both_texts_have_the_same_characters() -> None:
    train, validation = ((FOLDER / name).read_text(encoding="utf-8") for name in ("train.txt", "validation.txt"))
    assert set(train) == set(validation)
    assert len(set(train)) == 48
