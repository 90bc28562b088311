"""How well a student's model foretells text that it never saw.

The model runs in a worker, as all student code does; the loss is computed here, from its logits. What
it could do to look better than it is comes to nothing:

- it is given no targets, and each passage is alone: none goes on where another ends;
- tokens that it should not see yet are inputs at later positions. So a twin of it, in a process of its
  own that never saw the passages, reads them with the end of each replaced, from a place that is drawn:
  logits before that place have to be the same. A model that peeks gives others, and one that remembers
  has nothing to remember;
- what is written into the code and not into the weights is there without training too: the model is
  also measured as it starts.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from autograder.isolation.errors import SubmissionError
from autograder.isolation.proxy import RemoteObject, Student
from autograder.trained.errors import TrainedModelError
from autograder.trained.record import Record

# Tokens in one call: a call of the largest model stays well within a call's CPU seconds.
TOKENS_AT_ONCE = 2048
# How well a model foretells before it is trained shows on a few.
UNTRAINED_PASSAGES = 16
# What rounding may change, in nats, when other tokens stand behind.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Measured:
    """What a model's losses come to.

    Attributes:
        losses: nats per character, passage by passage.
        untrained_loss: mean of the same model's with the weights that it starts from.
    """

    losses: tuple[float, ...]
    untrained_loss: float

    @property
    def loss(self) -> float:
        """The mean, in nats per character."""
        return math.fsum(self.losses) / len(self.losses)


@torch.no_grad()  # otherwise the worker keeps every call's graph for a backward pass that never comes
def measure(
    student: Student, twin: Student, record: Record, weights: Mapping[str, Tensor], passages: Sequence[str], seed: int
) -> Measured:
    """The model's loss on each character of some passages but the first.

    Args:
        student: the submission, loaded.
        twin: the same in another process.
        record: what the student says of the model.
        weights: the model's, by their names.
        passages: texts of one length, at most a context and one character; unknown to the student.
        seed: decides where passages are replaced.

    Raises:
        TrainedModelError: the weights don't fit the student's GPT, or the model gives no logits, or peeks.
        SubmissionError, WorkerDied: the model fails. It has read hidden text by then: what it says is not passed on.
    """
    held = sum(weight.numel() for weight in weights.values())
    if held != record.parameters:
        raise TrainedModelError(f"training.json declares {record.parameters:,} parameters, the file holds {held:,}")
    tokens = _encode(passages, record)
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    untrained = _log_probabilities(_model(twin, record, None), inputs[:UNTRAINED_PASSAGES], record)
    scores = _log_probabilities(_model(student, record, weights), inputs, record)
    replaced, places = _replace_ends(inputs, record.config.vocab_size, Random(seed))
    _refuse_peeking(scores, _log_probabilities(_model(twin, record, weights), replaced, record), places)
    untrained_losses = _losses(untrained, targets[:UNTRAINED_PASSAGES])
    return Measured(tuple(_losses(scores, targets).tolist()), float(untrained_losses.mean()))


def _losses(scores: Tensor, targets: Tensor) -> Tensor:
    """Nats per character, passage by passage, along one axis."""
    return -scores.gather(-1, targets[..., None]).flatten()


def _encode(passages: Sequence[str], record: Record) -> Tensor:
    """Token ids `(passages, length + 1)`."""
    ids = {character: number for number, character in enumerate(record.alphabet)}
    if unknown := set("".join(passages)) - set(ids):
        raise TrainedModelError(f"the model's alphabet lacks {min(unknown)!r}; train on a text that has all characters")
    longest = max(len(passage) for passage in passages) - 1
    if longest > record.config.context_length:
        raise ValueError(f"passages of {longest} characters for a context of {record.config.context_length}")
    return torch.tensor([[ids[character] for character in passage] for passage in passages])


def _model(student: Student, record: Record, weights: Mapping[str, Tensor] | None) -> RemoteObject:
    """The student's own GPT with the weights handed in, or None for those it starts from."""
    sizes = record.config
    model: RemoteObject = student.GPT(
        student.GPTConfig(
            vocab_size=sizes.vocab_size,
            context_length=sizes.context_length,
            d_model=sizes.d_model,
            num_heads=sizes.num_heads,
            num_blocks=sizes.num_blocks,
            d_hidden=sizes.d_hidden,
        )
    )
    try:
        if weights is not None:
            model.load_state_dict(dict(weights))
    except SubmissionError:
        raise TrainedModelError(
            "the weights do not fit your GPT: they have other names or shapes; train the model of the gpt.py handed in"
        ) from None
    model.eval()
    return model


def _log_probabilities(model: RemoteObject, inputs: Tensor, record: Record) -> Tensor:
    """`(passages, length, vocab)` in float64, made of the model's logits."""
    return torch.cat([_checked(model(piece), piece, record) for piece in _pieces(inputs)])


def _pieces(inputs: Tensor) -> Iterator[Tensor]:
    yield from torch.split(inputs, max(1, TOKENS_AT_ONCE // inputs.shape[1]))


def _checked(logits: object, inputs: Tensor, record: Record) -> Tensor:
    wanted = (*inputs.shape, record.config.vocab_size)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != wanted or not logits.is_floating_point():
        raise TrainedModelError(
            f"your GPT did not give logits of shape {wanted} for tokens of shape {tuple(inputs.shape)}"
        )
    logits = logits.detach().double()
    if not logits.isfinite().all():
        raise TrainedModelError("your GPT gave logits that are not finite")
    return logits.log_softmax(dim=-1)


def _replace_ends(inputs: Tensor, vocab_size: int, random: Random) -> tuple[Tensor, list[int]]:
    """The inputs with other tokens behind a place of each row, and these places: the last that are as before."""
    replaced, places = inputs.clone(), []
    length = inputs.shape[1]
    for row in replaced:
        place = int(random.random() * (length - 1))
        places.append(place)
        shift = torch.tensor([1 + int(random.random() * (vocab_size - 1)) for _ in range(place + 1, length)])
        row[place + 1 :] = (row[place + 1 :] + shift) % vocab_size  # never the token that was there
    return replaced, places


def _refuse_peeking(scores: Tensor, replaced: Tensor, places: Sequence[int]) -> None:
    for before, after, place in zip(scores, replaced, places, strict=True):
        if not torch.allclose(before[: place + 1], after[: place + 1], rtol=0, atol=TOLERANCE):
            raise TrainedModelError(
                "your GPT foretells a character otherwise when the ones after it change: "
                "it sees what it should foretell, or keeps something from one text to the next"
            )
