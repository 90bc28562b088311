"""Losses of a student's model on held-out text.

The model runs in a worker, as all student code does. The loss is computed here, from its logits. Three attempts to
look better than the model is gain nothing:

- Read the targets: the model receives none, and no passage holds characters that another passage predicts.
- Look ahead: later tokens are inputs at later positions. A twin of the model, in a process that never saw the
  passages, reads beginnings of them, each up to a drawn position, with changed tokens after it, if any. Its logits
  up to that position must be the same. A model that looks ahead gives different logits; one that remembers earlier
  text has nothing to remember.
- Write the knowledge into the code instead of the weights: the knowledge is there without training too. So the model
  is also evaluated with its initial weights, and with the numbers of each weight shuffled. (Code can test its weights
  by more than the sum of their values before it uses a table. It then earns what the table predicts, and no more.)
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

import torch
from torch import Tensor

from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.proxy import RemoteObject, Student, gradients
from autograder.models.errors import MODEL_FAILED, TrainedModelError
from autograder.models.held_out_text import HeldOutText
from autograder.models.model import Model

# Tokens in one call: small enough for the largest model to stay within a call's time.
TOKENS_AT_ONCE = 512
# The loss of an untrained model shows on a few characters.
UNTRAINED_CHARACTERS = 1024
# Differences in nats that rounding may cause when later tokens change.
TOLERANCE = 1e-3


@torch.no_grad()  # otherwise the worker keeps the graph of every call for a backward pass that never comes
def held_out_losses(
    built: RemoteObject, twin: Student, model: Model, weights: Mapping[str, Tensor], text: HeldOutText, seed: int
) -> list[float]:
    """Compute the model's loss on each character that counts, in nats, passage by passage.

    Args:
        built: the model to evaluate, built with its weights.
        twin: the submission in another process, which has not seen the passages.
        model: describes the model.
        weights: the model's weights, by name.
        text: passages of one length, at most the context plus one character; unknown to the student.
        seed: determines where the ends of passages are replaced.

    Raises:
        TrainedModelError: the model fails, returns no logits or looks ahead.
    """
    inputs, targets = _encode(text, model)
    with _failing_in_one_word():
        scores = _log_probabilities(built, inputs, model)
        looks_ahead = _looks_ahead(scores, build_model(twin, model, weights), inputs, model, Random(seed))
    if looks_ahead:
        raise TrainedModelError(
            f"the predictions of {model.called} change when later characters change: "
            "it looks ahead or keeps state between calls"
        )
    losses: list[float] = _losses(scores, targets, text.counted).tolist()
    return losses


@torch.no_grad()
def untrained_loss(
    twin: Student, model: Model, weights: Mapping[str, Tensor], learnt: Collection[str], text: HeldOutText, seed: int
) -> float:
    """Compute the model's mean loss without learnt weights, on the first passages.

    The weights are the initial weights, or the learnt numbers shuffled, whichever predict better. Call it after
    ``held_out_losses``: the twin sees whole passages here.

    Args:
        twin: the submission, loaded.
        model: the model to evaluate.
        weights: the model's weights, by name.
        learnt: names of its parameters; the others are buffers, such as a mask, and stay.
        text: the passages of ``held_out_losses``.
        seed: determines how the weights are shuffled.

    Raises:
        TrainedModelError: the model fails or returns no logits.
    """
    inputs, targets = _encode(text, model)
    few = slice(-(-UNTRAINED_CHARACTERS // inputs.shape[1]))
    losses = []
    with _failing_in_one_word():
        for untrained in (None, shuffled(weights, learnt, seed)):
            scores = _log_probabilities(build_model(twin, model, untrained), inputs[few], model)
            losses.append(float(_losses(scores, targets[few], text.counted).mean()))
    return min(losses)


@contextmanager
def _failing_in_one_word() -> Iterator[None]:
    """Turn each failure of a model that has read held-out text into the same error.

    Raises:
        TrainedModelError: the model failed, or returned no logits.
    """
    try:
        yield
    except (SubmissionError, WorkerDied, TrainedModelError):
        raise TrainedModelError(MODEL_FAILED) from None


def shuffled(weights: Mapping[str, Tensor], learnt: Collection[str], seed: int) -> dict[str, Tensor]:
    """Return the weights with the numbers of each parameter in random order: the same values, nothing learnt."""
    generator = torch.Generator().manual_seed(seed % 2**32)

    def shuffle(weight: Tensor) -> Tensor:
        return weight.flatten()[torch.randperm(weight.numel(), generator=generator)].view(weight.shape)

    return {name: shuffle(weight) if name in learnt else weight for name, weight in weights.items()}


def _losses(scores: Tensor, targets: Tensor, counted: int) -> Tensor:
    """Nats of each character that counts, passage by passage, along one axis."""
    return -scores.gather(-1, targets[..., None])[:, -counted:].flatten()


def _encode(text: HeldOutText, model: Model) -> tuple[Tensor, Tensor]:
    """Token ids of inputs and targets, each `(passages, length)`."""
    ids = {character: number for number, character in enumerate(model.alphabet)}
    if not set("".join(text.passages)) <= set(ids):
        raise TrainedModelError(
            "the model's alphabet lacks a character of the held-out text; train on a text that contains all characters"
        )
    longest = max(len(passage) for passage in text.passages) - 1
    if longest > model.context_length:
        raise ValueError(f"passages of {longest} characters for a context of {model.context_length}")
    tokens = torch.tensor([[ids[character] for character in passage] for passage in text.passages])
    return tokens[:, :-1], tokens[:, 1:]


def parameter_names(built: RemoteObject) -> frozenset[str]:
    """Return the names of the parameters of a model, a parameter with two names once."""
    return frozenset(gradients(built))


def build_model(student: Student, model: Model, weights: Mapping[str, Tensor] | None) -> RemoteObject:
    """Build the student's model with these weights, or with its initial weights if None.

    Raises:
        TrainedModelError: it is not a module, or the weights do not fit it.
        SubmissionError, WorkerDied: the model fails.
    """
    built = model.build(student)
    if not isinstance(built, RemoteObject):
        raise TrainedModelError(f"{model.called} is not a PyTorch module; check what {model.file} returns for it")
    try:
        if weights is not None:
            built.load_state_dict(dict(weights))
    except SubmissionError:
        raise TrainedModelError(
            f"the weights do not fit {model.called}: their names or shapes differ; "
            f"train the model of the {model.file} that you hand in"
        ) from None
    built.eval()
    return built


def _log_probabilities(built: RemoteObject, inputs: Tensor, model: Model) -> Tensor:
    """`(passages, length, vocab)` in float64, from the model's logits."""
    return torch.cat([_checked(built(piece), piece, model) for piece in _pieces(inputs)])


