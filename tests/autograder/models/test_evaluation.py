"""Evaluating a model: an honest model gets its loss; attempts to look better get an error or gain nothing."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny_models import ALPHABET, SIZES, record, weights

from autograder.base.results import IsolationLevel
from autograder.course.lab import Lab
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.process import Template, WorkerLimits
from autograder.isolation.proxy import Student
from autograder.models import MODEL_FAILED, TrainedModelError, evaluate_gpt
from autograder.models.corpora.known_language import KnownLanguage, Skill
from autograder.models.corpora.plays import plays_of
from autograder.models.held_out_text import draw_held_out_text
from autograder.models.model import gpt_of
from autograder.models.record import read_record

LAB = Lab.find(Path(__file__))
PLAYS = plays_of(LAB.root)
LIMITS = LAB.stage("6_gpt").spec.model_limits
SECRET = b"of the course"
CHARACTERS = 1600


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    names = {"2_attention": "attention", "3_multihead": "multihead", "4_positions": "positions"}
    names |= {"5_transformer": "transformer", "6_gpt": "gpt"}
    return {name: (LAB.root / "solutions" / stage / f"{name}.py").read_text("utf-8") for stage, name in names.items()}


Twins = tuple[Student, Student]
Open = Callable[..., Twins]


@pytest.fixture
def opened(modules) -> Open:
    """The reference, loaded twice in this process, with parts of its gpt.py replaced."""

    def opened(**changes: str) -> Twins:
        source = changed(modules["gpt"], **changes)
        sessions = InProcessSession(), InProcessSession()
        for session in sessions:
            session.load({**modules, "gpt": source}, "gpt")
        return Student(sessions[0]), Student(sessions[1])

    return opened


def changed(source: str, old: str = "", new: str = "", more: str = "") -> str:
    assert not old or source.count(old) == 1
    return source.replace(old, new) + more if old else source + more


def evaluated(twins: Twins, declared: bytes | None = None, file: bytes | None = None):
    declared, file = declared or record(), file or safetensors.torch.save(weights())
    return evaluate_gpt(*twins, declared, file, LIMITS, PLAYS, SECRET, CHARACTERS)


def test_an_honest_model_gets_the_loss_of_its_logits(opened):
    """The reference's own loss, on text encoded here, is the same."""
    student, twin = opened()
    result = evaluated((student, twin))
    text = draw_held_out_text(gpt_of(read_record(record(), LIMITS)), PLAYS, SECRET, CHARACTERS)
    assert len(text.passages) == CHARACTERS // 16
    model = student.GPT(student.GPTConfig(**SIZES, vocab_size=len(ALPHABET)))
    model.load_state_dict(weights())
    tokens = torch.tensor([[ALPHABET.index(character) for character in passage] for passage in text.passages])
    loss = student.evaluate(model, [(tokens[:, :-1], tokens[:, 1:])])
    assert result.loss == pytest.approx(loss, abs=1e-5)
    assert 0 < result.standard_error < 0.2
    assert result.gap is None


def test_weights_in_bfloat16_hardly_change_the_loss(opened):
    narrow = safetensors.torch.save({name: weight.bfloat16() for name, weight in weights().items()})
    assert evaluated(opened(), file=narrow).loss == pytest.approx(evaluated(opened()).loss, abs=0.02)


def test_only_the_secret_and_the_context_length_determine_the_text():
    model = gpt_of(read_record(record(), LIMITS))
    first, again, other = (draw_held_out_text(model, PLAYS, secret, 320).passages for secret in (SECRET, SECRET, b"x"))
    assert first == again != other
    assert {len(passage) for passage in first} == {17}


# Attempts to look better than the model is

LOGITS = "return functional.linear(self.norm(x), self.token_embedding.weight)"


def test_constant_logits_get_the_loss_of_a_uniform_guess(opened):
    student = opened(old=LOGITS, new="return torch.zeros(*tokens.shape, self.config.vocab_size)")
    assert evaluated(student).loss == pytest.approx(math.log(64))


