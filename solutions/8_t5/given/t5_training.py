"""Trains a T5: on texts with gaps, and on tasks that are written as text (given: nothing to do here).

The lab sheet uses it, and so do the programs that made the checkpoint and the figures of the sheet. The model, the
spans and the decoding are yours: from `t5.py` and `transformer.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import t5
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformer import greedy_decode, shift_right

PAD, END, SENTINELS = 0, 1, 12
GAP_STEPS, INFLECTION_STEPS = 550, 900
SIZES = {"d_model": 64, "num_heads": 4, "num_blocks": 2, "d_hidden": 256}
DATA = Path(__file__).parent.parent / "data"

Batch = tuple[Tensor, Tensor]  # source (batch, source) and target (batch, target), both padded on the right


class Vocabulary:
    """Tokens and their ids: 0 pads, 1 ends a text, and the last ids are the sentinels, as in T5.

    Attributes:
        tokens: the token of each id.
        sentinel_ids: the ids of the sentinels, in the order in which they are used.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        """Number the different tokens in alphabetical order."""
        sentinels = [f"<{number}>" for number in reversed(range(SENTINELS))]
        self.tokens = ["<pad>", "<end>", *sorted(set(tokens)), *sentinels]
        self.sentinel_ids = [len(self.tokens) - 1 - number for number in range(SENTINELS)]
        self._ids = {token: number for number, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        """Count the tokens, the sentinels included."""
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> Tensor:
        """Return the ids of tokens."""
        return torch.tensor([self._ids[token] for token in tokens])

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens up to the end."""
        found = []
        for number in ids:
            if number == END:
                break
            if number != PAD:
                found.append(self.tokens[number])
        return found


def _table(name: str, part: str) -> list[list[str]]:
    """Read the rows of a table of the course."""
    lines = (DATA / name / f"{part}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]


def _words(part: str) -> list[str]:
    """Read the English sentences of the translation grammar, word after word, with a full stop after each sentence."""
    return [word for english, _ in _table("translation", part) for word in [*english.replace("'s", " 's").split(), "."]]


def word_vocabulary() -> Vocabulary:
    """Number the words of the sentences."""
    return Vocabulary(_words("train"))


def lines_of(part: str, words: Vocabulary, length: int = 20) -> list[Tensor]:
    """Cut the sentences of a part, `train` or `unseen`, into lines of equal length."""
    ids = words.encode(_words(part))
    return list(ids[: len(ids) - len(ids) % length].split(length))


def inflections(part: str) -> list[tuple[str, str, bool]]:
    """Read the inflections as texts: what the model reads, what it is to write, and whether the form is regular."""
    rows = _table("inflections", part)
    return [(t5.text_to_text(task, text=lemma), form, regular == "1") for task, lemma, form, regular in rows]


def letters_of(text: str) -> list[str]:
    """Split a text into tokens: the name of the task is a token, and so is every letter after it."""
    task, space, rest = text.partition(" ")
    return [task, *rest] if space else list(text)


def letter_vocabulary() -> Vocabulary:
    """Number the letters and the names of the tasks."""
    return Vocabulary(token for text, form, _ in inflections("train") for token in [*letters_of(text), *form])


def by_rule(text: str) -> str:
    """Inflect a word as a paragraph of a grammar book does. It doubles no consonants."""
    task, word = text.split(" ")
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + ("ies" if task == "plural:" else "ied")
    if task == "plural:":
        return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")
    return word + ("d" if word.endswith("e") else "ed")


def padded(rows: Sequence[Tensor]) -> Tensor:
    """Return the rows as one tensor, padded on the right."""
    return pad_sequence(list(rows), batch_first=True, padding_value=PAD)


def span_batch(texts: Sequence[Tensor], sentinel_ids: list[int], size: int, generator: torch.Generator) -> Batch:
    """Draw texts, and spans in each of them: what is left of the texts, and what is missing.

    T5's masks end with a span. Rolled around by a random number of tokens, spans stand anywhere, also in short texts
    (`random_roll` in the authors' code).
    """
    pairs = []
    for index in torch.randint(len(texts), (size,), generator=generator).tolist():
        text = texts[index]
        spans = t5.random_spans(len(text), generator)
        spans = spans.roll(int(torch.randint(len(text), (), generator=generator)))
        pairs.append(t5.corrupt_spans(text, spans, sentinel_ids, END))
    return padded([source for source, _ in pairs]), padded([target for _, target in pairs])


def task_batch(pairs: Sequence[Batch], size: int, generator: torch.Generator) -> Batch:
    """Draw pairs of a text and its answer."""
    chosen = torch.randint(len(pairs), (size,), generator=generator).tolist()
    return padded([pairs[index][0] for index in chosen]), padded([pairs[index][1] for index in chosen])


def new_model(vocabulary: Vocabulary, seed: int) -> t5.T5:
    """Create a small T5 with T5's initial values.

    The scores are not divided by √d_head; the queries start smaller by that factor instead (Raffel et al. 2020, and
    their code: standard deviation 1 for embeddings, 1/√(d_model·d_head) for queries, 1/√(features) elsewhere).
    """
    torch.manual_seed(seed)
    model = t5.T5(t5.T5Config(len(vocabulary), **SIZES))
    d_head = SIZES["d_model"] // SIZES["num_heads"]
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            smaller = d_head**-0.5 if "query_proj" in name else 1.0
            std = 1.0 if name == "embedding.weight" else parameter.shape[1] ** -0.5 * smaller
            nn.init.normal_(parameter, std=0.02 if "position_bias" in name else std)
    return model


def loss_of(model: t5.T5, batch: Batch, counted: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """Compute the mean surprise at the target tokens, in nats.

    Args:
        model: a T5.
        batch: source and target.
        counted: which target tokens count; all real tokens when None.
    """
    source, target = batch
    logits = model(source, shift_right(target, PAD))
    real = target != PAD if counted is None else counted(target)
    return nn.functional.cross_entropy(logits.flatten(0, 1), target.masked_fill(~real, -100).flatten())


def train(model: t5.T5, draw: Callable[[], Batch], steps: int, rate: float = 3e-3, warmup: int = 50) -> list[float]:
    """Train in place with a rate that rises and falls in a line; return the loss of each step.

    Args:
        model: a T5.
        draw: returns the next batch.
        steps: number of steps.
        rate: the highest learning rate.
        warmup: number of steps during which the rate rises.
    """
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * min((step + 1) / warmup, (steps - step) / (steps - warmup), 1.0)
        loss = loss_of(model, draw())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def learn_gaps(words: Vocabulary, seed: int, steps: int = GAP_STEPS) -> tuple[t5.T5, list[float]]:
    """Train a new model to fill the gaps in lines of words; return it and the loss of each step."""
    model, generator, lines = new_model(words, seed), torch.Generator().manual_seed(seed), lines_of("train", words)
    losses = train(model, lambda: span_batch(lines, words.sentinel_ids, 32, generator), steps)
    return model, losses


def learn_inflections(
    letters: Vocabulary,
    seed: int,
    steps: int = INFLECTION_STEPS,
    count: int | None = None,
    model: t5.T5 | None = None,
) -> tuple[t5.T5, list[float]]:
    """Train a model, a new model when None, on the first `count` inflections, all when None."""
    generator = torch.Generator().manual_seed(seed)
    model = new_model(letters, seed) if model is None else model
    end = torch.tensor([END])
    pairs = [
        (torch.cat([letters.encode(letters_of(text)), end]), torch.cat([letters.encode(form), end]))
        for text, form, _ in inflections("train")[:count]
    ]
    losses = train(model, lambda: task_batch(pairs, 32, generator), steps)
    return model, losses


def learn_letter_gaps(letters: Vocabulary, seed: int, steps: int) -> t5.T5:
    """Train a new model to fill the gaps in the words of the inflections, letter by letter."""
    model, generator = new_model(letters, seed), torch.Generator().manual_seed(seed)
    texts = [letters.encode(word) for text, form, _ in inflections("train") for word in (letters_of(text)[1:], form)]
    train(model, lambda: span_batch(texts, letters.sentinel_ids, 32, generator), steps)
    return model


def load(name: str, vocabulary: Vocabulary) -> t5.T5:
    """Load a model that the course has trained."""
    model = new_model(vocabulary, seed=0)
    model.load_state_dict(load_file(Path(__file__).with_name(f"{name}.safetensors")))
    return model.eval()


@torch.no_grad()
def span_loss(model: t5.T5, lines: Sequence[Tensor], words: Vocabulary) -> float:
    """Compute the mean surprise at the hidden words of held-out lines; sentinels and the end do not count."""
    model.eval()
    batch = span_batch(lines, words.sentinel_ids, 500, torch.Generator().manual_seed(0))
    first_sentinel = min(words.sentinel_ids)
    return loss_of(model, batch, lambda target: (target > END) & (target < first_sentinel)).item()


def frequency_loss(lines: Sequence[Tensor], unseen: Sequence[Tensor], words: Vocabulary) -> float:
    """Compute the mean surprise at words of unseen lines if only the frequencies of the words are known."""
    counts = torch.bincount(torch.cat(list(lines)), minlength=len(words)).double()
    return -(counts / counts.sum()).log()[torch.cat(list(unseen))].mean().item()


def write(model: t5.T5, source: Tensor, longest: int) -> list[list[int]]:
    """Let the model write: the likeliest token, again and again, by your `greedy_decode`."""
    written: list[list[int]] = greedy_decode(model, source, PAD, END, longest).tolist()
    return written


def answers(model: t5.T5, letters: Vocabulary, texts: Sequence[str]) -> list[str]:
    """Let the model answer texts, in letters."""
    end = torch.tensor([END])
    source = padded([torch.cat([letters.encode(letters_of(text)), end]) for text in texts])
    return ["".join(letters.decode(row)) for row in write(model, source, 14)]
