"""The known language: its probabilities sum to one, and an independent calculation gives the same limit."""

import math
import re
from collections import Counter, defaultdict
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from autograder.models.corpora.gap import gap, gap_by_skill, missing_skill
from autograder.models.corpora.known_language import (
    CLOSING,
    DEEPEST,
    NUM_WORDS,
    OPEN_PROBABILITY,
    OPENING,
    SHARES,
    KnownLanguage,
    LanguageError,
    Skill,
    State,
)

LENGTH = 40_000


@pytest.fixture(scope="module")
def language() -> KnownLanguage:
    return KnownLanguage(3)


@pytest.fixture(scope="module")
def text(language: KnownLanguage) -> str:
    return language.write(LENGTH, Random(1))


@pytest.fixture(scope="module")
def limits(language: KnownLanguage, text: str) -> list[tuple[float, Skill]]:
    return list(language.limit(text))


def test_a_seed_always_makes_the_same_language_and_text():
    language = KnownLanguage(7)
    assert language.words[:4] == ("adq", "bnj", "cna", "dbcl")
    assert language.write(60, Random(1)) == "ibbf;lon;\nX4;\nkus;Y0;[];fkzb;([[[][()]][]]({}));?Y0;?Y0;\nibb"
    assert KnownLanguage(8).words != language.words


def test_probabilities_sum_to_one_in_every_state(language, text):
    state = State()
    seen = set()
    for character in text[:5000]:
        probabilities = language.probabilities(state)
        assert math.fsum(probabilities.values()) == pytest.approx(1, abs=1e-12)
        assert min(probabilities.values()) >= 0
        assert set(probabilities) <= set(language.alphabet)
        seen.add(state.skill)
        state = language.advance(state, character)
    assert seen == set(Skill)


def test_documents_follow_the_grammar(language, text):
    """Read by regular expressions and a stack, independent of the generator."""
    statement = re.compile(r"[a-z]+|[()\[\]{}]+|[WXYZ]\d|\?[WXYZ]\d")
    for document in text.split("\n")[:-1]:
        values: dict[str, str] = {}
        statements = document.split(";")
        assert statements.pop() == ""
        for text_of_statement in statements:
            assert statement.fullmatch(text_of_statement), text_of_statement
            first, *rest = text_of_statement
            if first in OPENING:
                assert depth_of(text_of_statement) <= DEEPEST
            elif first == "?":
                assert values[rest[0]] == rest[1]
            elif first.isupper():
                values[first] = rest[0]
            else:
                assert text_of_statement in language.words


def depth_of(brackets: str) -> int:
    """The depth of nested brackets; a ValueError if they are not closed in order."""
    still: list[str] = []
    deepest = 0
    for bracket in brackets:
        if bracket in OPENING:
            still.append(bracket)
            deepest = max(deepest, len(still))
        elif OPENING.index(still.pop()) != CLOSING.index(bracket):
            raise ValueError(brackets)
    if still:
        raise ValueError(brackets)
    return deepest


def test_the_limit_is_the_entropy_of_a_markov_chain(language, limits):
    """The expected loss and length of a document, solved for instead of sampled, give the same number."""
    loss, length = expected_document(language)
    exact = loss / length
    losses = np.array([least for least, _ in limits])
    # Adjacent characters depend on each other: the standard error of the mean comes from whole blocks.
    blocks = losses.reshape(-1, 500).mean(axis=1)
    error = blocks.std(ddof=1) / math.sqrt(len(blocks))
    assert error < 0.01
    assert losses.mean() == pytest.approx(exact, abs=5 * error)


def expected_document(language: KnownLanguage) -> tuple[float, float]:
    """Expected loss in nats and length in characters of one document, its line break included.

    Between statements a document is in one of 17 · 5 states: the last word (or none), and how many of the four
    variables have a value. Visits to them solve a linear system.
    """
    after = [dict(zip(range(NUM_WORDS), row, strict=True)) for row in word_rows(language)]
    bracket_loss, bracket_length = expected_brackets()
    size = (NUM_WORDS + 1) * 5
    moves, loss, length = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    for word in range(NUM_WORDS + 1):
        for known in range(5):
            here = word * 5 + known
            share = shares_of(known)
            loss[here] = entropy(share.values()) + share["word"] * entropy(after[word].values())
            loss[here] += share["brackets"] * (math.log(3) + bracket_loss)
            loss[here] += share["assignment"] * (math.log(4) + math.log(10))
            loss[here] += share["query"] * (math.log(known) if known else 0)
            spelling = sum(weight * len(language.words[index]) for index, weight in after[word].items())
            length[here] = share["end"] + share["word"] * (spelling + 1) + share["brackets"] * (bracket_length + 1)
            length[here] += share["assignment"] * 3 + share["query"] * 4
            for index, weight in after[word].items():
                moves[here, index * 5 + known] += share["word"] * weight
            moves[here, here] += share["brackets"] + share["query"] + share["assignment"] * known / 4
            if known < 4:
                moves[here, here + 1] += share["assignment"] * (4 - known) / 4
    visits = np.linalg.solve(np.eye(size) - moves.T, np.eye(size)[NUM_WORDS * 5])
    return float(visits @ loss), float(visits @ length)


