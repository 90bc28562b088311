"""A small language of which everything is known: the chance of every character, and which skill foretells it.

A text is a row of documents, each ended by a line break. A document is a row of statements, each ended
by ``;``, of four kinds:

- a word of a fixed dictionary; which one depends on the word before (``kel;``);
- brackets of three kinds, nested and closed in order (``([]{});``);
- an assignment of a digit to a variable (``X7;``);
- a query of a variable that has a value, and its latest value (``?X7;``).

Whoever has read a document from its beginning knows the chance of each next character exactly. So the
lowest loss that any model can reach on a text is known too, and how far a model is above it, skill by
skill. A loss that is lower by more than luck allows means that the model has seen the text.
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

# Of the language that students train on.
LANGUAGE_SEED = 2026

NUM_WORDS = 16
WORD_LENGTHS = range(3, 6)
LEAST_WORD_CHANCE = 0.02 / NUM_WORDS
DEEPEST = 5
OPEN_CHANCE = 0.45
# How a document goes on after a statement. While no variable has a value, the queries' share goes to the others.
SHARES: Mapping[str, float] = {"end": 0.08, "word": 0.40, "brackets": 0.14, "assignment": 0.19, "query": 0.19}


class Skill(StrEnum):
    """What has to be known to foretell a character."""

    STATEMENT = "statement"  # what comes next: the grammar, and which word follows which
    SPELLING = "spelling"  # the rest of a word
    BRACKETS = "brackets"  # which bracket is open, and how deep one is
    VALUE = "value"  # the digit assigned, of which nothing can be known
    VARIABLE = "variable"  # which variables have a value
    RECALL = "recall"  # the latest value of the one that is asked for
    SEPARATOR = "separator"  # where a statement ends


@dataclass(frozen=True)
class State:
    """Where a document stands: all that its continuation depends on."""

    skill: Skill = Skill.STATEMENT
    word: int | None = None  # the last one
    spelt: int = 0  # how many of its letters
    open: str = ""  # brackets to close, the innermost last
    values: Mapping[str, str] = field(default_factory=dict)  # of the variables; never changed in place
    variable: str = ""  # assigned or asked for


class LanguageError(ValueError):
    """A text that the language cannot have; the message names the place and the character."""


class KnownLanguage:
    """The language with the dictionary and the word order that belong to ``seed``.

    Only ``Random.random`` is drawn from, whose numbers are the same in every version of Python.
    """

    def __init__(self, seed: int = LANGUAGE_SEED) -> None:
        random = Random(seed)
        self.words = tuple(_word(index, random) for index in range(NUM_WORDS))
        rows = [_shares(random) for _ in range(NUM_WORDS + 1)]
        self._after = dict(zip((*range(NUM_WORDS), None), rows, strict=True))
        letters = sorted(set("".join(self.words)))
        self.alphabet = "".join((DOCUMENT_END, STATEMENT_END, QUERY, OPENING, CLOSING, DIGITS, VARIABLES, *letters))

    def chances(self, state: State) -> dict[str, float]:
        """Each possible next character with its chance; they sum to one."""
        match state.skill:
            case Skill.STATEMENT:
                return self._statement_chances(state)
            case Skill.SPELLING:
                return {self.words[state.word or 0][state.spelt]: 1.0}
            case Skill.BRACKETS:
                opening = OPEN_CHANCE if len(state.open) < DEEPEST else 0.0
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

    def _statement_chances(self, state: State) -> dict[str, float]:
        whole = 1.0 if state.values else 1 - SHARES["query"]
        share = {kind: chance / whole for kind, chance in SHARES.items()}
        words = zip(self.words, self._after[state.word], strict=True)
        return {
            DOCUMENT_END: share["end"],
            **{word[0]: share["word"] * chance for word, chance in words},
            **_evenly(OPENING, share["brackets"]),
            **_evenly(VARIABLES, share["assignment"]),
            **({QUERY: share["query"]} if state.values else {}),
        }

    def advance(self, state: State, character: str) -> State:
        """The state after a possible ``character``."""
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
        # The first letters of the dictionary are those of the alphabet, in order.
        return replace(state, word=ord(character) - ord("a"), spelt=1, skill=Skill.SPELLING)

    def write(self, length: int, random: Random) -> str:
        """The first ``length`` characters of a text that begins with a document."""
        text, state = [], State()
        for _ in range(length):
            chances = self.chances(state)
            character = _draw(chances, random)
            text.append(character)
            state = self.advance(state, character)
        return "".join(text)

    def limit(self, text: str) -> Iterator[tuple[float, Skill]]:
        """For each character of a text that begins with a document: the least expected loss in nats, and its skill.

        Raises:
            LanguageError: a character that cannot stand in its place.
        """
        state = State()
        for place, character in enumerate(text):
            chance = self.chances(state).get(character, 0.0)
            if chance == 0.0:
                raise LanguageError(f"character {place}: {character!r} cannot stand here, a {state.skill} is due")
            yield -math.log(chance), state.skill
            state = self.advance(state, character)


def _word(index: int, random: Random) -> str:
    """A word with the first letter of its own, so that nothing more is open once that is known."""
    span = WORD_LENGTHS.stop - WORD_LENGTHS.start
    length = WORD_LENGTHS.start + int(random.random() * span)
    rest = (chr(ord("a") + int(random.random() * 26)) for _ in range(length - 1))
    return chr(ord("a") + index) + "".join(rest)


def _shares(random: Random) -> tuple[float, ...]:
    """How likely each word is to follow: a few share most of it, none is impossible."""
    raw = [random.random() ** 6 for _ in range(NUM_WORDS)]
    free = 1 - NUM_WORDS * LEAST_WORD_CHANCE
    return tuple(LEAST_WORD_CHANCE + free * one / sum(raw) for one in raw)


def _evenly(characters: "str | Mapping[str, str]", chance: float) -> dict[str, float]:
    return dict.fromkeys(characters, chance / len(characters))


def _draw(chances: Mapping[str, float], random: Random) -> str:
    """One of the characters; never one without a chance."""
    drawn = random.random() * math.fsum(chances.values())
    for character, reached in zip(chances, accumulate(chances.values()), strict=True):
        if drawn < reached:
            return character
    return max(chances, key=lambda character: chances[character])
