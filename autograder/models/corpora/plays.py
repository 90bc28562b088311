"""Passages of held-out plays, which are not in the training text; the course's secret draws their positions."""

import hashlib
import hmac
import zipfile
from pathlib import Path
from random import Random


def plays_of(lab: Path) -> Path:
    """Return the archive of held-out plays of a lab's folder. Students do not receive it."""
    return lab / "data" / "held_out_plays" / "plays.zip"


def draw_seed(secret: bytes, purpose: bytes) -> int:
    """Derive a seed that reveals nothing about other uses of the course's secret."""
    return int.from_bytes(hmac.digest(secret, purpose, hashlib.sha256), "big")


def read_plays(archive: Path) -> dict[str, str]:
    """Return the text of every play in an archive, by name."""
    with zipfile.ZipFile(archive) as plays:
        return {name.removesuffix(".txt"): plays.read(name).decode() for name in sorted(plays.namelist())}


def draw_passages(plays: dict[str, str], secret: bytes, length: int, characters: int) -> list[str]:
    """Draw passages of ``length + 1`` characters: the first is input only, the others are to be predicted.

    The passages come from all plays in turn and do not overlap. So the draw hardly changes a loss, and one passage
    reveals nothing about another.

    Args:
        plays: name → text.
        secret: the course's secret.
        length: characters to predict in a passage.
        characters: smallest number of characters to predict in total.

    Raises:
        ValueError: the plays are too short for this number of characters.
    """
    random = Random(draw_seed(secret, b"held-out plays"))
    step = length + 1
    # Each play is cut into adjacent cells, at a random offset, and the cells are shuffled.
    cells = {name: _shuffled(len(text), step, random) for name, text in sorted(plays.items())}
    wanted = -(-characters // length)
    passages: list[str] = []
    while len(passages) < wanted:
        left = [name for name, starts in cells.items() if starts]
        if not left:
            raise ValueError(f"the plays hold {len(passages)} passages of {length} characters, not {wanted}")
        passages += [plays[name][start : start + step] for name in left for start in [cells[name].pop()]]
    return passages[:wanted]


def _shuffled(size: int, step: int, random: Random) -> list[int]:
    first = int(random.random() * step)
    starts = list(range(first, size - step + 1, step))
    return sorted(starts, key=lambda start: random.random())
