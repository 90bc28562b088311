"""An n-gram model with interpolated, modified Kneser–Ney smoothing: a baseline for trained models of text.

Source: Kneser and Ney 1995; Chen and Goodman 1999, section 3.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

_LARGEST_DISCOUNT = 3  # counts of three and more share a discount


class KneserNey:
    """An n-gram model of tokens `0 … vocab_size - 1`.

    The last ``order - 1`` tokens predict the next token. Counts are discounted; the mass that this frees goes to the
    model of n-grams that are one token shorter. That model counts the contexts in which a token was seen, not the
    number of times.
    """

    def __init__(self, tokens: Tokens, vocab_size: int, order: int) -> None:
        """Count the n-grams of a text.

        Args:
            tokens: the training text, `(length,)`, of at least ``order`` tokens.
            vocab_size: number of different tokens.
            order: tokens in an n-gram, at least 1.

        Raises:
            ValueError: the text is too short, or n-grams of this length cannot be numbered with 64 bits.
        """
        if not 1 <= order <= len(tokens):
            raise ValueError(f"n-grams of {order} tokens in a text of {len(tokens)}")
        if order * np.log2(vocab_size) > 62:
            raise ValueError(f"n-grams of {order} tokens, each of {vocab_size} kinds, are too many for 64-bit numbers")
        self.vocab_size = vocab_size
        self._tables: list[_Table] = []
        grams, counts = np.unique(_grams(tokens, vocab_size, order), return_counts=True)
        for length in range(order, 0, -1):
            self._tables.insert(0, _Table.of(grams, counts, vocab_size))
            if length > 1:
                # Each n-gram is one more context in which the rest after its first token was seen.
                grams, counts = np.unique(grams % vocab_size ** (length - 1), return_counts=True)

    def log_probabilities(self, tokens: Tokens) -> Numbers:
        """Return the log probability of each token given the tokens before it, `(length,)`.

        A token with fewer than ``order - 1`` tokens before it is predicted by the models of shorter n-grams.
        """
        probabilities = np.full(len(tokens), 1 / self.vocab_size)
        for before, table in enumerate(self._tables):
            found = _grams(tokens, self.vocab_size, before + 1)
            probabilities[before:] = table.refine(found, probabilities[before:])
        logarithms: Numbers = np.log(probabilities)
        return logarithms


@dataclass(frozen=True)
class _Table:
    """The n-grams of one length: their counts, and the totals of their contexts.

    Attributes:
        grams: numbers of the n-grams, sorted.
        kept: count of each n-gram minus its discount.
        contexts: numbers of the contexts, sorted.
        totals: count of each context.
        freed: total discount of the n-grams of each context.
    """

    vocab_size: int
    grams: Tokens
    kept: Numbers
    contexts: Tokens
    totals: Numbers
    freed: Numbers

    @classmethod
    def of(cls, grams: Tokens, counts: Tokens, vocab_size: int) -> "_Table":
        discount = _discounts(counts)[np.minimum(counts, _LARGEST_DISCOUNT)]
        contexts, starts = np.unique(grams // vocab_size, return_index=True)
        totals = np.add.reduceat(counts, starts).astype(np.float64)
        return cls(vocab_size, grams, counts - discount, contexts, totals, np.add.reduceat(discount, starts))

    def refine(self, grams: Tokens, shorter: Numbers) -> Numbers:
        """Return the probability of each n-gram's last token, given its probability by the model of shorter n-grams."""
        gram, is_seen = _find(self.grams, grams)
        context, is_known = _find(self.contexts, grams // self.vocab_size)
        own = np.where(is_seen, self.kept[gram], 0.0)
        refined: Numbers = (own + self.freed[context] * shorter) / self.totals[context]
        return np.where(is_known, refined, shorter)


def _discounts(counts: Tokens) -> Numbers:
    """Discounts of the counts 0, 1, 2, and 3 or more, `(4,)`; half a count if there are too few counts to estimate."""
    seen = [int((counts == times).sum()) for times in range(1, _LARGEST_DISCOUNT + 2)]
    if not all(seen):
        return np.array([0.0] + [0.5] * _LARGEST_DISCOUNT)
    ratio = seen[0] / (seen[0] + 2 * seen[1])
    found = [times - (times + 1) * ratio * more / these for times, (these, more) in enumerate(pairwise(seen), start=1)]
    # In a small text the formula may leave its bounds; the first discount stays above 0, so no token has probability 0.
    return np.array([0.0, *np.clip(found, found[0], [1, 2, 3])])


def _grams(tokens: Tokens, vocab_size: int, length: int) -> Tokens:
    """A number for each window of ``length`` tokens, first to last: the tokens are its digits."""
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(tokens, dtype=np.int64), length)
    numbers: Tokens = windows @ (vocab_size ** np.arange(length - 1, -1, -1, dtype=np.int64))
    return numbers


def _find(table: Tokens, wanted: Tokens) -> tuple[Tokens, npt.NDArray[np.bool_]]:
    """The index of each number in a sorted table, and whether the table holds it."""
    indices = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return indices, table[indices] == wanted