def word_rows(language: KnownLanguage) -> list[list[float]]:
    """The probability of each word after each word, and after none, from the language's own probabilities."""
    rows = []
    for word in (*range(NUM_WORDS), None):
        probabilities = language.probabilities(State(word=word))
        row = [probabilities[letter] for letter in "abcdefghijklmnop"]
        rows.append([weight / sum(row) for weight in row])
    return rows


def shares_of(known: int) -> dict[str, float]:
    share = dict(SHARES)
    if known == 0:
        share["query"] = 0.0
        share = {kind: weight / (1 - SHARES["query"]) for kind, weight in share.items()}
    return share


def entropy(probabilities) -> float:
    return -sum(p * math.log(p) for p in probabilities if p > 0)


def expected_brackets() -> tuple[float, float]:
    """Expected loss and length of the brackets after the first, which counts in the length."""
    depths = range(1, DEEPEST + 1)
    moves, loss = np.zeros((DEEPEST, DEEPEST)), np.zeros(DEEPEST)
    for depth in depths:
        opening = OPEN_PROBABILITY if depth < DEEPEST else 0.0
        loss[depth - 1] = entropy([opening, 1 - opening]) + opening * math.log(3)
        if opening:
            moves[depth - 1, depth] = opening
        if depth > 1:
            moves[depth - 1, depth - 2] = 1 - opening
    visits = np.linalg.solve(np.eye(DEEPEST) - moves.T, np.eye(DEEPEST)[0])
    return float(visits @ loss), 1 + float(visits.sum())


def test_each_skill_has_its_lowest_loss(limits):
    by_skill = defaultdict(list)
    for least, skill in limits:
        by_skill[skill].append(least)
    for skill in (Skill.SPELLING, Skill.RECALL, Skill.SEPARATOR):
        assert max(by_skill[skill]) == 0
    assert by_skill[Skill.VALUE] == pytest.approx([math.log(10)] * len(by_skill[Skill.VALUE]))
    assert max(by_skill[Skill.VARIABLE]) == pytest.approx(math.log(4))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_an_n_gram_model_stays_above_the_limit(text, limits, order):
    """A short context does not reach the limit, even if the n-grams are counted on the evaluation text."""
    losses = counted_losses(text, order)
    limit = sum(least for least, _ in limits) / len(limits)
    assert sum(losses) / len(losses) > limit + 0.1
    assert not gap(losses, limits).impossible


def counted_losses(text: str, order: int) -> list[float]:
    padded = "\n" * (order - 1) + text
    contexts = [padded[start : start + order - 1] for start in range(len(text))]
    pairs = Counter(zip(contexts, text, strict=True))
    totals = Counter(contexts)
    return [-math.log(pairs[pair] / totals[pair[0]]) for pair in zip(contexts, text, strict=True)]


def test_no_model_is_below_the_limit(language, text):
    """Models that know the language, each with different errors, on fresh text: the gap is never below zero."""
    for number in range(8):
        losses, limits = wrong_model(language, text[:5000], Random(number))
        assert gap(losses, limits).nats > 0
        assert not any(part.impossible for part in gap_by_skill(losses, limits).values())


def wrong_model(language, text, random):
    """Losses of a model whose probabilities are the true probabilities, changed at random."""
    state, losses = State(), []
    for character in text:
        probabilities = language.probabilities(state)
        bent = {letter: p * math.exp(random.gauss(0, 0.5)) for letter, p in probabilities.items()}
        losses.append(-math.log(0.98 * bent[character] / sum(bent.values()) + 0.02 / len(language.alphabet)))
        state = language.advance(state, character)
    return losses, list(language.limit(text))


def test_a_model_that_knows_the_text_is_detected(limits):
    assert gap([least * 0.95 for least, _ in limits], limits).impossible
    assert not gap([least for least, _ in limits], limits).impossible


def test_the_missing_skill_is_named(limits):
    losses = [least + (1.5 if skill is Skill.RECALL else 0.01) for least, skill in limits]
    gaps = gap_by_skill(losses, limits)
    assert missing_skill(gaps.items()) is Skill.RECALL
    assert gaps[Skill.RECALL].nats == pytest.approx(1.5)
    counted = Counter(skill for _, skill in limits)
    assert {skill: part.characters for skill, part in gaps.items()} == counted


def test_words_follow_each_other_with_the_languages_probabilities(language):
    """The frequency of a word after a word, in a text of its own."""
    text = language.write(60_000, Random(5))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for document in text.split("\n"):
        words = [part for part in document.split(";") if part.isalpha()]
        for first, second in pairwise(words):
            counts[first][second] += 1
    word, following = max(counts.items(), key=lambda item: item[1].total())
    row = word_rows(language)[language.words.index(word)]
    for index, probability in enumerate(row):
        share = following[language.words[index]] / following.total()
        assert share == pytest.approx(probability, abs=6 * math.sqrt(0.25 / following.total()))


@pytest.mark.parametrize("wrong", ["(];", "X;", "?X", "9", "zzz", "([)"])
def test_an_impossible_text_is_refused(language, wrong):
    with pytest.raises(LanguageError, match=r"character \d: '.*' is not possible here; expected \w+"):
        list(language.limit(wrong))


def test_a_gap_needs_characters():
    with pytest.raises(ValueError, match="at least one character"):
        gap([], [])
