"""The text that a model is measured on: unknown to whoever trained it, of the kind that it was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from autograder.corpora.held_out import draw_passages, draw_seed, read_plays
from autograder.corpora.known_language import DOCUMENT_END, KnownLanguage, Skill
from autograder.trained.model import Model

# Enough for a mean that the draw moves by a hundredth.
CHARACTERS = 30_000
# Neighbouring characters that models of any context are compared on.
BLOCK = 128
LONGEST_CONTEXT = 1024


@dataclass(frozen=True)
class HiddenText:
    """Passages, and what is known of them.

    Attributes:
        passages: each of a context's length and one character, the first of which is only read.
        counted: of each passage, how many characters at its end count.
        pieces: how many stretches of text the counted characters come from: as many each, in order.
        limits: for each character that counts, the least possible loss and the skill it takes; None where nobody
            knows.
    """

    passages: tuple[str, ...]
    counted: tuple[int, ...]
    pieces: int
    limits: tuple[tuple[float, Skill], ...] | None = None


def draw_hidden_text(model: Model, plays: Path, secret: bytes, characters: int = CHARACTERS) -> HiddenText:
    """The text for a model: in the known language where its alphabet is that one's, else of held-out plays.

    The same secret draws the same text for models of the same context length.

    Args:
        model: reads the text, in its alphabet.
        plays: the archive of held-out plays.
        secret: of the course.
        characters: how many are foretold, at least.
    """
    length = model.context_length
    language = KnownLanguage()
    if set(model.alphabet) != set(language.alphabet):
        return _whole(draw_passages(read_plays(plays), secret, length, characters))
    random = Random(draw_seed(secret, b"known language"))
    texts = [language.write(length, random) for _ in range(-(-characters // length))]
    limits = tuple(limit for text in texts for limit in language.limit(text))
    return _whole([DOCUMENT_END + text for text in texts], limits)


def _whole(passages: Sequence[str], limits: tuple[tuple[float, Skill], ...] | None = None) -> HiddenText:
    """All characters count but the first of each passage."""
    return HiddenText(tuple(passages), tuple(len(one) - 1 for one in passages), len(passages), limits)


def draw_blocks(model: Model, plays: Path, secret: bytes, characters: int = CHARACTERS) -> HiddenText:
    """Blocks of held-out plays: the same characters count for every model, whatever its context.

    A long context shows what stands before a block; with one shorter than a block, it takes several passages.
    Arguments as those of ``draw_hidden_text``.
    """
    length = model.context_length
    blocks = -(-characters // BLOCK)
    stretches = draw_passages(read_plays(plays), secret, LONGEST_CONTEXT, blocks * LONGEST_CONTEXT)
    cuts = range(-(-BLOCK // length))
    passages = (stretch[-1 - length * (cut + 1) :][: length + 1] for stretch in stretches for cut in reversed(cuts))
    first = BLOCK - length * cuts[-1]  # of the earliest passage of a block, what is left for it
    counted = (first, *(length for _ in cuts[1:])) * blocks
    return HiddenText(tuple(passages), counted, blocks)
