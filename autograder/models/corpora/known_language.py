"""A small language with known probabilities: of every character, with the skill that is needed to predict it.

A text is a sequence of documents, each ended by a line break. A document is a sequence of statements, each ended by
``;``, of four kinds:

- a word of a fixed dictionary; its probability depends on the previous word (``kel;``);
- brackets of three kinds, nested and closed in order (``([]{});``);
- an assignment of a digit to a variable (``X7;``);
- a query of a variable that has a value, followed by its latest value (``?X7;``).

The document up to a position determines the exact probability of each next character. So the lowest expected loss on a
text is known too, and the distance of a model to it, by skill. A loss that is too far below it to be random means that
the model has seen the text.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate
from random import Random

VARIABLES = "WXYZ"
DIGITS = "0123456789"
OPENING, CLOSING = "([{", ")]}"
QUERY, STATEMENT_END, DOCUMENT_END = "?", ";", "\n"

# Seed of the language that students train on.
LANGUAGE_SEED = 2026

NUM_WORDS = 16
WORD_LENGTHS = range(3, 6)
LEAST_WORD_PROBABILITY = 0.02 / NUM_WORDS
DEEPEST = 5
OPEN_PROBABILITY = 0.45
# Probability of each continuation after a statement. If no variable has a value, the query's share goes to the others.
SHARES: Mapping[str, float] = {"end": 0.08, "word": 0.40, "brackets": 0.14, "assignment": 0.19, "query": 0.19}


class Skill(StrEnum):
    """The knowledge that is needed to predict a character."""

    STATEMENT = "statement"  # the kind of the next statement, and the order of words
    SPELLING = "spelling"  # the rest of a word
    BRACKETS = "brackets"  # the innermost open bracket, and the depth
    VALUE = "value"  # the digit assigned, which is random
    VARIABLE = "variable"  # the variables that have a value
    RECALL = "recall"  # the latest value of the variable in a query
    SEPARATOR = "separator"  # the end of a statement


@dataclass(frozen=True)
class State:
    """The state of a document, which determines the probabilities of its continuation."""

    skill: Skill = Skill.STATEMENT
    word: int | None = None  # index of the last word
    spelt: int = 0  # number of its letters so far
    open: str = ""  # open brackets, the innermost last
    values: Mapping[str, str] = field(default_factory=dict)  # value of each variable; never changed in place
    variable: str = ""  # the variable of an assignment or a query


class LanguageError(ValueError):
    """A text that is not in the language; the message names the position and the character."""


class KnownLanguage:
    """The language whose dictionary and word order ``seed`` determines.

    Only ``Random.random`` is used: its numbers are the same in every version of Python.
    """

    def __init__(self, seed: int = LANGUAGE_SEED) -> None:
        random = Random(seed)
        self.words = tuple(_word(index, random) for index in range(NUM_WORDS))
        rows = [_shares(random) for _ in range(NUM_WORDS + 1)]
        self._after = dict(zip((*range(NUM_WORDS), None), rows, strict=True))
        letters = sorted(set("".join(self.words)))
        self.alphabet = "".join((DOCUMENT_END, STATEMENT_END, QUERY, OPENING, CLOSING, DIGITS, VARIABLES, *letters))

    def probabilities(self, state: State) -> dict[str, float]:
        """Return each possible next character with its probability; the probabilities sum to one."""
        match state.skill:
            case Skill.STATEMENT:
                return self._statement_probabilities(state)
            case Skill.SPELLING:
                return {self.words[state.word or 0][state.spelt]: 1.0}
            case Skill.BRACKETS:
                opening = OPEN_PROBABILITY if len(state.open) < DEEPEST else 0.0
                closing = CLOSING[OPENING.index(state.open[-1])]
                return {**_evenly(OPENING, opening), closing: 1 - opening}
            case Skill.VALUE:
                return _evenly(DIGITS, 1.0)
            case Skill.VARIABLE:
                return _evenly(state.values, 1.0)
            case Skill.RECALL:
                return {state.values[state.variable]: 1.0}
            case Skill.SEPARATOR:
                return {STATEMENT_END: 1.0}

    def _statement_probabilities(self, state: State) -> dict[str, float]:
        whole = 1.0 if state.values else 1 - SHARES["query"]
        share = {kind: probability / whole for kind, probability in SHARES.items()}
        words = zip(self.words, self._after[state.word], strict=True)
        return {
            DOCUMENT_END: share["end"],
            **{word[0]: share["word"] * probability for word, probability in words},
            **_evenly(OPENING, share["brackets"]),
            **_evenly(VARIABLES, share["assignment"]),
            **({QUERY: share["query"]} if state.values else {}),
        }

    def advance(self, state: State, character: str) -> State:
        """Return the state after a possible ``character``."""
        match state.skill:
            case Skill.STATEMENT:
                return self._begin(state, character)
            case Skill.SPELLING:
                spelt = state.spelt + 1
                done = spelt == len(self.words[state.word or 0])
                return replace(state, spelt=spelt, skill=Skill.SEPARATOR if done else Skill.SPELLING)
            case Skill.BRACKETS:
                still = state.open + character if character in OPENING else state.open[:-1]
                return replace(state, open=still, skill=Skill.BRACKETS if still else Skill.SEPARATOR)
            case Skill.VALUE:
                values = {**state.values, state.variable: character}
                return replace(state, values=values, skill=Skill.SEPARATOR)
            case Skill.VARIABLE:
                return replace(state, variable=character, skill=Skill.RECALL)
            case Skill.RECALL:
                return replace(state, skill=Skill.SEPARATOR)
            case Skill.SEPARATOR:
                return replace(state, skill=Skill.STATEMENT)

    def _begin(self, state: State, character: str) -> State:
        if character == DOCUMENT_END:
            return State()
        if character in OPENING:
            return replace(state, open=character, skill=Skill.BRACKETS)
        if character in VARIABLES:
            return replace(state, variable=character, skill=Skill.VALUE)
        if character == QUERY:
            return replace(state, skill=Skill.VARIABLE)
        # The words of the dictionary begin with a, b, c, … in order.
        return replace(state, word=ord(character) - ord("a"), spelt=1, skill=Skill.SPELLING)

    def write(self, length: int, random: Random) -> str:
        """Write the first ``length`` characters of a random text that begins with a document."""
        text, state = [], State()
        for _ in range(length):
            probabilities = self.probabilities(state)
            character = _draw(probabilities, random)
            text.append(character)
            state = self.advance(state, character)
        return "".join(text)

    def limit(self, text: str) -> Iterator[tuple[float, Skill]]:
        """Yield each character's lowest expected loss in nats and its skill; the text begins with a document.

        Raises:
            LanguageError: a character is not possible at its position.
        """
        state = State()
        for position, character in enumerate(text):
            probability = self.probabilities(state).get(character, 0.0)
            if probability == 0.0:
                raise LanguageError(f"character {position}: {character!r} is not possible here; expected {state.skill}")
            yield -math.log(probability), state.skill
            state = self.advance(state, character)


def _word(index: int, random: Random) -> str:
    """A word with a unique first letter, which determines the rest."""
    span = WORD_LENGTHS.stop - WORD_LENGTHS.start
    length = WORD_LENGTHS.start + int(random.random() * span)
    rest = (chr(ord("a") + int(random.random() * 26)) for _ in range(length - 1))
    return chr(ord("a") + index) + "".join(rest)


def _shares(random: Random) -> tuple[float, ...]:
    """The probability of each next word: a few words have most of it, and none has probability 0."""
    raw = [random.random() ** 6 for _ in range(NUM_WORDS)]
    free = 1 - NUM_WORDS * LEAST_WORD_PROBABILITY
    return tuple(LEAST_WORD_PROBABILITY + free * share / sum(raw) for share in raw)


def _evenly(characters: "str | Mapping[str, str]", probability: float) -> dict[str, float]:
    return dict.fromkeys(characters, probability / len(characters))


def _draw(probabilities: Mapping[str, float], random: Random) -> str:
    """Draw a character; never a character of probability 0."""
    drawn = random.random() * math.fsum(probabilities.values())
    for character, reached in zip(probabilities, accumulate(probabilities.values()), strict=True):
        if drawn < reached:
            return character
    return max(probabilities, key=lambda character: probabilities[character])
