"""Distance of a model's loss to the limit of a known language, in total and by skill."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.models.corpora.known_language import Skill


@dataclass(frozen=True)
class Gap:
    """A model's mean loss above the lowest possible loss.

    Attributes:
        characters: number of characters of the mean.
        nats: nats per character; the expected value is never below zero.
        standard_error: standard error of ``nats`` if the characters were independent.
    """

    characters: int
    nats: float
    standard_error: float

    @property
    def impossible(self) -> bool:
        """Whether the gap is too far below zero to be random: the model has seen the evaluation text."""
        return self.nats < -6 * self.standard_error - 1e-6


def gap(losses: Sequence[float], limits: Sequence[tuple[float, Skill]]) -> Gap:
    """Return the gap over all characters.

    Args:
        losses: the model's loss of each character, in nats.
        limits: the lowest possible loss of each character of the same text, and the skill it needs.
    """
    return _gap([loss - least for loss, (least, _) in zip(losses, limits, strict=True)])


def gap_by_skill(losses: Sequence[float], limits: Sequence[tuple[float, Skill]]) -> dict[Skill, Gap]:
    """Return the gap of each skill, over the characters that need it; skills that the text never needs are omitted."""
    excess: dict[Skill, list[float]] = {}
    for loss, (least, skill) in zip(losses, limits, strict=True):
        excess.setdefault(skill, []).append(loss - least)
    return {skill: _gap(excess[skill]) for skill in Skill if skill in excess}


def missing_skill(gaps: Iterable[tuple[Skill, Gap]]) -> Skill:
    """Return the skill that costs the most in total: its gap times the number of characters that need it."""
    return max(gaps, key=lambda item: item[1].nats * item[1].characters)[0]


def _gap(excess: Sequence[float]) -> Gap:
    if not excess:
        raise ValueError("a gap needs at least one character")
    count, mean = len(excess), math.fsum(excess) / len(excess)
    variance = math.fsum((value - mean) ** 2 for value in excess) / max(count - 1, 1)
    return Gap(count, mean, math.sqrt(variance / count))
