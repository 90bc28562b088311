"""`training.json`, honest and dishonest."""

import json
from pathlib import Path

import pytest

from autograder.course.lab import Lab
from autograder.models.errors import TrainedModelError
from autograder.models.record import read_record

LIMITS = Lab.find(Path(__file__)).stage("6_gpt").spec.model_limits
SIZES = {"vocab_size": 5, "context_length": 8, "d_model": 6, "num_heads": 2, "num_blocks": 1, "d_hidden": 12}
HONEST = {"format_version": 1, "config": SIZES, "alphabet": "\nabcé", "parameters": 402, "curve": [], "machine": "CPU"}


def test_an_honest_record_is_read():
    record = read_record(json.dumps(HONEST).encode(), LIMITS)
    assert (record.config.d_hidden, record.config.dropout, record.alphabet) == (12, 0.0, "\nabcé")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format_version": 2}, "training.json cannot be read: format_version is 2, not 1"),
        ({"alphabet": "abcd"}, "its alphabet has 4 distinct characters, but vocab_size is 5"),
        ({"alphabet": "aabcd"}, "its alphabet has 4 distinct characters"),
        ({"alphabet": 7}, "cannot be read"),
        ({"config": {**SIZES, "num_heads": 4}}, "d_model is 6, not a multiple of num_heads, which is 4"),
        ({"config": {**SIZES, "num_blocks": 10**9}}, "declares a num_blocks of 1,000,000,000; allowed are 1 to 48"),
        ({"config": {**SIZES, "context_length": 2048}}, "declares a context_length of 2,048; allowed are 8 to 1,024"),
        ({"config": {**SIZES, "context_length": "8"}}, "cannot be read"),
        ({"config": {**SIZES, "experts": 8}}, "cannot be read"),
        ({"config": None}, "cannot be read"),
        ({"parameters": 10**9}, "training.json declares 1,000,000,000 parameters; at most 12,000,000 are allowed"),
    ],
)
def test_a_contradictory_record_is_refused(change, says):
    with pytest.raises(TrainedModelError) as caught:
        read_record(json.dumps({**HONEST, **change}).encode(), LIMITS)
    assert says in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b'{"config":' * 20_000, b" " * 100])
def test_a_file_that_is_not_a_record_is_refused(raw):
    with pytest.raises(TrainedModelError, match=r"training\.json"):
        read_record(raw, LIMITS)
