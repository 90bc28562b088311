"""Write train.txt and validation.txt: two texts in the language of `autograder.models.corpora.known_language`.

Run it in the root of the lab: `python data/known_language/prepare.py`.
"""

from pathlib import Path
from random import Random

from autograder.models.corpora.known_language import KnownLanguage

# File → its length in characters; its index is the seed of its text.
LENGTHS = {"train.txt": 1_000_000, "validation.txt": 100_000}


def texts() -> dict[str, str]:
    """Return the text of each file."""
    language = KnownLanguage()
    return {name: language.write(length, Random(seed)) for seed, (name, length) in enumerate(LENGTHS.items())}


if __name__ == "__main__":
    for name, text in texts().items():
        Path(__file__).with_name(name).write_text(text, encoding="utf-8", newline="\n")
