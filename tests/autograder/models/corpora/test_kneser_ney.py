"""The n-gram model, compared with a model of dictionaries and with the laws of probability."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from autograder.course.lab import Lab
from autograder.models.corpora.kneser_ney import KneserNey

VOCAB = 4
PLAYS = Lab.find(Path(__file__)).root / "data" / "shakespeare"


def some_tokens(length: int, seed: int) -> np.ndarray:
    """Tokens with different frequencies, so that there are counts of one, two and many."""
    return np.random.default_rng(seed).choice(VOCAB, size=length, p=[0.55, 0.25, 0.15, 0.05])


def counts_by_length(tokens: list[int], order: int) -> dict[int, Counter[tuple[int, ...]]]:
    """Occurrences of the longest n-grams; for the others, the number of different tokens before them."""
    counts = {order: Counter(tuple(tokens[start : start + order]) for start in range(len(tokens) - order + 1))}
    for length in range(order - 1, 0, -1):
        counts[length] = Counter(gram[1:] for gram in counts[length + 1])
    return counts


def by_hand(tokens: list[int], order: int, gram: tuple[int, ...]) -> float:
    """The probability of the last token of an n-gram given the others, by the formula of the article."""
    counts = counts_by_length(tokens, order)
    if not gram:
        return 1 / VOCAB
    shorter = by_hand(tokens, order, gram[1:])
    table = counts[len(gram)]
    often = Counter(table.values())
    taken = {0: 0.0, 1: 0.5, 2: 0.5, 3: 0.5}
    if all(often[times] for times in (1, 2, 3, 4)):
        ratio = often[1] / (often[1] + 2 * often[2])
        for times in (1, 2, 3):
            free = times - (times + 1) * ratio * often[times + 1] / often[times]
            taken[times] = min(max(free, taken[1] if times > 1 else free), times)
    after = {other[-1]: count for other, count in table.items() if other[:-1] == gram[:-1]}
    if not after:
        return shorter
    own = after.get(gram[-1], 0)
    freed = sum(taken[min(count, 3)] for count in after.values())
    return (own - taken[min(own, 3)] + freed * shorter) / sum(after.values())


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_model_is_that_of_the_article(order):
    known, unseen = some_tokens(90, seed=1), some_tokens(40, seed=2)
    found = KneserNey(known, VOCAB, order).log_probabilities(unseen)
    # The first tokens have fewer tokens before them: their n-grams are shorter.
    for position in range(len(unseen)):
        gram = tuple(unseen[max(0, position - order + 1) : position + 1].tolist())
        assert found[position] == pytest.approx(math.log(by_hand(known.tolist(), order, gram)), abs=1e-12)


def test_the_probabilities_of_the_next_token_sum_to_one():
    model = KneserNey(some_tokens(300, seed=3), VOCAB, 3)
    for first in range(VOCAB):
        for second in range(VOCAB):
            last = [model.log_probabilities(np.array([first, second, third]))[-1] for third in range(VOCAB)]
            assert sum(map(math.exp, last)) == pytest.approx(1, abs=1e-12)


def test_the_six_gram_model_of_the_plays_has_the_documented_loss():
    known, unseen = ((PLAYS / f"{part}.txt").read_text(encoding="utf-8") for part in ("train", "validation"))
    numbers = {character: number for number, character in enumerate(sorted(set(known + unseen)))}
    texts = [np.array([numbers[character] for character in text]) for text in (known, unseen)]
    loss = -KneserNey(texts[0], len(numbers), 6).log_probabilities(texts[1]).mean()
    assert loss == pytest.approx(1.523, abs=5e-4)


@pytest.mark.parametrize(("length", "vocab", "order"), [(2, 4, 3), (100, 4, 0), (100, 2**11, 6)])
def test_impossible_n_grams_are_refused(length, vocab, order):
    with pytest.raises(ValueError, match="tokens"):
        KneserNey(some_tokens(length, seed=4), vocab, order)
