"""A text as numbers: one character is one token."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

IGNORED = -100


class CorpusError(Exception):
    """The text cannot be read; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Corpus:
    """A text to train on and one to measure on, with the characters they are written with.

    Attributes:
        name: of the folder.
        alphabet: the characters of the training text in order; the place of a character is its id.
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
        """The corpus of a folder.

        Raises:
            CorpusError: a file is missing, or the validation text has a character that the other lacks.
        """
        train, validation = (_text(folder / name) for name in ("train.txt", "validation.txt"))
        alphabet = "".join(sorted(set(train)))
        if strange := set(validation) - set(alphabet):
            raise CorpusError(f"{folder / 'validation.txt'} has {min(strange)!r}, which train.txt lacks")
        digest = hashlib.sha256(train.encode()).hexdigest()
        return cls(folder.name, alphabet, _encode(train, alphabet), _encode(validation, alphabet), digest)

    def decode(self, tokens: Tensor) -> str:
        """The text of some ids, `(length,)`."""
        return "".join(self.alphabet[token] for token in tokens.tolist())

    def line_starts(self) -> Tensor:
        """Places in the validation text whose next character begins a line."""
        return (self.validation == self.alphabet.index("\n")).nonzero().flatten()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CorpusError(f"{path} is missing: a corpus is a folder with train.txt and validation.txt") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8: byte {error.start}") from None


def _encode(text: str, alphabet: str) -> Tensor:
    ids = {character: number for number, character in enumerate(alphabet)}
    return torch.tensor([ids[character] for character in text])


def windows(tokens: Tensor, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut a text into neighbouring `(inputs, targets)`, each `(length,)`: every character is foretold once.

    Less than a window at the end is left out, and so is the first character, which nothing foretells.
    """
    for start in range(0, len(tokens) - length, length):
        yield tokens[start : start + length], tokens[start + 1 : start + length + 1]


def document_windows(tokens: Tensor, starts: Tensor, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut a text into `(inputs, targets)` that begin where a line begins, so that each line is seen whole.

    A window ends with its last whole line; targets behind that are `IGNORED`. Of a line longer than a window the
    rest is left out.

    Args:
        tokens: `(length,)`.
        starts: places in `tokens` that end a line, in order.
        length: of a window.
    """
    places = starts.tolist()
    index = 0
    while index < len(places) and places[index] + length < len(tokens):
        start = places[index]
        targets = tokens[start + 1 : start + length + 1].clone()
        index += 1
        if index < len(places) and places[index] <= start + length:
            while index + 1 < len(places) and places[index + 1] <= start + length:
                index += 1
            targets[places[index] - start :] = IGNORED
        yield tokens[start : start + length], targets
