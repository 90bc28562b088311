"""Passages that nobody trained on: of plays beside the training text, at places that the course's secret draws."""

import hashlib
import hmac
import zipfile
from pathlib import Path
from random import Random


def plays_of(lab: Path) -> Path:
    """The archive of plays beside the training text, in a lab's folder. Students are not given it."""
    return lab / "data" / "held_out_plays" / "plays.zip"


def draw_seed(secret: bytes, purpose: bytes) -> int:
    """A seed that no other use of the course's secret tells anything about."""
    return int.from_bytes(hmac.digest(secret, purpose, hashlib.sha256), "big")


def read_plays(archive: Path) -> dict[str, str]:
    """Name → text of every play in an archive."""
    with zipfile.ZipFile(archive) as plays:
        return {name.removesuffix(".txt"): plays.read(name).decode() for name in sorted(plays.namelist())}


def draw_passages(plays: dict[str, str], secret: bytes, length: int, characters: int) -> list[str]:
    """Passages of ``length + 1`` characters, the first of which is only read: the others are to be foretold.

    They come from all plays in turn and don't overlap, so that the draw hardly matters for a loss, and one passage
    tells nothing about another.

    Args:
        plays: name → text.
        secret: of the course.
        length: characters to foretell in a passage.
        characters: how many to foretell in all, at least.

    Raises:
        ValueError: the plays are too short for so many.
    """
    random = Random(draw_seed(secret, b"held-out plays"))
    step = length + 1
    # Each play is cut into neighbouring cells, at an offset of its own, and the cells are shuffled.
    cells = {name: _shuffled(len(text), step, random) for name, text in sorted(plays.items())}
    wanted = -(-characters // length)
    passages: list[str] = []
    while len(passages) < wanted:
        left = [name for name, places in cells.items() if places]
        if not left:
            raise ValueError(f"the plays hold {len(passages)} passages of {length} characters, not {wanted}")
        passages += [plays[name][place : place + step] for name in left for place in [cells[name].pop()]]
    return passages[:wanted]


def _shuffled(size: int, step: int, random: Random) -> list[int]:
    first = int(random.random() * step)
    places = list(range(first, size - step + 1, step))
    return sorted(places, key=lambda place: random.random())
