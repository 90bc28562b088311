"""Trains a T5: on texts with gaps, and on tasks that are written as text (given: nothing to do here).

The lab sheet uses it, and so do the programs that made the checkpoint and the figures of the sheet. The model, the
spans and the decoding are yours: from `t5.py` and `transformer.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import t5
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformer import greedy_decode, shift_right

PAD, END, SENTINELS = 0, 1, 12
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


def sentences(part: str) -> list[list[str]]:
    """Read the English sentences of the translation grammar, each as a list of words."""
    lines = (DATA / "translation" / f"{part}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t")[0].replace("'s", " 's").split() for line in lines]


def inflections(part: str) -> list[tuple[str, str, bool]]:
    """Read the inflections as texts: what the model reads, what it is to write, and whether the form is regular."""
    lines = (DATA / "inflections" / f"{part}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [(t5.text_to_text(task, text=lemma), form, regular == "1") for task, lemma, form, regular in rows]


def letters(text: str) -> list[str]:
    """Split a text into tokens: the name of the task is a token, and so is every letter after it."""
    task, space, rest = text.partition(" ")
    return [task, *rest] if space else list(text)


def padded(rows: Sequence[Tensor]) -> Tensor:
    """Return the rows as one tensor, padded on the right."""
    return pad_sequence(list(rows), batch_first=True, padding_value=PAD)


def span_batch(texts: Sequence[Tensor], sentinel_ids: list[int], size: int, generator: torch.Generator) -> Batch:
    """Draw texts, and spans in each of them: what is left of the texts, and what is missing."""
    pairs = []
    for index in torch.randint(len(texts), (size,), generator=generator).tolist():
        spans = t5.random_spans(len(texts[index]), generator)
        pairs.append(t5.corrupt_spans(texts[index], spans, sentinel_ids, END))
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
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
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


@torch.no_grad()
def span_loss(model: t5.T5, texts: Sequence[Tensor], vocabulary: Vocabulary, size: int = 500, seed: int = 0) -> float:
    """Compute the mean surprise at the hidden words of held-out texts; sentinels and the end do not count."""
    model.eval()
    batch = span_batch(texts, vocabulary.sentinel_ids, size, torch.Generator().manual_seed(seed))
    first_sentinel = min(vocabulary.sentinel_ids)
    return loss_of(model, batch, lambda target: (target > END) & (target < first_sentinel)).item()


def answers(model: t5.T5, vocabulary: Vocabulary, texts: Sequence[str], longest: int = 14) -> list[str]:
    """Let the model answer texts, in letters."""
    source = padded([torch.cat([vocabulary.encode(letters(text)), torch.tensor([END])]) for text in texts])
    written = greedy_decode(model, source, PAD, END, longest)
    return ["".join(vocabulary.decode(row)) for row in written.tolist()]


def task_pairs(rows: Iterable[tuple[str, str, bool]], vocabulary: Vocabulary) -> list[Batch]:
    """Encode texts and answers, each with the end behind it."""
    end = torch.tensor([END])
    return [
        (torch.cat([vocabulary.encode(letters(text)), end]), torch.cat([vocabulary.encode(answer), end]))
        for text, answer, _ in rows
    ]
