"""How well a student's model foretells text that it never saw.

The model runs in a worker, as all student code does; the loss is computed here, from its logits. What
it could do to look better than it is comes to nothing:

- it is given no targets, and each passage is alone: none goes on where another ends;
- tokens that it should not see yet are inputs at later positions. So a twin of it, in a process of its
  own that never saw the passages, reads them with the end of each replaced, from a place that is drawn:
  logits before that place have to be the same. A model that peeks gives others, and one that remembers
  has nothing to remember;
- what is written into the code and not into the weights is there without training too: the model is
  also measured as it starts, and with the numbers of each weight in another order. (Code can ask its weights
  for more than their values' sum before it looks into a table. It then earns what the table foretells, no more.)
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
from autograder.trained.model import Model

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
        untrained_loss: mean of the same model's with weights that hold nothing learnt: those that it starts from,
            or the learnt numbers in another order, whichever foretell better.
    """

    losses: tuple[float, ...]
    untrained_loss: float

    @property
    def loss(self) -> float:
        """The mean, in nats per character."""
        return math.fsum(self.losses) / len(self.losses)


@torch.no_grad()  # otherwise the worker keeps every call's graph for a backward pass that never comes
def measure(
    student: Student, twin: Student, model: Model, weights: Mapping[str, Tensor], passages: Sequence[str], seed: int
) -> Measured:
    """The model's loss on each character of some passages but the first.

    Args:
        student: the submission, loaded.
        twin: the same in another process.
        model: what is to be measured.
        weights: the model's, by their names.
        passages: texts of one length, at most a context and one character; unknown to the student.
        seed: decides where passages are replaced, and how weights are shuffled.

    Raises:
        TrainedModelError: the weights don't fit the model, or the model gives no logits, or peeks.
        SubmissionError, WorkerDied: the model fails. It has read hidden text by then: what it says is not passed on.
    """
    tokens = _encode(passages, model)
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    few = slice(UNTRAINED_PASSAGES)
    unlearnt = None, shuffled(weights, seed)
    untrained = [_log_probabilities(_built(twin, model, held), inputs[few], model) for held in unlearnt]
    scores = _log_probabilities(_built(student, model, weights), inputs, model)
    replaced, places = _replace_ends(inputs, model.vocab_size, Random(seed))
    again = _log_probabilities(_built(twin, model, weights), replaced, model)
    _refuse_peeking(scores, again, places, model)
    untrained_loss = min(float(_losses(one, targets[few]).mean()) for one in untrained)
    return Measured(tuple(_losses(scores, targets).tolist()), untrained_loss)


def shuffled(weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """The weights with the numbers of each in another order: as many, as large, and nothing that was learnt."""
    generator = torch.Generator().manual_seed(seed % 2**32)
    return {
        name: weight.flatten()[torch.randperm(weight.numel(), generator=generator)].view(weight.shape)
        for name, weight in weights.items()
    }


def _losses(scores: Tensor, targets: Tensor) -> Tensor:
    """Nats per character, passage by passage, along one axis."""
    return -scores.gather(-1, targets[..., None]).flatten()


def _encode(passages: Sequence[str], model: Model) -> Tensor:
    """Token ids `(passages, length + 1)`."""
    ids = {character: number for number, character in enumerate(model.alphabet)}
    if unknown := set("".join(passages)) - set(ids):
        raise TrainedModelError(f"the model's alphabet lacks {min(unknown)!r}; train on a text that has all characters")
    longest = max(len(passage) for passage in passages) - 1
    if longest > model.context_length:
        raise ValueError(f"passages of {longest} characters for a context of {model.context_length}")
    return torch.tensor([[ids[character] for character in passage] for passage in passages])


def _built(student: Student, model: Model, weights: Mapping[str, Tensor] | None) -> RemoteObject:
    """The student's model with the weights handed in, or None for those it starts from."""
    built = model.build(student)
    if not isinstance(built, RemoteObject):
        raise TrainedModelError(f"{model.called} is no module of PyTorch; look at what {model.file} makes of it")
    try:
        if weights is not None:
            built.load_state_dict(dict(weights))
    except SubmissionError:
        raise TrainedModelError(
            f"the weights do not fit {model.called}: they have other names or shapes; "
            f"train the model of the {model.file} handed in"
        ) from None
    built.eval()
    return built


def _log_probabilities(built: RemoteObject, inputs: Tensor, model: Model) -> Tensor:
    """`(passages, length, vocab)` in float64, made of the model's logits."""
    return torch.cat([_checked(built(piece), piece, model) for piece in _pieces(inputs)])


def _pieces(inputs: Tensor) -> Iterator[Tensor]:
    yield from torch.split(inputs, max(1, TOKENS_AT_ONCE // inputs.shape[1]))


def _checked(logits: object, inputs: Tensor, model: Model) -> Tensor:
    wanted = (*inputs.shape, model.vocab_size)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != wanted or not logits.is_floating_point():
        raise TrainedModelError(
            f"{model.called} did not give logits of shape {wanted} for tokens of shape {tuple(inputs.shape)}"
        )
    logits = logits.detach().double()
    if not logits.isfinite().all():
        raise TrainedModelError(f"{model.called} gave logits that are not finite")
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


def _refuse_peeking(scores: Tensor, replaced: Tensor, places: Sequence[int], model: Model) -> None:
    for before, after, place in zip(scores, replaced, places, strict=True):
        if not torch.allclose(before[: place + 1], after[: place + 1], rtol=0, atol=TOLERANCE):
            raise TrainedModelError(
                f"{model.called} foretells a character otherwise when the ones after it change: "
                "it sees what it should foretell, or keeps something from one text to the next"
            )
