"""A trained model earns the points of its honest loss; false files and look-ahead earn nothing."""

import json
import pickle
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import safetensors.torch
import torch

from autograder.base.results import CheckResult, Outcome
from autograder.course.lab import Lab, needed_stages
from autograder.judge.messages import Attached, Job, Judged
from autograder.judge.pool import JudgePool
from autograder.models.corpora.known_language import KnownLanguage

STAGE, WEIGHTS, RECORD = "6_gpt", "gpt.safetensors", "training.json"
BELONGS = "test_trained_model_belongs_to_the_code"
LEARNT = "test_trained_model_learnt_in_its_weights"
PAIRS = "test_trained_model_knows_characters_in_pairs"
ALL = {BELONGS, LEARNT, PAIRS, "test_trained_model_knows_words", "test_trained_model_is_trained_to_the_end"}

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.find(Path(__file__).parent)


@pytest.fixture(scope="module")
def judges(lab: Lab) -> Iterator[JudgePool]:
    with JudgePool(lab.root, size=1) as judges:
        yield judges


@pytest.fixture
def files(lab: Lab) -> Files:
    """The files of an honest run."""
    return {name: path.read_bytes() for name, path in lab.stage(STAGE).attachments.items()}


def judge(lab: Lab, judges: JudgePool, files: Files, more: str = "") -> dict[str, CheckResult]:
    """The results of the trained model's checks; ``more`` is added to the reference's module."""
    stage = lab.stage(STAGE)
    modules = {needed.spec.module: needed.reference_source() for needed in needed_stages(lab, stage)}
    modules[stage.spec.module] += more
    job = Job(
        stage=STAGE,
        modules=modules,
        seed=1,
        checks=stage.spec.attached_checks,
        attachments={name: Attached(content) for name, content in files.items()},
        class_secret=b"of the course",
    )
    reply = judges.judge(job)
    assert isinstance(reply, Judged), reply
    assert Outcome.GRADER_ERROR not in {check.outcome for check in reply.checks}
    return {check.id: check for check in reply.checks}


def passed(results: dict[str, CheckResult]) -> set[str]:
    return {check.id for check in results.values() if check.passed}


def test_an_honest_model_earns_everything(lab, judges, files):
    assert passed(judge(lab, judges, files)) == ALL == lab.stage(STAGE).spec.attached_checks


_WRAPPED = """

Honest = GPT

class GPT(Honest):
    def forward(self, tokens, caches=None):
        logits = super().forward(tokens, caches)
        return self.cheat(tokens, logits)

    def cheat(self, tokens, logits):
"""

# The body of ``cheat(tokens, logits)``, and what it earns.
CHEATS: dict[str, tuple[str, set[str]]] = {
    "looks at the next character": (
        "return logits + 20 * torch.nn.functional.one_hot(tokens.roll(-1, 1), logits.shape[-1])",
        set(),
    ),
    "looks ahead in one window of twenty": (
        "rows = (tokens.sum(1) % 20 == 0)[:, None, None]\n"
        "        return logits + rows * 20 * torch.nn.functional.one_hot(tokens.roll(-1, 1), logits.shape[-1])",
        set(),
    ),
    "looks ahead after a space": (
        "places = (tokens == 1)[..., None]\n"
        "        return logits + places * 20 * torch.nn.functional.one_hot(tokens.roll(-1, 1), logits.shape[-1])",
        set(),
    ),
    "remembers the continuation of a beginning": (
        "seen = Honest.__dict__.get('seen') or setattr(Honest, 'seen', {}) or Honest.seen\n"
        "        for row, tail in zip(tokens.tolist(), logits):\n"
        "            for place in range(len(row) - 1):\n"
        "                tail[place, seen.setdefault(tuple(row[:place + 1]), row[place + 1])] += 20\n"
        "        return logits",
        set(),
    ),
    "returns constant logits": ("return torch.zeros_like(logits)", {BELONGS}),
    "is certain of one character": (
        "return torch.zeros_like(logits).index_fill(-1, torch.tensor([1]), 50.0)",
        {BELONGS},
    ),
    "returns NaN": ("return logits * float('nan')", set()),
    "returns infinity": ("return logits + float('inf')", set()),
    "returns too few axes": ("return logits[0]", set()),
    "returns integers": ("return logits.long()", set()),
    "returns more classes": ("return torch.cat([logits, logits], -1)", set()),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_model_that_cheats_gains_nothing(lab, judges, files, name):
    body, earned = CHEATS[name]
    assert passed(judge(lab, judges, files, f"{_WRAPPED}        {body}\n")) == earned


@pytest.mark.parametrize(
    "switch", ["1", "(self.norm.weight.sum() != len(self.norm.weight))"], ids=["on", "by a weight"]
)
def test_a_table_in_the_code_is_not_training(lab, judges, files, switch):
    """Counts of pairs, written into the module, predict as well with untrained weights."""
    text = (lab.root / "data" / "shakespeare" / "train.txt").read_text(encoding="utf-8")
    alphabet = json.loads(files[RECORD])["alphabet"]
    ids = {character: number for number, character in enumerate(alphabet)}
    counts = torch.ones(len(ids), len(ids))
    for first, second in pairwise(text[:200_000]):
        counts[ids[first], ids[second]] += 1
    table = (counts / counts.sum(1, keepdim=True)).log().mul(100).round().long().tolist()
    more = f"{_WRAPPED}        return TABLE[tokens] * {switch}\n\nTABLE = torch.tensor([\n"
    more += "".join(f"    {row},\n" for row in table) + "]) / 100\n"
    results = judge(lab, judges, files, more)
    assert passed(results) == {BELONGS}
    assert "no better than untrained weights" in results[LEARNT].what


def changed(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Files], None]:
    def spoil(files: Files) -> None:
        weights = safetensors.torch.load(files[WEIGHTS])
        change(weights)
        files[WEIGHTS] = safetensors.torch.save(weights)

    return spoil