LOOK_AHEAD = {
    "at the next token": "5 * functional.one_hot(tokens.roll(-1, 1), self.config.vocab_size)",
    "at the next token, sometimes": (
        "5 * functional.one_hot(tokens.roll(-1, 1), self.config.vocab_size) * (torch.arange(length) % 4 == 1)[:, None]"
    ),
    "at all of the text": "functional.one_hot(tokens, self.config.vocab_size).sum(1, keepdim=True)",
    "at what it read before": "MEMORY.recall(tokens, self.config.vocab_size)",
    "once, and stays with it": "MEMORY.first_seen(tokens, self.config.vocab_size)",
}
MEMORY = """

class Memory:
    def __init__(self):
        self.known = {}

    def recall(self, tokens, vocab_size):
        found = torch.zeros(*tokens.shape, vocab_size)
        for row, text in enumerate(tokens.tolist()):
            for index in range(len(text)):
                if tuple(text[:index + 1]) in self.known:
                    found[row, index, self.known[tuple(text[:index + 1])]] = 9
        for text in tokens.tolist():
            for index in range(len(text) - 1):
                self.known[tuple(text[:index + 1])] = text[index + 1]
        return found

    def first_seen(self, tokens, vocab_size):
        found = torch.zeros(*tokens.shape, vocab_size)
        for row, text in enumerate(tokens.tolist()):
            for index in range(len(text) - 1):
                found[row, index, self.known.setdefault(tuple(text[:index + 1]), text[index + 1])] = 9
        return found


MEMORY = Memory()
"""


@pytest.mark.parametrize("bonus", LOOK_AHEAD.values(), ids=LOOK_AHEAD)
def test_a_model_that_looks_ahead_is_refused(opened, bonus):
    student = opened(old=LOGITS, new=f"{LOGITS} + {bonus}", more=MEMORY)
    with pytest.raises(TrainedModelError, match="it looks ahead or keeps state between calls"):
        evaluated(student)


def test_a_missing_causal_mask_is_detected(opened):
    student = opened(old="x = block(x, mask=mask, cache=cache)", new="x = block(x, cache=cache)")
    with pytest.raises(TrainedModelError, match="it looks ahead"):
        evaluated(student)


def test_rounding_that_depends_on_the_length_is_not_look_ahead(opened):
    """Sums in half precision may round so; only logits of the same length must be equal."""
    rounded = LOGITS.replace("return ", "logits = ") + "; return logits * (1 + 0.01 * (tokens.shape[1] % 16 > 0))"
    assert evaluated(opened(old=LOGITS, new=rounded)).loss == evaluated(opened()).loss


@pytest.mark.parametrize(
    "output",
    [
        "return None",
        "return self.norm(x)",
        "return torch.zeros(*tokens.shape, 64, dtype=torch.int64)",
        "return torch.full((*tokens.shape, 64), torch.nan)",
        "raise ValueError(tokens)",
        "raise [KeyError, TypeError][int(tokens[0, 0]) % 2]",
        "raise type(f'E{tokens}', (Exception,), {})",
    ],
)
def test_a_model_that_fails_on_held_out_text_is_refused_with_the_same_words(opened, output):
    """It has read the text: the way in which it fails could tell the text."""
    with pytest.raises(TrainedModelError) as caught:
        evaluated(opened(old=LOGITS, new=output))
    assert str(caught.value) == MODEL_FAILED


@pytest.mark.parametrize("change", ["another shape", "a missing name", "an additional name"])
def test_weights_of_another_model_are_refused(opened, change):
    tensors = weights()
    if change == "another shape":
        tensors["norm.weight"], tensors["norm.bias"] = torch.ones(6), torch.ones(18)
    elif change == "a missing name":
        tensors["token_embedding.weight"] = torch.ones(65, 12)
        del tensors["norm.bias"]
    else:
        tensors["norm.bias"], tensors["norm.more"] = torch.ones(6), torch.ones(6)
    with pytest.raises(TrainedModelError, match="the weights do not fit your GPT"):
        evaluated(opened(), file=safetensors.torch.save(tensors))


def test_a_wrong_number_of_parameters_is_refused(opened):
    with pytest.raises(TrainedModelError, match=r"declares 5 parameters, but your GPT has 3,256; hand in both"):
        evaluated(opened(), declared=record(parameters=5))


WITH_BUFFERS = """

Plain = GPT

class GPT(Plain):
    def __init__(self, config):
        super().__init__(config)
        places = torch.arange(config.context_length)
        self.register_buffer("places", places)
        self.register_buffer("mask", places[:, None] >= places)
        self.register_buffer("soft_mask", self.mask.float())
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.head.weight = self.token_embedding.weight

    def forward(self, tokens, caches=None):
        places = self.places[: tokens.shape[1]]
        x = self.token_embedding(tokens) + self.position_embedding(places)
        mask = self.mask[places][:, places] & (self.soft_mask[places][:, places] > 0)
        for block in self.blocks:
            x = block(x, mask=mask)
        return self.head(self.norm(x))
"""


