"""How well a student's model foretells text that it never saw.

The model runs in a worker, as all student code does; the loss is computed here, from its logits. What
it could do to look better than it is comes to nothing:

- it is given no targets, and no passage holds what another has to foretell;
- tokens that it should not see yet are inputs at later positions. So a twin of it, in a process of its
  own that never saw the passages, reads beginnings of them, each up to a place that is drawn and with
  other tokens behind it, if any: logits up to that place have to be the same. A model that peeks gives
  others, and one that remembers has nothing to remember;
- what is written into the code and not into the weights is there without training too: the model is
  also measured as it starts, and with the numbers of each weight in another order. (Code can ask its weights
  for more than their values' sum before it looks into a table. It then earns what the table foretells, no more.)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from autograder.isolation.errors import SubmissionError
from autograder.isolation.proxy import RemoteObject, Student
from autograder.models.errors import TrainedModelError
from autograder.models.hidden_text import HiddenText
from autograder.models.model import Model

# Tokens in one call: what the largest model makes of them stays small enough to be made quickly.
TOKENS_AT_ONCE = 512
# How well a model foretells that learnt nothing shows on a few characters.
UNTRAINED_CHARACTERS = 1024
# What rounding may change, in nats, when other tokens stand behind.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Measured:
    """What a model's losses come to.

    Attributes:
        losses: nats of each character that counts, passage by passage.
        untrained_loss: mean of the same model's with weights that hold nothing learnt: those that it starts from,
            or the learnt numbers in another order, whichever foretell better.
    """

    losses: tuple[float, ...]
    untrained_loss: float


@torch.no_grad()  # otherwise the worker keeps every call's graph for a backward pass that never comes
def measure(
    student: Student, twin: Student, model: Model, weights: Mapping[str, Tensor], text: HiddenText, seed: int
) -> Measured:
    """The model's loss on each character that counts.

    Args:
        student: the submission, loaded.
        twin: the same in another process.
        model: what is to be measured.
        weights: the model's, by their names.
        text: passages of one length, at most a context and one character; unknown to the student.
        seed: decides where passages are replaced, and how weights are shuffled.

    Raises:
        TrainedModelError: the weights don't fit the model, or the model gives no logits, or peeks.
        SubmissionError, WorkerDied: the model fails. It has read hidden text by then: what it says is not passed on.
    """
    tokens = _encode(text.passages, model)
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    scores = _log_probabilities(_built(student, model, weights), inputs, model)
    _refuse_peeking(scores, _built(twin, model, weights), inputs, model, Random(seed))
    few = slice(-(-UNTRAINED_CHARACTERS // inputs.shape[1]))
    unlearnt = None, shuffled(weights, seed)
    # After the comparison: by now the twin may see whole passages.
    untrained = [_log_probabilities(_built(twin, model, held), inputs[few], model) for held in unlearnt]
    untrained_loss = min(float(_losses(one, targets[few], text.counted).mean()) for one in untrained)
    return Measured(tuple(_losses(scores, targets, text.counted).tolist()), untrained_loss)


def shuffled(weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """The weights with the numbers of each in another order: as many, as large, and nothing that was learnt."""
    generator = torch.Generator().manual_seed(seed % 2**32)
    return {
        name: weight.flatten()[torch.randperm(weight.numel(), generator=generator)].view(weight.shape)
        for name, weight in weights.items()
    }


def _losses(scores: Tensor, targets: Tensor, counted: int) -> Tensor:
    """Nats of each character that counts, passage by passage, along one axis."""
    return -scores.gather(-1, targets[..., None])[:, -counted:].flatten()


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


def _refuse_peeking(scores: Tensor, twin: RemoteObject, inputs: Tensor, model: Model, random: Random) -> None:
    """Let the twin read each passage without its end, which starts behind a place that is drawn for each."""
    places = [int(random.random() * (inputs.shape[1] - 1)) for _ in inputs]
    replaced = _replace_ends(inputs, places, model.vocab_size, random)
    # Beginnings alone take half the time. Who computes in half precision may round otherwise for another length.
    if _agrees(scores, twin, replaced, places, model, whole=False):
        return
    if not _agrees(scores, twin, replaced, places, model, whole=True):
        raise TrainedModelError(
            f"{model.called} foretells a character otherwise when the ones after it change: "
            "it sees what it should foretell, or keeps something from one text to the next"
        )


def _replace_ends(inputs: Tensor, places: Sequence[int], vocab_size: int, random: Random) -> Tensor:
    """The inputs with other tokens behind the place of each row."""
    replaced = inputs.clone()
    for row, place in zip(replaced, places, strict=True):
        shift = torch.tensor([1 + int(random.random() * (vocab_size - 1)) for _ in range(place + 1, len(row))])
        row[place + 1 :] = (row[place + 1 :] + shift) % vocab_size  # never the token that was there
    return replaced


def _agrees(
    scores: Tensor, twin: RemoteObject, replaced: Tensor, places: Sequence[int], model: Model, *, whole: bool
) -> bool:
    """Whether the twin gives the same scores up to each row's place; it reads whole rows, or as few ends as it can."""
    order = torch.tensor(places).argsort()
    for rows in torch.split(order, max(1, TOKENS_AT_ONCE // replaced.shape[1])):
        length = replaced.shape[1] if whole else places[int(rows[-1])] + 1
        piece = replaced[rows, :length]
        for row, again in zip(rows.tolist(), _checked(twin(piece), piece, model), strict=True):
            known = slice(places[row] + 1)
            if not torch.allclose(scores[row, known], again[known], rtol=0, atol=TOLERANCE):
                return False
    return True
