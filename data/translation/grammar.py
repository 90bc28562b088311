"""A small synchronous grammar: each draw is an English sentence and its one French translation.

French needs rules that English lacks. Articles and adjectives have gender and number, and most adjectives follow their
noun. Pronoun objects precede the verb, `ne … pas` surrounds it, and `de` replaces `un` after a negation. There are
elision (l', d', j', qu' …) and contraction (du, des, au, aux). Sentences with two correct translations are left out,
such as `them` in the past, because the sentence does not determine its gender.
"""

from dataclasses import dataclass
from random import Random

from lexicon import ADJECTIVES, BEINGS, GO, NOUNS, PEOPLE, PLACES, SAYING, VERBS, VERBS_WITH_A, VOWELS, Noun, Verb

LONGEST = 16  # words in either language; elisions and possessives count as separate words
DEFINITE = ("the", "my", "this", "these")


@dataclass
class Phrase:
    """A noun phrase or a pronoun in both languages, with the features of its agreement."""

    english: list[str]
    french: list[str]
    plural: bool = False
    feminine: bool | None = None
    person: int = 3


PRONOUNS = (
    Phrase(["I"], ["je"], person=1),
    Phrase(["he"], ["il"], feminine=False),
    Phrase(["she"], ["elle"], feminine=True),
)
CLITICS = (Phrase(["him"], ["le"], feminine=False), Phrase(["her"], ["la"], feminine=True), Phrase(["them"], ["les"]))


def _joined(words: list[str]) -> list[str]:
    """Apply elision (`le ami` → `l' ami`) and contraction (`de le` → `du`) to French words."""
    joined: list[str] = []
    for word in reversed(words):
        following = joined[-1] if joined else ""
        if word in ("de", "à") and following in ("le", "les"):
            joined[-1] = {"dele": "du", "deles": "des", "àle": "au", "àles": "aux"}[word + following]
        elif word in ("le", "la", "de", "ne", "je", "que") and following and following[0] in VOWELS:
            joined.append(f"{word[:-1]}'")
        else:
            joined.append(word)
    return joined[::-1]


def _with_an(words: list[str]) -> list[str]:
    """Replace `a` by `an` before a vowel in English words."""
    return [
        "an" if word == "a" and after[0] in "aeiou" else word
        for word, after in zip(words, [*words[1:], "."], strict=True)
    ]


def _written(words: list[str]) -> str:
    return " ".join(words).replace("' ", "'").replace(" 's", "'s")


def _article(noun: Noun, plural: bool) -> str:
    return "les" if plural else "la" if noun.feminine else "le"


