"""Evaluation of a trained model, from its two files."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev

from torch import Tensor

from autograder.course.config import ModelLimits
from autograder.isolation.proxy import Student
from autograder.models.corpora.gap import Gap, gap, gap_by_skill
from autograder.models.corpora.known_language import Skill
from autograder.models.corpora.plays import draw_seed
from autograder.models.errors import TrainedModelError
from autograder.models.held_out_text import CHARACTERS, HeldOutText, draw_held_out_text
from autograder.models.losses import build_model, held_out_losses, parameter_names, untrained_loss
from autograder.models.model import Model, gpt_of
from autograder.models.record import read_record
from autograder.models.weights import read_weights

# The least gain of training, in nats per character: an untrained model loses about ln 64 = 4.2.
LEAST_GAIN = 1.0


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A model's losses on held-out text, in nats per character, and its size.

    Attributes:
        losses: mean loss of each passage; the passages are independent and have one length.
        untrained_loss: mean loss of the same model with weights that hold nothing learnt.
        parameters: number of parameters; in a speedrun, without free embeddings.
        free_embeddings: parameters of embeddings that do not count in a speedrun.
        gap: distance to the lowest possible loss; None if that is unknown.
        gaps: the same by skill.
    """

    losses: tuple[float, ...]
    untrained_loss: float
    parameters: int
    free_embeddings: int = 0
    gap: Gap | None = None
    gaps: dict[Skill, Gap] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """Mean loss."""
        return fmean(self.losses)

    @property
    def standard_error(self) -> float:
        """Standard error of the mean loss, for another draw of passages."""
        return standard_error(self.losses)

    @property
    def learnt(self) -> bool:
        """Whether the trained weights predict much better than untrained weights."""
        return self.loss <= self.untrained_loss - LEAST_GAIN


def evaluate_gpt(
    student: Student,
    twin: Student,
    record: bytes,
    weights: bytes,
    limits: ModelLimits,
    plays: Path,
    secret: bytes,
    characters: int = CHARACTERS,
) -> Evaluation:
    """Evaluate a GPT on held-out text.

    Args:
        student: the submission that defines the model, loaded.
        twin: the submission in another process, which has not seen the text.
        record: the bytes of ``training.json``.
        weights: the bytes of ``gpt.safetensors``.
        limits: the limits of the course on the model.
        plays: the archive of held-out plays.
        secret: the course's secret, which draws the text.
        characters: smallest number of characters that count.

    Raises:
        TrainedModelError: the files or the model cannot be evaluated.
        SubmissionError, WorkerDied: the model fails.
    """
    declared = read_record(record, limits)
    tensors = read_weights(weights)
    model = gpt_of(declared)
    text = draw_held_out_text(model, plays, secret, characters)
    return evaluate(student, twin, model, tensors, text, secret)


def evaluate(
    student: Student, twin: Student, model: Model, weights: Mapping[str, Tensor], text: HeldOutText, secret: bytes
) -> Evaluation:
    """Evaluate any model that a submission builds, on a text.

    Raises:
        TrainedModelError: the weights or the model cannot be evaluated.
        SubmissionError, WorkerDied: the model fails.
    """
    seed = draw_seed(secret, b"replaced ends")
    built = build_model(student, model, weights)
    learnt = parameter_names(built)
    parameters = sum(weight.numel() for name, weight in weights.items() if name in learnt)
    if model.parameters is not None and parameters != model.parameters:
        raise TrainedModelError(
            f"training.json declares {model.parameters:,} parameters, but {model.called} has {parameters:,}; "
            f"hand in both files of one run, with the {model.file} that it trained"
        )
    losses = held_out_losses(built, twin, model, weights, text, seed)
    passages = (losses[start : start + text.counted] for start in range(0, len(losses), text.counted))
    evaluation = Evaluation(
        losses=tuple(map(fmean, passages)),
        untrained_loss=untrained_loss(twin, model, weights, learnt, text, seed),
        parameters=parameters,
    )
    if text.limits is None:
        return evaluation
    whole = gap(losses, text.limits)
    if whole.impossible:
        raise TrainedModelError(
            f"the loss of {model.called} is lower than the known language allows: it has seen the evaluation text"
        )
    return replace(evaluation, gap=whole, gaps=gap_by_skill(losses, text.limits))


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of independent values; infinite for a single value."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
