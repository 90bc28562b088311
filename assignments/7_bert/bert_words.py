"""The words that BERT learns here: English sentences of the translation grammar as token ids. You need not change it.

Run from the lab sheet. The sentences are those of stage 5; `data/translation/README.md` describes them.
"""

from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

PAD, CLS, SEP, MASK = 0, 1, 2, 3
SPECIAL_WORDS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
SPECIAL_IDS = [PAD, CLS, SEP, MASK]
MAX_LENGTH = 18  # the longest sentence has 16 words

# The nouns of the grammar by kind, each with its plural.
KINDS = {
    "person": (
        "man men", "woman women", "king kings", "queen queens", "friend friends", "neighbour neighbours",
        "girl girls", "boy boys", "child children",
    ),
    "animal": ("cat cats", "dog dogs", "bird birds", "horse horses"),
    "thing": (
        "car cars", "book books", "letter letters", "key keys", "hat hats", "flower flowers", "apple apples",
        "orange oranges", "cake cakes", "tree trees",
    ),
    "place": ("house houses", "garden gardens", "school schools", "church churches", "hotel hotels"),
}  # fmt: skip


class Words:
    """The vocabulary: each word's id, the special tokens first, then the words in alphabetical order.

    Attributes:
        words: id → word.
        ids: word → id.
    """

    def __init__(self, sentences: list[str]) -> None:
        """Collect the words of the sentences."""
        self.words = [*SPECIAL_WORDS, *sorted({word for sentence in sentences for word in sentence.split()})]
        self.ids = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        """Return the number of different tokens."""
        return len(self.words)

    def encode(self, sentences: list[str]) -> Tensor:
        """Return token ids `(sentences, MAX_LENGTH)`: each row is `[CLS] words [SEP] [PAD] …`."""
        tokens = torch.full((len(sentences), MAX_LENGTH), PAD)
        for row, sentence in zip(tokens, sentences, strict=True):
            ids = [CLS, *(self.ids[word] for word in sentence.split()), SEP]
            row[: len(ids)] = torch.tensor(ids)
        return tokens

    def decode(self, tokens: Tensor) -> str:
        """Return the words of one row, without `[CLS]`, `[SEP]` and `[PAD]`."""
        return " ".join(self.words[number] for number in tokens.tolist() if number not in (PAD, CLS, SEP))


def read_sentences(folder: Path) -> tuple[list[str], list[str]]:
    """Read the English sentences of `data/translation`: those for training, and the unseen."""
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("train.tsv", "unseen.tsv")]
    training, unseen = ([line.split("\t")[0] for line in text.splitlines()[1:]] for text in texts)
    return training, unseen


def shortened(tokens: Tensor) -> Tensor:
    """Cut off the columns that hold nothing but padding."""
    return tokens[:, : int((tokens != PAD).sum(dim=1).max())]


def kind_task(
    sentences: list[str], words: Words, count: int, generator: torch.Generator
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Draw a task for fine-tuning: what kind of noun is in the sentence, a person, an animal, a thing or a place?

    Half of the nouns are for training, the others for evaluation: knowing the nouns themselves does not help.

    Args:
        sentences: English sentences; those with exactly one noun are used, each once.
        words: the vocabulary.
        count: number of labelled sentences for training, an equal number of each kind.
        generator: draws nouns and sentences.

    Returns:
        Tokens and classes for training, and for evaluation: an equal number of each kind, as many as there are.
    """
    kind_of, known = {}, set()
    for kind, nouns in enumerate(KINDS.values()):
        kind_of |= {word: (kind, noun) for noun in nouns for word in noun.split()}
        known |= {nouns[number] for number in shuffled(len(nouns), generator)[: (len(nouns) + 1) // 2]}
    groups: dict[tuple[bool, int], list[str]] = {}
    for sentence in sorted(set(sentences)):
        found = [kind_of[word] for word in sentence.replace("'s", "").split() if word in kind_of]
        if len(found) == 1:
            kind, noun = found[0]
            groups.setdefault((noun in known, kind), []).append(sentence)
    tasks = []
    for for_training in (True, False):
        smallest = min(len(groups[for_training, kind]) for kind in range(len(KINDS)))
        size = count // len(KINDS) if for_training else smallest
        chosen = {
            groups[for_training, kind][number]: kind
            for kind in range(len(KINDS))
            for number in shuffled(len(groups[for_training, kind]), generator)[:size]
        }
        tasks.append((words.encode(list(chosen)), torch.tensor(list(chosen.values()))))
    return tasks[0], tasks[1]


def shuffled(count: int, generator: torch.Generator) -> list[int]:
    """Return the numbers below `count` in random order."""
    return torch.randperm(count, generator=generator).tolist()


class NeighbourCounts:
    """Predicts a hidden word by counting: the word that stands most often between its two neighbours.

    Where a neighbour is hidden too, or the pair is new, the other neighbour alone decides; else the most frequent word.
    """

    def __init__(self, tokens: Tensor) -> None:
        """Count the words of the training sentences `(sentences, length)`."""
        counts: dict[tuple[int, int], Counter[int]] = {}
        for row in tokens.tolist():
            for left, word, right in zip(row, row[1:], row[2:], strict=False):
                if word not in SPECIAL_IDS:
                    for neighbours in ((left, right), (left, MASK), (MASK, right), (MASK, MASK)):
                        counts.setdefault(neighbours, Counter())[word] += 1
        self.best = {neighbours: counter.most_common(1)[0][0] for neighbours, counter in counts.items()}

    def predict(self, tokens: Tensor) -> Tensor:
        """Return the most likely token at each position of `(sentences, length)`, in the form of the model's."""
        found = tokens.clone()
        for row, place in (tokens == MASK).nonzero().tolist():
            left, right = tokens[row, place - 1].item(), tokens[row, place + 1].item()
            options = ((left, right), (left, MASK), (MASK, right), (MASK, MASK))
            found[row, place] = next(self.best[pair] for pair in options if pair in self.best)
        return found
