"""The text that a model is measured on: unknown to whoever trained it, of the kind that it was trained on."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from autograder.models.corpora.held_out import draw_passages, draw_seed, read_plays
from autograder.models.corpora.known_language import DOCUMENT_END, KnownLanguage, Skill
from autograder.models.model import Model

# Enough for a mean that the draw moves by a hundredth.
CHARACTERS = 30_000
# Neighbouring characters that models are compared on whatever their context, which must hold them.
BLOCK = 64
LONGEST_CONTEXT = 1024


@dataclass(frozen=True)
class HiddenText:
    """Passages, and what is known of them.

    Attributes:
        passages: each of a context's length and one character, the first of which is only read.
        counted: how many characters at the end of each passage count.
        limits: for each character that counts, the least possible loss and the skill it takes; None where nobody
            knows.
    """

    passages: tuple[str, ...]
    counted: int
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
        return HiddenText(tuple(draw_passages(read_plays(plays), secret, length, characters)), length)
    random = Random(draw_seed(secret, b"known language"))
    texts = [language.write(length, random) for _ in range(-(-characters // length))]
    limits = tuple(limit for text in texts for limit in language.limit(text))
    return HiddenText(tuple(DOCUMENT_END + text for text in texts), length, limits)


def draw_blocks(model: Model, plays: Path, secret: bytes, characters: int = CHARACTERS) -> HiddenText:
    """Blocks of held-out plays: the same characters count for every model; a longer context shows more before them.

    Arguments as those of ``draw_hidden_text``.

    Raises:
        ValueError: the context is shorter than a block, or too long. Cut up, a block would need several passages, one
            of which begins with what another has to foretell.
    """
    if not BLOCK <= model.context_length <= LONGEST_CONTEXT:
        raise ValueError(f"a context of {model.context_length}, not from {BLOCK} to {LONGEST_CONTEXT}")
    blocks = -(-characters // BLOCK)
    stretches = draw_passages(read_plays(plays), secret, LONGEST_CONTEXT, blocks * LONGEST_CONTEXT)
    return HiddenText(tuple(stretch[-model.context_length - 1 :] for stretch in stretches), BLOCK)
