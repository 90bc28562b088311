"""Runs generation and encoding in the process of the student's code.

The source of this file is sent to that process, so it imports nothing from the course.
"""

import math

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """A block of a GPT with one state dict of tensors. Other checks cover the student's own blocks."""

    def __init__(self, num_heads, state):
        super().__init__()
        self.num_heads, self.state = num_heads, state

    def part(self, name):
        return self.state[f"blocks.0.{name}"]

    def normed(self, x, name):
        return functional.layer_norm(x, x.shape[-1:], self.part(f"{name}.weight"), self.part(f"{name}.bias"))

    def forward(self, x, cache=None):
        read = self.normed(x, "attention_norm")
        query, key, value = (
            (read @ self.part(f"attention.{name}_proj.weight").T).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        if cache is not None:
            key, value = cache.append(key, value)
        later = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).triu(key.shape[2] - query.shape[2] + 1)
        scores = query @ key.mT / math.sqrt(key.shape[-1])
        mixed = scores.masked_fill(later, -math.inf).softmax(dim=-1) @ value
        x = x + mixed.transpose(1, 2).flatten(2) @ self.part("attention.output_proj.weight").T
        weights = (self.part(f"feed_forward.{name}") for name in ("input_proj.weight", "input_proj.bias"))
        hidden = functional.gelu(functional.linear(self.normed(x, "feed_forward_norm"), *weights))
        weights = (self.part(f"feed_forward.{name}") for name in ("output_proj.weight", "output_proj.bias"))
        return x + functional.linear(hidden, *weights)


class Writer(nn.Module):
    """A GPT of one block with a given state, so that a wrong GPT costs no points of `generate`."""

    def __init__(self, config, state):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding.from_pretrained(state["token_embedding.weight"], freeze=False)
        self.position_embedding = nn.Embedding.from_pretrained(state["position_embedding.weight"], freeze=False)
        self.blocks = nn.ModuleList([Block(config.num_heads, state)])
        self.norm = nn.LayerNorm(config.d_model, dtype=torch.float64)
        self.norm.load_state_dict({name: state[f"norm.{name}"] for name in ("weight", "bias")})
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens, caches=None):
        seen, length = len(caches[0]) if caches else 0, tokens.shape[1]
        if seen + length > self.config.context_length:
            raise ValueError(f"{seen + length} tokens, but the context has {self.config.context_length}")
        positions = torch.arange(seen, seen + length)
        x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))
        x = self.blocks[0](x, caches[0] if caches else None)
        return functional.linear(self.norm(x), self.token_embedding.weight)


def make_writer(config, sizes, options, state):
    """Create a writer; `config` is the student's GPTConfig, which is given."""
    return Writer(config(*sizes, **options), state)


def write_twice(generate, model, prompt, count, seed):
    """Generate two texts without a generator, and the first text again from the same global seed."""
    torch.manual_seed(seed)
    first, second = (generate(model, prompt, count) for _ in range(2))
    torch.manual_seed(seed)
    return first, second, generate(model, prompt, count)


def write(generate, model, prompt, count, seed, options):
    """Generate a text with this seed; return it and whether the global generator is unchanged."""
    before = torch.get_rng_state()
    text = generate(model, prompt, count, generator=torch.Generator().manual_seed(seed), **options)
    return text, torch.equal(torch.get_rng_state(), before)


def greedy(model, prompt, count, context_length):
    """Append the most likely token after the last `context_length` tokens, with a full pass for each token."""
    model.eval()
    text = prompt
    for _ in range(count):
        likeliest = model(text[:, -context_length:])[:, -1].argmax(dim=-1, keepdim=True)
        text = torch.cat((text, likeliest), dim=1)
    return text


def mode_after(generate, model, prompt, training):
    """Return the model's training mode after generation."""
    model.train(training)
    generate(model, prompt, 2)
    return model.training


def encodings(kind, text, vocab_size, probes):
    """Train; return the ids of the probes, the decoded ids, and the pieces of the ids from 256 on."""
    bpe = _trained(kind, text, vocab_size)
    ids = _ids(bpe, probes)
    pieces = [bytes(bpe.decode([token])) for token in range(256, vocab_size)]
    return ids, [bytes(bpe.decode(iter(found))) for found in ids], pieces


def gives_bytes(kind, text, vocab_size):
    """Train; return for some lists of ids whether decoding gives a `bytes` object."""
    bpe = _trained(kind, text, vocab_size)
    return [type(bpe.decode(ids)) is bytes for ids in ([], [97], [256, 97])]


def ids_after(kind, text, vocab_size, probes):
    """Train; return the ids of the probes."""
    return _ids(_trained(kind, text, vocab_size), probes)


def _trained(kind, text, vocab_size):
    bpe = kind()
    returned = bpe.train(text, vocab_size)
    return returned if isinstance(returned, kind) else bpe


def _ids(bpe, probes):
    return [[int(token) for token in bpe.encode(probe)] for probe in probes]