class Grammar:
    """Draws sentences; the same seed draws the same sentences."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def pair(self) -> tuple[str, str]:
        """Draw an English sentence and its translation, as written text."""
        while True:
            english, french = self._sentence()
            if self._random.random() < 0.15:
                english, french = self._reported(english, french)
            french = _joined(french)
            if max(len(english), len(french)) <= LONGEST:
                return _written(_with_an(english)), _written(french)

    def _reported(self, english: list[str], french: list[str]) -> tuple[list[str], list[str]]:
        """Add a main clause: a person says or knows it."""
        third, base, je, il, ils = self._random.choice(SAYING)
        subject = self._subject(PEOPLE)
        says = third if subject.person == 3 and not subject.plural else base
        dit = je if subject.person == 1 else ils if subject.plural else il
        return [*subject.english, says, "that", *english], [*subject.french, dit, "que", *french]

    def _sentence(self) -> tuple[list[str], list[str]]:
        way = self._random.random()
        if way < 0.15:
            return self._going()
        if way < 0.3:
            english, french = self._with_a()
        elif way < 0.5:
            english, french = self._with_clitic()
        else:
            english, french = self._with_object()
        if self._random.random() < 0.25:
            where, there, kinds = self._random.choice(PLACES)
            place = self._phrase(kinds, ("the", "a", "my", "this"))
            english, french = [*english, where, *place.english], [*french, there, *place.french]
        return english, french

    def _with_object(self) -> tuple[list[str], list[str]]:
        verb = self._random.choice(VERBS)
        subject = self._subject(verb.subjects)
        negated, past = self._random.random() < 0.3, bool(verb.participle) and self._random.random() < 0.4
        shown = self._phrase(verb.objects, DEFINITE if verb.definite else (), negated=negated)
        english, french = self._verb(verb, subject, negated=negated, past=past)
        return [*subject.english, *english, *shown.english], [*subject.french, *french, *shown.french]

    def _with_a(self) -> tuple[list[str], list[str]]:
        verb = self._random.choice(VERBS_WITH_A)
        subject = self._subject(verb.subjects)
        negated, past = self._random.random() < 0.3, self._random.random() < 0.4
        shown = self._phrase(verb.objects, ("a", *DEFINITE))
        english, french = self._verb(verb, subject, negated=negated, past=past)
        return [*subject.english, *english, *shown.english], [*subject.french, *french, "à", *shown.french]

    def _with_clitic(self) -> tuple[list[str], list[str]]:
        verb = self._random.choice([verb for verb in VERBS if "adult" in verb.objects])
        subject, clitic = self._subject(verb.subjects), self._random.choice(CLITICS)
        has_gender = clitic.feminine is not None  # the participle agrees with the pronoun before it
        negated, past = (
            self._random.random() < 0.3,
            has_gender and bool(verb.participle) and self._random.random() < 0.5,
        )
        english, french = self._verb(verb, subject, negated=negated, past=past, clitic=clitic)
        return [*subject.english, *english, *clitic.english], [*subject.french, *french]

    def _going(self) -> tuple[list[str], list[str]]:
        subject = self._subject(BEINGS)
        has_gender = subject.feminine is not None  # with être the participle agrees with the subject
        negated, past = self._random.random() < 0.3, has_gender and self._random.random() < 0.6
        place = self._phrase(GO.objects, ("the", "my", "this"))
        english, french = self._verb(GO, subject, negated=negated, past=past)
        if past:
            auxiliary = "sont" if subject.plural else "est"
            went = GO.participle + "e" * bool(subject.feminine) + "s" * subject.plural
            french = ["ne", auxiliary, "pas", went] if negated else [auxiliary, went]
        return [*subject.english, *english, *place.english], [*subject.french, *french, "à", *place.french]

    def _verb(
        self, verb: Verb, subject: Phrase, *, negated: bool, past: bool, clitic: Phrase | None = None
    ) -> tuple[list[str], list[str]]:
        """Return the verb phrase in both languages, without a French object that follows the verb."""
        third, base, before = verb.english
        does = subject.person == 3 and not subject.plural
        if past:
            english = ["did", "not", base] if negated else [before]
            finite = "ai" if subject.person == 1 else "ont" if subject.plural else "a"
        else:
            english = ["does" if does else "do", "not", base] if negated else [third if does else base]
            finite = verb.je if subject.person == 1 else verb.ils if subject.plural else verb.il
        french = [*(clitic.french if clitic else []), finite]
        if negated:
            french = ["ne", *french, "pas"]
        if past:
            agrees = "e" if clitic and clitic.feminine else ""
            french.append(verb.participle + agrees)
        return [*english, *([verb.after] if verb.after else [])], french

    def _subject(self, kinds: tuple[str, ...]) -> Phrase:
        if self._random.random() < 0.3:
            return self._random.choice(PRONOUNS)
        return self._phrase(kinds)

    def _phrase(self, kinds: tuple[str, ...], determiners: tuple[str, ...] = (), *, negated: bool = False) -> Phrase:
        """Draw a noun with its determiner and optional adjectives and owner."""
        noun = self._random.choice([noun for noun in NOUNS if noun.kind in kinds])
        all_determiners = ("the", "the", "a", "a", "this", "my", "these", "two", "any" if negated else "some")
        determiner = self._random.choice(determiners or all_determiners)
        plural = determiner in ("these", "two", "some", "any") or (
            determiner in ("the", "my") and self._random.random() < 0.3
        )
        english, french = self._described(noun, plural)
        if determiner == "the" and self._random.random() < 0.25:
            owner, owners = self._owner()
            return Phrase(
                [*owner, "'s", *english], [_article(noun, plural), *french, "de", *owners], plural, noun.feminine
            )
        before = self._determiner(determiner, noun, plural, french, negated=negated)
        return Phrase([determiner, *english], [*before, *french], plural, noun.feminine)

    def _owner(self) -> tuple[list[str], list[str]]:
        """Draw an owner; plural only if the English plural forms its possessive with 's."""
        owner = self._random.choice([noun for noun in NOUNS if noun.kind in PEOPLE])
        several = not owner.english_plural.endswith("s") and self._random.random() < 0.5
        english, french = (owner.english_plural, owner.french_plural) if several else (owner.english, owner.french)
        return ["the", english], [_article(owner, several), french]

    def _described(self, noun: Noun, plural: bool) -> tuple[list[str], list[str]]:
        """Return the noun with its adjectives; the first French word decides about elision."""
        early, late = ADJECTIVES[noun.kind]
        way = self._random.choice(("none", "none", "early", "late", "both"))
        english, french = [noun.english_plural if plural else noun.english], []
        french.append(noun.french_plural if plural else noun.french)
        if way in ("late", "both"):
            adjective = self._random.choice(late)
            english.insert(0, adjective.english)
            french.append(adjective.french(noun, plural))
        if way in ("early", "both"):
            adjective = self._random.choice(early)
            english.insert(0, adjective.english)
            vowel = not noun.feminine and not plural and french[0][0] in VOWELS
            french.insert(0, adjective.before_vowel if vowel else adjective.french(noun, plural))
        return english, french

    def _determiner(self, determiner: str, noun: Noun, plural: bool, french: list[str], *, negated: bool) -> list[str]:
        """Return the French determiner before these words; `_joined` contracts `le`, `la` and `de` later."""
        vowel = french[0][0] in VOWELS
        described_before = french[0] not in (noun.french, noun.french_plural)
        match determiner:
            case "the":
                return [_article(noun, plural)]
            case "a":
                return ["de"] if negated else ["une" if noun.feminine else "un"]
            case "some":
                return ["de" if described_before else "des"]
            case "any":
                return ["de"]
            case "this":
                return ["cette" if noun.feminine else "cet" if vowel else "ce"]
            case "these":
                return ["ces"]
            case "my":
                return ["mes" if plural else "ma" if noun.feminine and not vowel else "mon"]
            case "two":
                return ["deux"]
        raise ValueError(f"no French for the determiner {determiner!r}")
