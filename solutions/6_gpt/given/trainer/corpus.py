"""A text as token ids: one token is one character."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

IGNORED = -100


class CorpusError(Exception):
    """The text cannot be used; the message names the file and the problem."""


@dataclass(frozen=True)
class Corpus:
    """A training text and a validation text, with the alphabet of both.

    Attributes:
        name: of the folder.
        alphabet: the characters of the training text, in order; the id of a character is its index.
        train: ids, `(length,)`.
        validation: ids, `(length,)`.
        digest: SHA-256 of the training text.
    """

    name: str
    alphabet: str
    train: Tensor
    validation: Tensor
    digest: str

    @classmethod
    def read(cls, folder: Path) -> "Corpus":
        """Read the corpus of a folder.

        Raises:
            CorpusError: a file is missing, or the validation text has a character that the training text lacks.
        """
        train, validation = (_text(folder / name) for name in ("train.txt", "validation.txt"))
        alphabet = "".join(sorted(set(train)))
        if strange := set(validation) - set(alphabet):
            raise CorpusError(f"{folder / 'validation.txt'} has {min(strange)!r}, which train.txt lacks")
        digest = hashlib.sha256(train.encode()).hexdigest()
        return cls(folder.name, alphabet, _encode(train, alphabet), _encode(validation, alphabet), digest)

    def decode(self, tokens: Tensor) -> str:
        """Return the text of token ids `(length,)`."""
        return "".join(self.alphabet[token] for token in tokens.tolist())

    def bars(self) -> dict[str, float]:
        """Return the validation losses of three models that need no training: the bars of the lab sheet."""
        size = len(self.alphabet)
        pairs = torch.bincount(self.train[:-1] * size + self.train[1:], minlength=size**2).view(size, size) + 0.1
        before, after = self.validation[:-1], self.validation[1:]
        frequency = pairs.sum(0) / pairs.sum()
        following = pairs / pairs.sum(1, keepdim=True)
        return {
            "knows nothing": math.log(size),
            "knows the frequencies": -float(frequency[after].log().mean()),
            "knows the character before": -float(following[before, after].log().mean()),
        }

    def line_starts(self) -> Tensor:
        """Return the positions in the validation text whose next character begins a line."""
        return (self.validation == self.alphabet.index("\n")).nonzero().flatten()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CorpusError(f"{path} is missing: a corpus is a folder with train.txt and validation.txt") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8: byte {error.start}") from None


def _encode(text: str, alphabet: str) -> Tensor:
    ids = {character: index for index, character in enumerate(alphabet)}
    return torch.tensor([ids[character] for character in text])


def windows(tokens: Tensor, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut a text into adjacent `(inputs, targets)`, each `(length,)`: every token is a target once.

    A rest shorter than a window is dropped. The first token is not a target because no token precedes it.
    """
    for start in range(0, len(tokens) - length, length):
        yield tokens[start : start + length], tokens[start + 1 : start + length + 1]


def document_windows(tokens: Tensor, starts: Tensor, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut a text into `(inputs, targets)` that begin at the start of a line, so that each line is seen whole.

    A window ends with its last whole line; targets after that are `IGNORED`. If a line is longer than a window, its
    rest is dropped.

    Args:
        tokens: `(length,)`.
        starts: positions in `tokens` that end a line, in order.
        length: of a window.
    """
    positions = starts.tolist()
    index = 0
    while index < len(positions) and positions[index] + length < len(tokens):
        start = positions[index]
        targets = tokens[start + 1 : start + length + 1].clone()
        index += 1
        if index < len(positions) and positions[index] <= start + length:
            while index + 1 < len(positions) and positions[index + 1] <= start + length:
                index += 1
            targets[positions[index] - start :] = IGNORED
        yield tokens[start : start + length], targets
