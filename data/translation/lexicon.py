"""The words of the grammar: their forms in both languages, and the words that each combines with."""

from dataclasses import dataclass

VOWELS = "aeiouhàâéèêîô"  # every h in the lexicon is mute
PEOPLE = ("adult", "child")
BEINGS = (*PEOPLE, "animal")
THINGS = ("thing", "food", "place", "tree")


@dataclass(frozen=True)
class Noun:
    """A noun in English and French, singular and plural; `kind` decides which verbs and adjectives fit it."""

    english: str
    english_plural: str
    french: str
    french_plural: str
    feminine: bool
    kind: str


@dataclass(frozen=True)
class Adjective:
    """An adjective: French masculine and feminine, masculine plural, and masculine before a vowel."""

    english: str
    masculine: str
    feminine: str
    masculine_plural: str
    before_vowel: str = ""

    def french(self, noun: Noun, plural: bool) -> str:
        """Return the form that agrees with the noun before a consonant."""
        if noun.feminine:
            return self.feminine + "s" * plural
        return self.masculine_plural if plural else self.masculine


@dataclass(frozen=True)
class Verb:
    """A verb: English third person, base and past; French for je, il and ils, and participle; subjects and objects."""

    english: tuple[str, str, str]
    je: str
    il: str
    ils: str
    participle: str
    objects: tuple[str, ...]
    after: str = ""  # word between the English verb and its object: "for", "at"
    subjects: tuple[str, ...] = BEINGS
    definite: bool = False  # `n'aime pas de chats` is not idiomatic: objects take only the, my, this or these


def _noun(english: str, french: str, gender: str, kind: str, english_plural: str = "", french_plural: str = "") -> Noun:
    return Noun(english, english_plural or f"{english}s", french, french_plural or f"{french}s", gender == "f", kind)


def _adjective(english: str, masculine: str, feminine: str = "", plural: str = "", before_vowel: str = "") -> Adjective:
    feminine = feminine or (masculine if masculine.endswith("e") else f"{masculine}e")
    return Adjective(english, masculine, feminine, plural or f"{masculine}s", before_vowel or masculine)


NOUNS = (
    _noun("man", "homme", "m", "adult", "men"),
    _noun("woman", "femme", "f", "adult", "women"),
    _noun("king", "roi", "m", "adult"),
    _noun("queen", "reine", "f", "adult"),
    _noun("friend", "ami", "m", "adult"),
    _noun("neighbour", "voisin", "m", "adult"),
    _noun("girl", "fille", "f", "child"),
    _noun("boy", "garçon", "m", "child"),
    _noun("child", "enfant", "m", "child", "children"),
    _noun("cat", "chat", "m", "animal"),
    _noun("dog", "chien", "m", "animal"),
    _noun("bird", "oiseau", "m", "animal", french_plural="oiseaux"),
    _noun("horse", "cheval", "m", "animal", french_plural="chevaux"),
    _noun("car", "voiture", "f", "thing"),
    _noun("book", "livre", "m", "thing"),
    _noun("letter", "lettre", "f", "thing"),
    _noun("key", "clé", "f", "thing"),
    _noun("hat", "chapeau", "m", "thing", french_plural="chapeaux"),
    _noun("flower", "fleur", "f", "thing"),
    _noun("apple", "pomme", "f", "food"),
    _noun("orange", "orange", "f", "food"),
    _noun("cake", "gâteau", "m", "food", french_plural="gâteaux"),
    _noun("house", "maison", "f", "place"),
    _noun("garden", "jardin", "m", "place"),
    _noun("school", "école", "f", "place"),
    _noun("church", "église", "f", "place", "churches"),
    _noun("hotel", "hôtel", "m", "place"),
    _noun("tree", "arbre", "m", "tree"),
)