def _pieces(inputs: Tensor) -> Iterator[Tensor]:
    yield from torch.split(inputs, max(1, TOKENS_AT_ONCE // inputs.shape[1]))


def _checked(logits: object, inputs: Tensor, model: Model) -> Tensor:
    expected = (*inputs.shape, model.vocab_size)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != expected or not logits.is_floating_point():
        raise TrainedModelError(MODEL_FAILED)
    logits = logits.detach().double()
    if not logits.isfinite().all():
        raise TrainedModelError(MODEL_FAILED)
    return logits.log_softmax(dim=-1)


def _looks_ahead(scores: Tensor, twin: RemoteObject, inputs: Tensor, model: Model, random: Random) -> bool:
    """Let the twin read each passage without its end, which starts after a position drawn for each passage."""
    positions = [int(random.random() * (inputs.shape[1] - 1)) for _ in inputs]
    replaced = _replace_ends(inputs, positions, model.vocab_size, random)
    # Beginnings alone take half the time. A model that computes in half precision may round differently there.
    return not any(_agrees(scores, twin, replaced, positions, model, whole=whole) for whole in (False, True))


def _replace_ends(inputs: Tensor, positions: Sequence[int], vocab_size: int, random: Random) -> Tensor:
    """The inputs with changed tokens after the position of each row."""
    replaced = inputs.clone()
    for row, position in zip(replaced, positions, strict=True):
        shift = torch.tensor([1 + int(random.random() * (vocab_size - 1)) for _ in range(position + 1, len(row))])
        row[position + 1 :] = (row[position + 1 :] + shift) % vocab_size  # never the original token
    return replaced


def _agrees(
    scores: Tensor, twin: RemoteObject, replaced: Tensor, positions: Sequence[int], model: Model, *, whole: bool
) -> bool:
    """Compare the twin's scores up to each row's position; the twin reads whole rows, or little more than that."""
    order = torch.tensor(positions).argsort()
    for rows in torch.split(order, max(1, TOKENS_AT_ONCE // replaced.shape[1])):
        length = replaced.shape[1] if whole else positions[int(rows[-1])] + 1
        piece = replaced[rows, :length]
        for row, again in zip(rows.tolist(), _checked(twin(piece), piece, model), strict=True):
            known = slice(positions[row] + 1)
            if not torch.allclose(scores[row, known], again[known], rtol=0, atol=TOLERANCE):
                return False
    return True
