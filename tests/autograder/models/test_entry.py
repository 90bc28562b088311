"""Entries to the speedrun: honest ones get the loss of their logits, cheats a line, records that lie too."""

import json

import pytest
import safetensors.torch
import torch
from tiny_entries import LAB, record, source, table, weights
from tiny_models import ALPHABET

from autograder.isolation.in_process import InProcessSession
from autograder.models import TrainedModelError
from autograder.models.corpora.held_out import plays_of
from autograder.models.corpora.known_language import KnownLanguage
from autograder.models.entry import FREE_EMBEDDINGS, count_parameters, grade_entry, read_entry_record
from autograder.models.hidden_text import BLOCK, draw_blocks
from autograder.models.model import Model

PLAYS = plays_of(LAB.root)
SECRET, CHARACTERS = b"of the course", 1600


def graded(module: bytes, file: bytes | None = None, told: bytes | None = None):
    sessions = InProcessSession(), InProcessSession()
    for session in sessions:
        session.load({"speedrun": module.decode()}, "speedrun")
    return grade_entry(sessions, read_entry_record(told or record()), file or weights(), PLAYS, SECRET, CHARACTERS)


def test_an_honest_entry_gets_the_loss_of_its_table():
    result = graded(source())
    scores = table().log_softmax(-1)
    ids = torch.tensor([[ALPHABET.index(character) for character in block] for block in blocks(64)])
    assert result.figures.loss == pytest.approx(-scores[ids[:, :-1], ids[:, 1:]].mean().item(), abs=1e-5)
    assert (result.parameters, result.embeddings) == (3, 64 * 64)


def blocks(context_length: int) -> list[str]:
    """The characters of each passage that count, with the one before."""
    model = Model(ALPHABET, context_length, lambda student: None)
    text = draw_blocks(model, PLAYS, SECRET, CHARACTERS)
    assert {len(one) for one in text.passages} == {context_length + 1}
    return [one[-text.counted - 1 :] for one in text.passages]


@pytest.mark.parametrize("context_length", [65, 100, 1024])
def test_the_same_characters_count_for_every_context(context_length):
    assert blocks(context_length) == blocks(BLOCK)
    assert {len(block) for block in blocks(BLOCK)} == {BLOCK + 1}


@pytest.mark.parametrize("context_length", [BLOCK - 1, 1025])
def test_no_passage_begins_with_what_another_foretells(context_length):
    with pytest.raises(ValueError, match="not from 64 to 1024"):
        blocks(context_length)


CHEATS = {
    "looks at the next character": ("return logits + 20 * nn.functional.one_hot(tokens.roll(-1, 1), 64)", "foretells"),
    "looks ahead in one window of twenty": (
        "return logits + (tokens.sum(1) % 20 == 0)[:, None, None] * 20 * nn.functional.one_hot(tokens.roll(-1, 1), 64)",
        "foretells",
    ),
    "looks ahead in whole passages alone": (
        "return logits + (tokens.shape[1] == 64) * 20 * nn.functional.one_hot(tokens.roll(-1, 1), 64)",
        "foretells",
    ),
    "remembers how a beginning went on": (
        "seen = Pairs.__dict__.get('seen') or setattr(Pairs, 'seen', {}) or Pairs.seen\n"
        "        logits = logits.detach().clone()\n"
        "        for row, tail in zip(tokens.tolist(), logits):\n"
        "            for place in range(len(row) - 1):\n"
        "                tail[place, seen.setdefault(tuple(row[:place + 1]), row[place + 1])] += 20\n"
        "        return logits",
        "keeps something",
    ),
    "looks ahead where its twin was shown the same": (
        "logits = logits.detach().clone()\n"
        "        if not hasattr(Pairs, 'shown'):\n"
        "            Pairs.shown = {tuple(row[:3]): row for row in tokens.tolist()}\n"
        "        trained = (self.next.weight[0, 0] - self.next.weight.mean()).abs() > 1\n"
        "        for row, tail in zip(tokens.tolist(), logits):\n"
        "            whole = Pairs.shown.get(tuple(row[:3])) if trained else None\n"
        "            for place in range(3, min(len(row), len(whole or ()) - 1)):\n"
        "                tail[place, whole[place + 1]] += 20\n"
        "        return logits",
        "keeps something",
    ),
    "goes on where the last passage ended": (
        "last = Pairs.__dict__.get('last', 0)\n"
        "        logits = logits.detach().clone()\n"
        "        for row, tail in zip(tokens.tolist(), logits):\n"
        "            tail[0, last] += 5\n"
        "            last = row[-1]\n"
        "        Pairs.last = last\n"
        "        return logits",
        "keeps something",
    ),
    "is no better than its code": ("return TABLE[tokens]", "hardly better than without"),
    "looks into a table when a weight says so": (
        "return TABLE[tokens] * (self.scale[0] == 1) * (self.next.weight.sum() < -1)",
        "hardly better than without",
    ),
    "says the same always": ("return torch.zeros_like(logits)", "hardly better than without"),
    "gives NaN": ("return logits * float('nan')", "not finite"),
    "gives infinity": ("return logits + float('inf')", "not finite"),
    "gives one axis too few": ("return logits[0]", "logits of shape"),
    "gives integers": ("return logits.long()", "logits of shape"),
    "gives more classes": ("return torch.cat([logits, logits], -1)", "logits of shape"),
    "gives no tensor": ("return 'logits'", "logits of shape"),
}


