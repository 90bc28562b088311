"""A trained model from its two files to its figures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev

from torch import Tensor

from autograder.corpora.gap import Gap, gap, gap_by_skill
from autograder.corpora.held_out import draw_seed
from autograder.corpora.known_language import Skill
from autograder.isolation.proxy import Student
from autograder.trained.errors import TrainedModelError
from autograder.trained.hidden_text import CHARACTERS, draw_hidden_text
from autograder.trained.measure import Measured, measure
from autograder.trained.model import Model, gpt_of
from autograder.trained.record import Record, read_record
from autograder.trained.weights import read_weights

# What training has to gain, in nats per character: an untrained model loses about ln 64 = 4.2.
LEARNT_AT_LEAST = 1.0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a model is worth on hidden text.

    Attributes:
        loss: mean, in nats per character.
        standard_error: of ``loss``, for another draw of passages.
        untrained_loss: the same model's with weights that hold nothing learnt.
        gap: above the least possible loss, where that is known.
        gaps: the same by skill.
    """

    loss: float
    standard_error: float
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
    figures = figures_of(student, twin, gpt_of(told), numbers, plays, secret, characters)
    return ModelResult(record=told, **vars(figures))


def figures_of(
    student: Student,
    twin: Student,
    model: Model,
    weights: Mapping[str, Tensor],
    plays: Path,
    secret: bytes,
    characters: int = CHARACTERS,
) -> Figures:
    """Measure any model that a submission builds; arguments and errors as those of ``grade_model``."""
    text = draw_hidden_text(model, plays, secret, characters)
    measured = measure(student, twin, model, weights, text.passages, draw_seed(secret, b"replaced ends"))
    error = _standard_error(measured, len(text.passages))
    figures = Figures(loss=measured.loss, standard_error=error, untrained_loss=measured.untrained_loss)
    if text.limits is None:
        return figures
    whole = gap(measured.losses, text.limits)
    if whole.impossible:
        raise TrainedModelError(f"{model.called} is better than any reader of this language can be: it knows the text")
    return replace(figures, gap=whole, gaps=gap_by_skill(measured.losses, text.limits))


def _standard_error(measured: Measured, passages: int) -> float:
    """From the spread of the passages: characters of one passage depend on each other."""
    length = len(measured.losses) // passages
    means = [fmean(measured.losses[start : start + length]) for start in range(0, len(measured.losses), length)]
    return stdev(means) / math.sqrt(passages) if passages > 1 else math.inf