def test_buffers_and_a_tied_output_weight_change_nothing(opened):
    """The trainer writes the whole state dict; the record counts each parameter once. Buffers are not shuffled."""
    student, twin = opened(more=WITH_BUFFERS)
    model = student.GPT(student.GPTConfig(**SIZES, vocab_size=len(ALPHABET)))
    places = torch.arange(SIZES["context_length"])
    mask = places[:, None] >= places
    buffers = {"places": places, "mask": mask, "soft_mask": mask.float()}
    tensors = {**weights(), "head.weight": weights()["token_embedding.weight"].clone(), **buffers}
    model.load_state_dict(tensors)
    result, plain = evaluated((student, twin), file=safetensors.torch.save(tensors)), evaluated(opened())
    assert result.loss == pytest.approx(plain.loss, abs=1e-6)
    assert (result.parameters, result.learnt) == (plain.parameters, plain.learnt)


def test_an_alphabet_that_lacks_a_character_is_refused(opened):
    lacking = ALPHABET.replace("e", "é")
    with pytest.raises(TrainedModelError, match="the model's alphabet lacks a character"):
        evaluated(opened(), declared=record(lacking))


# The known language


def test_a_model_of_the_known_language_gets_its_gap_by_skill(opened):
    language = KnownLanguage()
    declared = record(language.alphabet)
    result = evaluated(opened(), declared, safetensors.torch.save(weights(len(language.alphabet))))
    assert result.gap is not None
    assert result.gap.nats > 1
    assert set(result.gaps) <= set(Skill)
    assert sum(part.characters for part in result.gaps.values()) == result.gap.characters == CHARACTERS
    limit = result.loss - result.gap.nats
    assert limit == pytest.approx(0.918, abs=0.15)


def test_a_model_that_knows_the_held_out_text_is_detected(opened):
    """Impossible without the secret: in this test the model receives all passages."""
    language = KnownLanguage()
    text = draw_held_out_text(gpt_of(read_record(record(language.alphabet), LIMITS)), PLAYS, SECRET, CHARACTERS)
    known = json.dumps(sorted(text.passages))
    knowing = (
        f"\n\nKNOWN = {known}\nALPHABET = {language.alphabet!r}\n\n\ndef recall(tokens):\n"
        "    found = torch.zeros(*tokens.shape, len(ALPHABET))\n"
        "    for row, text in enumerate(tokens.tolist()):\n"
        "        for index in range(len(text)):\n"
        "            start = ''.join(ALPHABET[token] for token in text[:index + 1])\n"
        "            for passage in KNOWN:\n"
        "                if passage.startswith(start):\n"
        "                    found[row, index, ALPHABET.index(passage[index + 1])] += 1\n"
        "    return (found + 1e-9).log()\n"
    )
    student = opened(old=LOGITS, new="return recall(tokens)", more=knowing)
    with pytest.raises(
        TrainedModelError, match="lower than the known language allows: it has seen the evaluation text"
    ):
        evaluated(student, record(language.alphabet), safetensors.torch.save(weights(len(language.alphabet))))


# In a worker, as in grading


@pytest.fixture(scope="module")
def template():
    from autograder.isolation.launch import available_levels

    if IsolationLevel.KERNEL not in available_levels():
        pytest.skip("this machine offers no isolation by the kernel")
    with Template.start(level=IsolationLevel.KERNEL) as started:
        yield started


@pytest.fixture
def spawn_twins(template, modules) -> Iterator[Open]:
    """The reference in two workers, with parts of its gpt.py replaced."""
    workers = []

    def spawn(**changes: str) -> Twins:
        for _ in range(2):
            worker = template.spawn(WorkerLimits(call_cpu_seconds=1.0))
            workers.append(worker)
            worker.request("load", modules={**modules, "gpt": changed(modules["gpt"], **changes)}, main="gpt")
        return Student(workers[0]), Student(workers[1])

    yield spawn
    for worker in workers:
        worker.kill()


@pytest.mark.parametrize("new", ["while True: pass", "import os; os._exit(0)"], ids=["endless", "exits"])
def test_a_model_that_ends_its_worker_is_refused_with_the_same_words(spawn_twins, new):
    with pytest.raises(TrainedModelError) as caught:
        evaluated(spawn_twins(old=LOGITS, new=new))
    assert str(caught.value) == MODEL_FAILED


def test_in_a_worker_the_loss_is_the_same(spawn_twins, opened):
    assert evaluated(spawn_twins()).loss == pytest.approx(evaluated(opened()).loss, abs=1e-9)
