"""How good a trained model is: its loss on text that nobody trained on, computed here from its logits.

The submission's process is shown tokens and answers with logits. What it is shown in one session it
could remember, so whether it looks ahead is asked in another one, with other tokens to come.
"""

import math
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import torch
from torch import Tensor

from autograder.isolation.errors import SubmissionError
from autograder.isolation.proxy import RemoteObject, Student
from autograder.judge.attachments import Attachments
from autograder.judge.compare import check_close
from autograder.judge.probes import define
from autograder.judge.symptoms import CheckFailure, Symptom

WEIGHTS, RECORD = "gpt.safetensors", "training.json"
PLAYS = Path(__file__).parents[3] / "data" / "held_out_plays" / "plays.zip"

CHARACTERS = 30_000  # the loss on so many varies by 0.01 nats with the passages drawn
PASSAGES = 12
TOKENS_PER_CALL = 2048
# The loss of a model without training is known well enough from these.
UNTRAINED_WINDOWS = 24

_Size = Annotated[int, msgspec.Meta(ge=1, le=4096)]

_BUILD = """
import torch

def build(GPT, GPTConfig, sizes, weights):
    model = GPT(GPTConfig(**sizes))
    if weights is not None:
        model.load_state_dict(weights)
    return model.eval()

def shapes(model):
    return {name: list(value.shape) for name, value in model.state_dict().items()}
"""


class Sizes(msgspec.Struct, frozen=True):
    """What ``GPTConfig`` says of a model."""

    vocab_size: _Size
    context_length: Annotated[int, msgspec.Meta(ge=8, le=2048)]
    d_model: _Size
    num_heads: _Size
    num_blocks: _Size
    d_hidden: Annotated[int, msgspec.Meta(ge=1, le=16384)]


class Record(msgspec.Struct, frozen=True):
    """What of ``training.json`` grading looks at."""

    config: Sizes
    alphabet: str
    parameters: int


@dataclass(frozen=True)
class Measured:
    """A model's loss on the held-out text, in nats per character, and that of the same model without training."""

    loss: float
    untrained_loss: float


def read_record(attachments: Attachments) -> Record:
    """The declared configuration and alphabet.

    Raises:
        CheckFailure: it is not what the given trainer writes, or contradicts itself.
    """
    try:
        record = msgspec.json.decode(attachments.content(RECORD), type=Record)
    except msgspec.MsgspecError:
        says = f"{RECORD} is not the file that the given trainer writes: hand it in as it is"
        raise CheckFailure(Symptom.BAD_FILE, says) from None
    if len(record.alphabet) != record.config.vocab_size or len(set(record.alphabet)) != len(record.alphabet):
        says = f"the alphabet in {RECORD} does not have as many characters as the model has tokens"
        raise CheckFailure(Symptom.BAD_FILE, says)
    return record


def check_weights_fit(student: Student, attachments: Attachments) -> None:
    """The weights are those of the student's own GPT of the declared sizes, name by name.

    Raises:
        CheckFailure: they are not.
    """
    record, weights = read_record(attachments), attachments.weights(WEIGHTS)
    helper = define(student, _BUILD)
    model = helper.build(student.GPT, student.GPTConfig, msgspec.to_builtins(record.config), None)
    expected = helper.shapes(model)
    if {name: list(weight.shape) for name, weight in weights.items()} != expected:
        says = f"{WEIGHTS} does not fit your GPT with the sizes that {RECORD} declares: names or shapes differ"
        raise CheckFailure(Symptom.BAD_FILE, says)
    if sum(weight.numel() for weight in weights.values()) != record.parameters:
        raise CheckFailure(Symptom.BAD_FILE, f"{RECORD} declares another number of parameters than {WEIGHTS} holds")


def measure(student: Student, twin: Student, attachments: Attachments) -> Measured:
    """The model's loss on the held-out text, once per submission.

    Raises:
        CheckFailure: the files are unfit, the logits are none, or the model looks ahead.
    """
    return attachments.once("measured", lambda: _measure(student, twin, attachments))