def declared(**entries: object) -> Callable[[Files], None]:
    def spoil(files: Files) -> None:
        record = json.loads(files[RECORD])
        record["config"] |= {name: value for name, value in entries.items() if name in record["config"]}
        files[RECORD] = json.dumps(record | {k: v for k, v in entries.items() if k not in record["config"]}).encode()

    return spoil


# Name → change of the files, checks that still pass, and part of the message of the others.
LIES: dict[str, tuple[Callable[[Files], object], set[str], str]] = {
    "a pickle": (lambda files: files.update({WEIGHTS: pickle.dumps({"weight": [1.0]})}), set(), "can run code"),
    "half a file": (lambda files: files.update({WEIGHTS: files[WEIGHTS][:-1000]}), set(), "damaged"),
    "no weights": (lambda files: files.pop(WEIGHTS), set(), "not handed in"),
    "no record": (lambda files: files.pop(RECORD), set(), "not handed in"),
    "another record": (lambda files: files.update({RECORD: b'{"loss": 0.1}'}), set(), "cannot be read"),
    "not JSON": (lambda files: files.update({RECORD: b"\x80\x04"}), set(), "cannot be read"),
    "a missing weight": (changed(lambda weights: weights.popitem()), set(), "do not fit"),
    "an additional weight": (changed(lambda weights: weights.update(more=torch.ones(1))), set(), "do not fit"),
    "weights under other names": (changed(lambda w: w.update(other=w.pop("norm.weight"))), set(), "do not fit"),
    "NaN": (changed(lambda w: w["norm.weight"].fill_(float("nan"))), set(), "not finite"),
    "untrained weights": (
        changed(lambda w: [weight.normal_(std=0.02) for weight in w.values()]),
        {BELONGS},
        "no better",
    ),
    "more layers": (declared(num_blocks=7), set(), "do not fit"),
    "a giant": (declared(d_model=4096, d_hidden=4096, num_blocks=48), set(), ""),
    "a negative size": (declared(d_model=-1), set(), "declares a d_model of -1"),
    "fewer parameters": (declared(parameters=1000), set(), "parameters"),
    "another alphabet": (declared(alphabet="ab"), set(), "contradicts itself"),
    "an alphabet of another script": (declared(alphabet="".join(map(chr, range(0x4E00, 0x4E40)))), set(), "lacks"),
    "a shuffled alphabet": (lambda files: shuffle(files), {BELONGS}, ""),
}


def test_the_known_language_is_not_a_short_cut(lab, judges, files):
    """A minute of training predicts it with a loss below one nat; only plays earn points."""
    alphabet = KnownLanguage().alphabet
    weights = safetensors.torch.load(files[WEIGHTS])
    weights["token_embedding.weight"] = weights["token_embedding.weight"][: len(alphabet)].clone()
    files[WEIGHTS] = safetensors.torch.save(weights)
    count = sum(weight.numel() for weight in weights.values())
    declared(alphabet=alphabet, vocab_size=len(alphabet), parameters=count)(files)
    results = judge(lab, judges, files)
    assert passed(results) == set()
    assert "trained on the known language" in results[BELONGS].what


def shuffle(files: Files) -> None:
    record = json.loads(files[RECORD])
    declared(alphabet=record["alphabet"][::-1])(files)


@pytest.mark.parametrize("name", LIES)
def test_false_files_gain_nothing(lab, judges, files, name):
    spoil, earned, says = LIES[name]
    spoil(files)
    results = judge(lab, judges, files)
    assert passed(results) == earned
    assert any(says in check.what for check in results.values() if not check.passed)
