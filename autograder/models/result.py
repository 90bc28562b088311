"""A trained model from its two files to its figures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev

from torch import Tensor

from autograder.isolation.proxy import Student
from autograder.models.corpora.gap import Gap, gap, gap_by_skill
from autograder.models.corpora.held_out import draw_seed
from autograder.models.corpora.known_language import Skill
from autograder.models.errors import TrainedModelError
from autograder.models.hidden_text import CHARACTERS, HiddenText, draw_hidden_text
from autograder.models.measure import measure
from autograder.models.model import Model, gpt_of
from autograder.models.record import Record, read_record
from autograder.models.weights import read_weights

# What training has to gain, in nats per character: an untrained model loses about ln 64 = 4.2.
LEARNT_AT_LEAST = 1.0


class MeanLoss:
    """For what has ``losses``, in nats per character, of independent passages of one length."""

    __slots__ = ()
    losses: tuple[float, ...]

    @property
    def loss(self) -> float:
        """Their mean."""
        return fmean(self.losses)

    @property
    def standard_error(self) -> float:
        """Of ``loss``, for another draw of passages."""
        return standard_error(self.losses)


@dataclass(frozen=True, kw_only=True)
class Figures(MeanLoss):
    """What a model is worth on hidden text.

    Attributes:
        losses: nats per character, of each passage.
        untrained_loss: the same model's, in all, with weights that hold nothing learnt.
        gap: above the least possible loss, where that is known.
        gaps: the same by skill.
    """

    losses: tuple[float, ...]
    untrained_loss: float
    gap: Gap | None = None
    gaps: Mapping[Skill, Gap] = field(default_factory=dict)

    @property
    def learnt(self) -> bool:
        """Whether the model foretells much better with its weights than with others of the same size."""
        return self.loss <= self.untrained_loss - LEARNT_AT_LEAST


@dataclass(frozen=True, kw_only=True)
class ModelResult(Figures):
    """The figures of a student's GPT, with what the student says of it."""

    record: Record


def grade_model(
    student: Student,
    twin: Student,
    record: bytes,
    weights: bytes,
    plays: Path,
    secret: bytes,
    characters: int = CHARACTERS,
) -> ModelResult:
    """Measure a GPT on hidden text.

    Args:
        student: the submission that the model belongs to, loaded.
        twin: the same in another process: what the one was shown the other has not seen.
        record: the bytes of ``training.json``.
        weights: the bytes of ``gpt.safetensors``.
        plays: the archive of held-out plays.
        secret: of the course; draws the text.
        characters: how many are foretold, at least.

    Raises:
        TrainedModelError: the files or the model are not fit to be measured.
        SubmissionError, WorkerDied: the model fails.
    """
    told = read_record(record)
    numbers = read_weights(weights)
    held = sum(weight.numel() for weight in numbers.values())
    if held != told.parameters:
        raise TrainedModelError(f"training.json declares {told.parameters:,} parameters, the file holds {held:,}")
    model = gpt_of(told)
    text = draw_hidden_text(model, plays, secret, characters)
    figures = figures_of(student, twin, model, numbers, text, seed_of_measuring(secret))
    return ModelResult(record=told, **vars(figures))


def seed_of_measuring(secret: bytes) -> int:
    """Decides, in a course, what a measured model is shown in place of the text's ends."""
    return draw_seed(secret, b"replaced ends")


def figures_of(
    student: Student, twin: Student, model: Model, weights: Mapping[str, Tensor], text: HiddenText, seed: int
) -> Figures:
    """Measure any model that a submission builds, on a text.

    Raises:
        TrainedModelError: the weights or the model are not fit to be measured.
        SubmissionError, WorkerDied: the model fails.
    """
    measured = measure(student, twin, model, weights, text, seed)
    starts = range(0, len(measured.losses), text.counted)
    passages = (measured.losses[start : start + text.counted] for start in starts)
    figures = Figures(losses=tuple(map(fmean, passages)), untrained_loss=measured.untrained_loss)
    if text.limits is None:
        return figures
    whole = gap(measured.losses, text.limits)
    if whole.impossible:
        raise TrainedModelError(f"{model.called} is better than any reader of this language can be: it knows the text")
    return replace(figures, gap=whole, gaps=gap_by_skill(measured.losses, text.limits))


def standard_error(values: Sequence[float]) -> float:
    """Of the mean of independent values; infinite for a single one."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