@pytest.mark.parametrize(("body", "says"), CHEATS.values(), ids=CHEATS)
def test_a_model_that_cheats_is_not_ranked(body, says):
    rows = ",\n".join(map(str, table().round(decimals=2).tolist()))
    more = f"\n\nTABLE = torch.tensor([\n{rows}\n])\n" if "TABLE" in body else ""
    with pytest.raises(TrainedModelError, match=says):
        graded(source(body, more))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("\n\ndef build_model(vocab_size):\n    return None\n", "your model is no module of PyTorch"),
        ("\n\nCONTEXT_LENGTH = 63\n", "CONTEXT_LENGTH must be a whole number from 64 to 1024"),
        ("\n\nCONTEXT_LENGTH = True\n", "CONTEXT_LENGTH must be"),
        ("\n\nCONTEXT_LENGTH = '64'\n", "CONTEXT_LENGTH must be"),
    ],
)
def test_a_module_that_keeps_no_agreement_is_told_which(more, says):
    with pytest.raises(TrainedModelError, match=says):
        graded(source(more=more))


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (weights(scale=torch.ones(4)), "the weights do not fit your model.* the speedrun.py handed in"),
        (weights(more=torch.ones(1)), "do not fit"),
        (weights(scale=torch.full((3,), torch.nan)), "speedrun.safetensors holds numbers that are not finite"),
        (weights(scale=torch.ones(800_001)), "800,001 parameters without embeddings; 800,000 is the most"),
        (weights()[:-100], "speedrun.safetensors is damaged"),
        (b"PK\x03\x04" + bytes(60), "speedrun.safetensors was written by `torch.save`"),
        (weights(next__weight=torch.randn(64, 64) / 9), "hardly better than without"),
    ],
)
def test_weights_that_are_not_its_own_are_not_ranked(file, says):
    with pytest.raises(TrainedModelError, match=says):
        graded(source(), file)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (b"{", "speedrun.json cannot be read"),
        (b"\x80\x04", "cannot be read"),
        (record(tokens=-1), "cannot be read"),
        (record(tokens="few"), "cannot be read"),
        (record(format_version=2), "its format is 2, not 1"),
        (record(alphabet="aa"), "a character twice"),
        (record(alphabet=KnownLanguage().alphabet), "trained on the known language"),
        (json.dumps({"name": "x" * 2**20}).encode(), "larger than 1 MB"),
    ],
)
def test_a_record_that_lies_is_refused(told, says):
    with pytest.raises(TrainedModelError, match=says):
        read_entry_record(told)


def test_what_looks_like_an_embedding_is_free_up_to_a_limit():
    model = Model(ALPHABET, 16, lambda student: None)
    held = {
        "token": torch.ones(64, 12),
        "linear": torch.ones(12, 64),
        "norm": torch.ones(64),
        "pair": torch.ones(4096, 3),
    }
    assert count_parameters(held, model) == (12 * 64 + 64, 64 * 12 + 4096 * 3)
    held |= {"positions": torch.ones(16, 12), "square": torch.ones(16, 99)}
    assert count_parameters(held, model) == (12 * 64 + 64 + 16 * 99, 64 * 12 + 4096 * 3 + 16 * 12)
    assert count_parameters({"wide": torch.ones(64, 20_000)}, model) == (64 * 20_000 - FREE_EMBEDDINGS, FREE_EMBEDDINGS)


def test_an_entry_in_bfloat16_costs_nothing_that_counts():
    narrow = {name: one.bfloat16() for name, one in safetensors.torch.load(weights()).items()}
    assert graded(source(), safetensors.torch.save(narrow)).figures.loss == pytest.approx(
        graded(source()).figures.loss, abs=0.02
    )
