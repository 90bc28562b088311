"""Held-out text for an evaluation: unknown to the student, of the kind that the model was trained on."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from autograder.models.corpora.known_language import DOCUMENT_END, KnownLanguage, Skill
from autograder.models.corpora.plays import draw_passages, draw_seed, read_plays
from autograder.models.model import Model

# Enough for a mean that changes by about 0.01 from draw to draw.
CHARACTERS = 30_000


@dataclass(frozen=True)
class HeldOutText:
    """Passages and their limits.

    Attributes:
        passages: each has a length of at most the context plus one; its first character is input only.
        counted: number of characters at the end of each passage that count.
        limits: for each character that counts, the lowest possible loss and the skill it needs; None if unknown.
    """

    passages: tuple[str, ...]
    counted: int
    limits: tuple[tuple[float, Skill], ...] | None = None


def draw_held_out_text(model: Model, plays: Path, secret: bytes, characters: int = CHARACTERS) -> HeldOutText:
    """Draw the text for a model: in the known language if its alphabet is the language's, else from held-out plays.

    The same secret draws the same text for models of the same context length.

    Args:
        model: reads the text, in its alphabet.
        plays: the archive of held-out plays.
        secret: the course's secret.
        characters: smallest number of characters that count.
    """
    length = model.context_length
    language = KnownLanguage()
    if set(model.alphabet) != set(language.alphabet):
        return HeldOutText(tuple(draw_passages(read_plays(plays), secret, length, characters)), length)
    random = Random(draw_seed(secret, b"known language"))
    texts = [language.write(length, random) for _ in range(-(-characters // length))]
    limits = tuple(limit for text in texts for limit in language.limit(text))
    return HeldOutText(tuple(DOCUMENT_END + text for text in texts), length, limits)


def draw_blocks(
    model: Model, plays: Path, secret: bytes, bounds: tuple[int, int], characters: int = CHARACTERS
) -> HeldOutText:
    """Draw blocks of held-out plays: the same characters count for every model.

    A model with a longer context sees more of the text before each block.

    Args:
        model: reads the text, in its alphabet.
        plays: the archive of held-out plays.
        secret: the course's secret.
        bounds: the shortest context length, which is the length of a block, and the longest.
        characters: smallest number of characters that count.

    Raises:
        ValueError: the context length is out of bounds. A block longer than the context would need several passages,
            and one passage would begin with characters that another predicts.
    """
    block, longest = bounds
    if not block <= model.context_length <= longest:
        raise ValueError(f"a context length of {model.context_length}, not from {block} to {longest}")
    blocks = -(-characters // block)
    stretches = draw_passages(read_plays(plays), secret, longest, blocks * longest)
    return HeldOutText(tuple(stretch[-model.context_length - 1 :] for stretch in stretches), block)
