"""The data of stage 5: no sentence is both in the training file and in the file of unseen sentences."""

from pathlib import Path

import pytest

from autograder.course.lab import Lab

DATA = Lab.find(Path(__file__).parent).root / "data"


@pytest.mark.parametrize("name", ["dates", "translation"])
def test_no_sentence_is_in_both_files(name):
    files = [DATA / name / f"{part}.tsv" for part in ("train", "unseen")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    sources = [line.split("\t")[0] for line in lines]
    assert len(sources) > 1000
    assert len(set(sources)) == len(sources)
