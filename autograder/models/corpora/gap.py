"""How far a model is above the limit of a known language, in all and skill by skill."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.models.corpora.known_language import Skill


@dataclass(frozen=True)
class Gap:
    """A model's mean loss above the least possible one.

    Attributes:
        characters: how many it was measured on.
        nats: per character. Its expectation is never below zero.
        standard_error: of ``nats``, as if the characters were independent.
    """

    characters: int
    nats: float
    standard_error: float

    @property
    def impossible(self) -> bool:
        """Below zero by more than luck allows: the model knows the very text that it is measured on."""
        return self.nats < -6 * self.standard_error - 1e-6


def gap(losses: Sequence[float], limits: Sequence[tuple[float, Skill]]) -> Gap:
    """Of all characters: ``losses`` are the model's, in nats; ``limits`` is what the language says of the same text."""
    return _gap([loss - least for loss, (least, _) in zip(losses, limits, strict=True)])


def gap_by_skill(losses: Sequence[float], limits: Sequence[tuple[float, Skill]]) -> dict[Skill, Gap]:
    """Skill → gap at the characters that take it; a skill that the text never asks for is left out."""
    excess: dict[Skill, list[float]] = {}
    for loss, (least, skill) in zip(losses, limits, strict=True):
        excess.setdefault(skill, []).append(loss - least)
    return {skill: _gap(excess[skill]) for skill in Skill if skill in excess}


def missing_skill(gaps: Iterable[tuple[Skill, Gap]]) -> Skill:
    """The skill that costs the most in all, by its gap and by how often it is asked for."""
    return max(gaps, key=lambda item: item[1].nats * item[1].characters)[0]


def _gap(excess: Sequence[float]) -> Gap:
    if not excess:
        raise ValueError("no character to measure on")
    count, mean = len(excess), math.fsum(excess) / len(excess)
    variance = math.fsum((one - mean) ** 2 for one in excess) / max(count - 1, 1)
    return Gap(count, mean, math.sqrt(variance / count))