OLD = _adjective("old", "vieux", "vieille", "vieux", "vieil")
YOUNG = _adjective("young", "jeune")
GOOD = _adjective("good", "bon", "bonne")
LITTLE = _adjective("little", "petit")
BIG = _adjective("big", "grand")
SMALL = _adjective("small", "petit")
BEAUTIFUL = _adjective("beautiful", "beau", "belle", "beaux", "bel")
NEW = _adjective("new", "nouveau", "nouvelle", "nouveaux", "nouvel")
TIRED = _adjective("tired", "fatigué", "fatiguée")
HAPPY = _adjective("happy", "heureux", "heureuse", "heureux")
SAD = _adjective("sad", "triste")
FAMOUS = _adjective("famous", "célèbre")
RED = _adjective("red", "rouge")
BLACK = _adjective("black", "noir")
WHITE = _adjective("white", "blanc", "blanche")
GREEN = _adjective("green", "vert")
BLUE = _adjective("blue", "bleu")

# French adjectives before and after the noun. Not every adjective fits every noun: a `vieille fille` is a spinster.
ADJECTIVES = {
    "adult": ((OLD, YOUNG, GOOD), (TIRED, HAPPY, SAD, FAMOUS)),
    "child": ((LITTLE, GOOD), (TIRED, HAPPY, SAD)),
    "animal": ((BIG, SMALL, OLD, BEAUTIFUL), (BLACK, WHITE, TIRED)),
    "thing": ((BIG, SMALL, OLD, BEAUTIFUL, NEW), (RED, BLACK, WHITE, GREEN, BLUE)),
    "food": ((BIG, SMALL, GOOD, BEAUTIFUL), (RED, GREEN)),
    "place": ((BIG, SMALL, OLD, BEAUTIFUL, NEW), (WHITE, FAMOUS)),
    "tree": ((BIG, SMALL, OLD, BEAUTIFUL), (GREEN, BLACK)),
}

VERBS = (
    Verb(("sees", "see", "saw"), "vois", "voit", "voient", "vu", BEINGS + THINGS),
    Verb(("finds", "find", "found"), "trouve", "trouve", "trouvent", "trouvé", BEINGS + THINGS),
    Verb(("likes", "like", ""), "aime", "aime", "aiment", "", BEINGS + THINGS, definite=True),
    Verb(("looks", "look", "looked"), "regarde", "regarde", "regardent", "regardé", BEINGS + THINGS, "at"),
    Verb(("looks", "look", "looked"), "cherche", "cherche", "cherchent", "cherché", BEINGS + THINGS, "for"),
    Verb(("waits", "wait", "waited"), "attends", "attend", "attendent", "attendu", PEOPLE, "for"),
    Verb(("listens", "listen", "listened"), "écoute", "écoute", "écoutent", "écouté", BEINGS, "to"),
    Verb(("buys", "buy", "bought"), "achète", "achète", "achètent", "acheté", ("thing", "food"), subjects=PEOPLE),
    Verb(("takes", "take", "took"), "prends", "prend", "prennent", "pris", ("thing", "food")),
    Verb(("eats", "eat", "ate"), "mange", "mange", "mangent", "mangé", ("food",)),
    Verb(("paints", "paint", "painted"), "peins", "peint", "peignent", "peint", BEINGS + THINGS, subjects=PEOPLE),
)
# Their objects follow `à`.
VERBS_WITH_A = (
    Verb(("talks", "talk", "talked"), "parle", "parle", "parlent", "parlé", PEOPLE, "to", PEOPLE),
    Verb(("writes", "write", "wrote"), "écris", "écrit", "écrivent", "écrit", PEOPLE, "to", PEOPLE),
    Verb(("thinks", "think", "thought"), "pense", "pense", "pensent", "pensé", BEINGS, "of", PEOPLE),
)
GO = Verb(("goes", "go", "went"), "vais", "va", "vont", "allé", ("place",), "to")
SAYING = (("says", "say", "dis", "dit", "disent"), ("knows", "know", "sais", "sait", "savent"))

# Preposition, French preposition, and the kinds of nouns that follow it.
PLACES = (("in", "dans", ("place",)), ("behind", "derrière", ("place", "tree")), ("under", "sous", ("tree",)))