def _measure(student: Student, twin: Student, attachments: Attachments) -> Measured:
    record = read_record(attachments)
    windows = held_out_windows(record, attachments.seed)  # (windows, context + 1)
    inputs, targets = windows[:, :-1], windows[:, 1:]
    logits = _logits(_model(student, record, attachments), inputs, record)
    _check_looks_back_only(_model(twin, record, attachments), inputs, logits, record, attachments.seed)
    untrained = _logits(_model(twin, record, None), inputs[:UNTRAINED_WINDOWS], record)
    return Measured(_loss(logits, targets), _loss(untrained, targets[:UNTRAINED_WINDOWS]))


def _model(student: Student, record: Record, attachments: Attachments | None) -> RemoteObject:
    """The student's GPT with the weights handed in, or with those it starts from."""
    weights = None
    if attachments is not None:
        weights = {name: weight.float() for name, weight in attachments.weights(WEIGHTS).items()}
    helper = define(student, _BUILD)
    try:
        model: RemoteObject = helper.build(student.GPT, student.GPTConfig, msgspec.to_builtins(record.config), weights)
    except SubmissionError as error:
        if isinstance(error, NotImplementedError):
            raise
        says = f"{WEIGHTS} does not fit your GPT with the sizes that {RECORD} declares"
        raise CheckFailure(Symptom.BAD_FILE, says) from error
    return model


def held_out_windows(record: Record, seed: int) -> Tensor:
    """Passages of plays that nobody trained on, as token ids `(windows, context_length + 1)`.

    Raises:
        CheckFailure: the alphabet lacks a character of theirs.
    """
    ids = {character: number for number, character in enumerate(record.alphabet)}
    length = record.config.context_length + 1
    per_passage = math.ceil(CHARACTERS / PASSAGES / length)
    rows = []
    for passage in _passages(random.Random(seed), per_passage * length):
        try:
            tokens = [ids[character] for character in passage]
        except KeyError:
            says = f"the alphabet in {RECORD} lacks a character of the plays: train on the given data"
            raise CheckFailure(Symptom.BAD_FILE, says) from None
        rows.append(torch.tensor(tokens).reshape(per_passage, length))
    return torch.cat(rows)


def _passages(draw: random.Random, length: int) -> Iterator[str]:
    with zipfile.ZipFile(PLAYS) as archive:
        for name in draw.sample(sorted(archive.namelist()), PASSAGES):
            text = archive.read(name).decode()
            start = draw.randrange(len(text) - length)
            yield text[start : start + length]


def _logits(model: RemoteObject, inputs: Tensor, record: Record) -> Tensor:
    """The model's logits for `(windows, context)` tokens, in float64."""
    rows = max(1, TOKENS_PER_CALL // record.config.context_length)
    found = []
    with torch.no_grad():
        for part in inputs.split(rows):
            logits = model(part)
            expected = (*part.shape, record.config.vocab_size)
            if not isinstance(logits, Tensor) or not logits.is_floating_point() or logits.shape != expected:
                raise CheckFailure(Symptom.WRONG_SIZE, "the model's logits are not of the shape (batch, length, vocab)")
            if not bool(logits.isfinite().all()):
                raise CheckFailure(Symptom.NOT_FINITE)
            found.append(logits.double())
    return torch.cat(found)


def _loss(logits: Tensor, targets: Tensor) -> float:
    chosen = logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1))
    return float(-chosen.mean())


def _check_looks_back_only(model: RemoteObject, inputs: Tensor, logits: Tensor, record: Record, seed: int) -> None:
    """With another future, what the model says up to now must stay as it is.

    Every window is asked again, cut at a place of its own: looking ahead in one position of a hundred is found out too.
    """
    generator = torch.Generator().manual_seed(seed)
    others = inputs[torch.randperm(len(inputs), generator=generator)]
    context = record.config.context_length
    kept = torch.randint(1, context, (len(inputs), 1), generator=generator)
    past = torch.arange(context) < kept  # (windows, context)
    again = _logits(model, torch.where(past, inputs, others), record)
    says = "the model's logits change with characters that come later: it looks ahead, so its loss says nothing"
    # What differs by rounding alone is far below; what sees the next character is far above.
    check_close(again[past], logits[past], rtol=1e-3, atol=1e-3, says=says)
