"""Given: tasks that must be learnt from the prompt, and the training of a tiny GPT on them.

A document is a row of pairs: key, answer, key, answer, … Which answer belongs to a key is drawn anew for each document,
so no weight can know it. The model can only look it up in what it has read: each pair is a shot for the pairs after it.

The training uses your own `gpt.py`. Nothing here is an exercise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gpt
import torch
from attention import causal_mask
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

PAIRS = 17  # in a document: at most 16 shots and the query
Trial = tuple[Tensor, list[Tensor], int]  # context, choices, index of the right choice


@dataclass(frozen=True)
class LabelMapping:
    """Task learning: each document gives each key an answer at random, with replacement.

    Attributes:
        keys: number of keys, the tokens 0, 1, …
        answers: number of answers that a key can have.
        own_answers: each key has answers of its own. An answer then tells which key it belongs to, so one look back
            is enough. Otherwise all keys share the same answers, and the model must see which key stood before one.
    """

    keys: int = 8
    answers: int = 8
    own_answers: bool = True

    @property
    def vocab_size(self) -> int:
        """Number of different tokens."""
        return self.keys + self.answers * (self.keys if self.own_answers else 1)

    def answer_tokens(self, keys: Tensor) -> Tensor:
        """Return the tokens of all answers that each key can have: `(…)` → `(…, answers)`."""
        first = self.keys + (keys * self.answers if self.own_answers else 0 * keys)
        return first.unsqueeze(-1) + torch.arange(self.answers)

    def documents(self, count: int, generator: torch.Generator, pairs: int = PAIRS) -> Tensor:
        """Draw documents: token ids `(count, 2·pairs)`."""
        return self.answered(torch.randint(self.keys, (count, pairs), generator=generator), generator)

    def answered(self, keys: Tensor, generator: torch.Generator) -> Tensor:
        """Draw an answer for each key of a document and write it after the key: `(count, pairs)` → documents."""
        mapping = torch.randint(self.answers, (len(keys), self.keys), generator=generator)
        answers = self.answer_tokens(keys).gather(-1, mapping.gather(1, keys).unsqueeze(-1)).squeeze(-1)
        return torch.stack((keys, answers), dim=-1).flatten(1)

    def twice(self, generator: torch.Generator) -> Tensor:
        """Draw a document that shows each key once, and then each again in another order: `(4·keys,)`."""
        keys = torch.cat([torch.randperm(self.keys, generator=generator) for _ in range(2)])
        return self.answered(keys.unsqueeze(0), generator)[0]

    def trial(self, shots: int, generator: torch.Generator) -> Trial:
        """Draw a trial for `few_shot_accuracy`: a context that ends with a key, its possible answers, the right one."""
        document = self.documents(1, generator, shots + 1)[0]
        choices = self.answer_tokens(document[-2])
        return document[:-1], list(choices.unsqueeze(-1)), int((choices == document[-1]).nonzero())

    def optimum(self, shots: int) -> float:
        """Compute the highest accuracy that is possible: know the keys that were shown, and guess the others."""
        unseen = (1 - 1 / self.keys) ** shots
        return 1 - unseen + unseen / self.answers


@dataclass(frozen=True)
class KnownRelations:
    """Task recognition: a document follows one of a few relations, the same in all documents.

    The weights can know all relations. The shots only have to tell which of them holds.

    Attributes:
        words: number of words; a relation maps each word to a word.
        relations: number of relations.
        seed: draws the relations.
    """

    words: int = 16
    relations: int = 4
    seed: int = 0

    @property
    def vocab_size(self) -> int:
        """Number of different tokens."""
        return self.words

    def table(self) -> Tensor:
        """Return the relations `(relations, words)`: the answer to each word."""
        generator = torch.Generator().manual_seed(self.seed)
        return torch.stack([torch.randperm(self.words, generator=generator) for _ in range(self.relations)])

    def documents(self, count: int, generator: torch.Generator, pairs: int = PAIRS) -> Tensor:
        """Draw documents: token ids `(count, 2·pairs)`."""
        keys = torch.randint(self.words, (count, pairs), generator=generator)
        relation = torch.randint(self.relations, (count,), generator=generator)
        return torch.stack((keys, self.table()[relation].gather(1, keys)), dim=-1).flatten(1)

    def trial(self, shots: int, generator: torch.Generator) -> Trial:
        """Draw a trial for `few_shot_accuracy`: a context that ends with a word, all words, the right one."""
        document = self.documents(1, generator, shots + 1)[0]
        return document[:-1], list(torch.arange(self.words).unsqueeze(-1)), int(document[-1])

    def optimum(self, shots: int, trials: int = 4000) -> float:
        """Estimate the highest accuracy that is possible: weigh the relations that fit all shots."""
        documents = self.documents(trials, torch.Generator().manual_seed(1), shots + 1)
        keys, answers = documents[:, 0::2], documents[:, 1::2]
        found = self.table()[:, keys]  # (relations, trials, shots + 1)
        fits = (found[..., :-1] == answers[:, :-1]).all(dim=-1)  # (relations, trials)
        votes = functional.one_hot(found[..., -1], self.words) * fits.unsqueeze(-1)
        votes = votes.sum(dim=0)  # (trials, words)
        return float((votes.max(dim=-1).values / votes.sum(dim=-1)).mean())


Task = LabelMapping | KnownRelations


def with_targets(documents: Tensor) -> tuple[Tensor, Tensor]:
    """Make inputs and targets of documents; only answers count, because no model can predict the next key."""
    targets = documents[:, 1:].clone()
    targets[:, 1::2] = gpt.IGNORE_INDEX
    return documents[:, :-1], targets


class PreviousTokenGPT(nn.Module):
    """Your GPT, with one addition: each position also reads an embedding of the token before it.

    With shared answers, a model has to know which key stood before an answer. A first block can learn to look there,
    but that takes a tiny model thousands of steps. This embedding saves it that discovery.
    """

    def __init__(self, config: gpt.GPTConfig) -> None:
        """Make the GPT and the embedding of the token before."""
        super().__init__()
        self.config = config
        self.gpt = gpt.GPT(config)
        self.previous_embedding = nn.Embedding(config.vocab_size, config.d_model)
        nn.init.normal_(self.previous_embedding.weight, std=config.init_std)

    def forward(self, tokens: Tensor) -> Tensor:
        """Predict the next token at each position: `(batch, length)` → logits `(batch, length, vocab_size)`."""
        _, length = tokens.shape
        if length > self.config.context_length:
            raise ValueError(f"{length} tokens, but the context has {self.config.context_length}")
        x = self.gpt.token_embedding(tokens) + self.gpt.position_embedding(torch.arange(length))
        x = x + functional.pad(self.previous_embedding(tokens[:, :-1]), (0, 0, 1, 0))  # the first token has none before
        for block in self.gpt.blocks:
            x = block(x, mask=causal_mask(length))
        return functional.linear(self.gpt.norm(x), self.gpt.token_embedding.weight)


# name of a model in this stage → its task, the kind of model, and the steps of its training
MODELS: dict[str, tuple[Task, Callable[[gpt.GPTConfig], nn.Module], int]] = {
    "own_answers": (LabelMapping(own_answers=True), gpt.GPT, 150),
    "shared_answers": (LabelMapping(own_answers=False), PreviousTokenGPT, 200),
    "known_relations": (KnownRelations(), gpt.GPT, 400),
}


def new_model(name: str, seed: int = 0) -> nn.Module:
    """Make an untrained model: two blocks of 64 features, about 100,000 numbers."""
    task, kind, _ = MODELS[name]
    torch.manual_seed(seed)
    d_model = 64
    config = gpt.GPTConfig(task.vocab_size, 2 * PAIRS, d_model, 4, 2, 4 * d_model, init_std=d_model**-0.5)
    model = kind(config)
    model.config = config  # a GPT need not keep it, and `shots.py` reads the length of the context there
    return model


def train(model: nn.Module, name: str, seed: int = 0, batch_size: int = 64) -> list[float]:
    """Train a model on new documents at each step, with your `AdamW`, `learning_rate` and `train_step`.

    Returns:
        The loss of each step, in nats per answer.
    """
    task, _, steps = MODELS[name]
    generator = torch.Generator().manual_seed(seed)
    optimizer = gpt.AdamW(gpt.parameter_groups(model, 0.01), lr=0.0, betas=(0.9, 0.99))
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = gpt.learning_rate(step, 3e-3, 1.5e-4, 20, steps)
        batch = with_targets(task.documents(batch_size, generator))
        losses.append(gpt.train_step(model, optimizer, [batch], 1.0))
    model.train(False)
    return losses


@torch.no_grad()
def accuracy_by_shots(model: nn.Module, task: Task, count: int = 4000, seed: int = 77) -> Tensor:
    """Measure the accuracy at each answer of many documents: after 0, 1, 2, … shots, `(PAIRS,)`.

    One pass reads all numbers of shots at once, so this is much faster than trials. It compares the answer with the
    most likely of all tokens.
    """
    documents = task.documents(count, torch.Generator().manual_seed(seed))
    logits = torch.cat([model(batch[:, :-1])[:, 0::2] for batch in documents.split(500)])  # (count, PAIRS, vocab)
    return (logits.argmax(dim=-1) == documents[:, 1::2]).double().mean(dim=0)


def with_answers_elsewhere(documents: Tensor, generator: torch.Generator) -> Tensor:
    """Exchange the answers of all shots at random; the query, the last pair, keeps its answer.

    The same keys and the same answers stand in the prompt, but an answer no longer follows its own key.
    """
    moved = documents.clone()
    for row in moved:
        order = torch.randperm(len(row) // 2 - 1, generator=generator)
        row[1:-2:2] = row[1:-2:2][order]
    return moved


@torch.no_grad()
def accuracy_of_last(model: nn.Module, documents: Tensor) -> float:
    """Measure how often the most likely token after the last key is its answer."""
    return float((model(documents[:, :-1])[:, -1].argmax(dim=-1) == documents[:, -1]).double().mean())


def keys_alone(tokens: Tensor) -> Tensor:
    """Make all answers of a document different, so that only keys count as repeated tokens: `(length,)`."""
    marked = tokens.clone()
    marked[1::2] = 1000 + torch.arange(len(marked[1::2]))
    return marked


@torch.no_grad()
def attention_weights(model: nn.Module, tokens: Tensor) -> list[Tensor]:
    """Return the attention weights of each block while the model reads `tokens`, each `(heads, length, length)`."""
    kept: list[Tensor] = []
    blocks = (model.gpt if isinstance(model, PreviousTokenGPT) else model).blocks
    hooks = [block.attention.register_forward_hook(lambda *call: kept.append(call[2][1][0])) for block in blocks]
    try:
        model(tokens.unsqueeze(0))
    finally:
        for hook in hooks:
            hook.remove()
    return kept


def scores_of_heads(
    model: nn.Module, task: LabelMapping, score: Callable[[Tensor, Tensor], Tensor], documents: int = 20
) -> Tensor:
    """Score the heads of each block, `(blocks, heads)`: the mean over documents that show each key twice.

    Args:
        model: a model with two kinds of tokens in turn, keys and answers.
        task: its task.
        score: your `induction_score`.
        documents: number of documents.
    """
    generator = torch.Generator().manual_seed(3)
    rows = []
    for _ in range(documents):
        tokens = task.twice(generator)
        rows.append(torch.stack([score(w, keys_alone(tokens)) for w in attention_weights(model, tokens)]))
    return torch.stack(rows).mean(dim=0)


def loaded(name: str) -> nn.Module:
    """Make a model and load its trained weights, which lie beside this file."""
    model = new_model(name)
    model.load_state_dict(load_file(Path(__file__).with_name(f"{name}.safetensors")))
    return model.train(False)
