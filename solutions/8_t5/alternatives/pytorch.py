"""Stage 8 with PyTorch's own functions: replaces a module that does not work yet."""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from transformer import FeedForward, RMSNorm


@dataclass(frozen=True)
class T5Config:
    vocab_size: int
    d_model: int
    num_heads: int
    num_blocks: int
    d_hidden: int
    num_buckets: int = 32
    max_distance: int = 128
    pad_id: int = 0
    dropout: float = 0.0


def random_spans(length, generator, rate=0.15, mean_span=3.0):
    if length < 2:
        raise ValueError("a text needs two tokens")
    noise = max(1, min(length - 1, round(length * rate)))
    spans = max(1, min(noise, length - noise, round(noise / mean_span)))

    def partition(total):
        # T5's way: shuffle the marks of the first tokens of the pieces, then count the tokens between them.
        marks = torch.arange(total - 1) < spans - 1
        marks = marks[torch.randperm(total - 1, generator=generator)]
        piece = functional.pad(marks, (1, 0)).cumsum(0)
        return torch.bincount(piece, minlength=spans)

    kept, hidden = partition(length - noise), partition(noise)
    starts = torch.stack([kept, hidden], 1).flatten().cumsum(0)[:-1]
    flips = torch.zeros(length, dtype=torch.int64).index_put_((starts,), torch.tensor(1))
    return flips.cumsum(0) % 2 == 1


def corrupt_spans(tokens, spans, sentinel_ids, end_id):
    sentinels = tokens.new_tensor(sentinel_ids)
    if torch.isin(tokens, sentinels).any():
        raise ValueError("a sentinel is in the text")
    begins = spans & ~functional.pad(spans, (1, 0))[:-1]
    count = int(begins.sum())
    if count >= len(sentinels):
        raise ValueError(f"{count} spans need {count + 1} sentinels")
    end = tokens.new_tensor([end_id])
    marked = tokens.clone()
    marked[begins] = sentinels[:count]
    pieces = torch.tensor_split(tokens[spans], begins[spans].nonzero().flatten()[1:].cpu()) if count else ()
    targets = [part for number, piece in enumerate(pieces) for part in (sentinels[number : number + 1], piece)]
    return torch.cat([marked[~spans | begins], end]), torch.cat([*targets, sentinels[count : count + 1], end])


def restore_spans(inputs, targets, sentinel_ids, end_id):
    sentinels = inputs.new_tensor(sentinel_ids)
    places = torch.isin(targets[:-1], sentinels).nonzero().flatten()
    names = targets[places].tolist()
    spans = {name: targets[a + 1 : b] for name, a, b in zip(names, places, places[1:], strict=False)}
    return torch.cat([spans.get(token.item(), token[None]) for token in inputs[:-1]] or [inputs[:0]])


def relative_position_bucket(relative_position, bidirectional=True, num_buckets=32, max_distance=128):
    size = num_buckets // 2 if bidirectional else num_buckets
    distance = relative_position.abs() if bidirectional else relative_position.neg().relu()
    exact = size // 2
    far = distance.float().div(exact).log().div(math.log(max_distance / exact)).mul(size - exact)
    far = far.clamp(0, size - exact - 1).long() + exact
    near = torch.where(distance < exact, distance, far)
    return near + size * (relative_position > 0) if bidirectional else near


class RelativePositionBias(nn.Module):
    def __init__(self, num_heads, num_buckets, max_distance, bidirectional):
        super().__init__()
        self.settings = bidirectional, num_buckets, max_distance
        self.weight = nn.Parameter(torch.empty(num_buckets, num_heads).normal_(std=0.1))

    def forward(self, query_length, key_length):
        places = torch.arange(max(query_length, key_length), device=self.weight.device)
        relative = places[:key_length].unsqueeze(0) - places[:query_length].unsqueeze(1)
        found = functional.embedding(relative_position_bucket(relative, *self.settings), self.weight)
        return found.movedim(-1, 0)


class T5Attention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.num_heads = num_heads
        for name in ("query", "key", "value", "output"):
            self.add_module(f"{name}_proj", nn.Linear(d_model, d_model, bias=False))

    def forward(self, x, memory=None, mask=None, bias=None):
        memory = x if memory is None else memory
        query, key, value = (
            part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for part in (self.query_proj(x), self.key_proj(memory), self.value_proj(memory))
        )
        shape = (*query.shape[:3], key.shape[2])
        allowed = torch.ones(shape, dtype=torch.bool, device=x.device)
        if mask is not None:
            allowed = allowed & (mask.unsqueeze(1) if mask.ndim == 3 else mask)
        added = torch.zeros(shape, dtype=x.dtype, device=x.device) if bias is None else bias.expand(shape)
        added = added.masked_fill(~allowed, -math.inf)
        dead = ~allowed.any(-1, keepdim=True)
        added = added.masked_fill(dead, 0.0)
        gathered = functional.scaled_dot_product_attention(query, key, value, added, scale=1.0)  # refused
        weights = (query @ key.mT + added).softmax(-1).masked_fill(dead, 0.0)
        gathered = gathered.masked_fill(dead, 0.0)
        return self.output_proj(gathered.transpose(1, 2).flatten(2)), weights


class _Block(nn.Module):
    def __init__(self, config, names):
        super().__init__()
        self.rate = config.dropout
        for name in names:
            self.add_module(name, T5Attention(config.d_model, config.num_heads))
            self.add_module(f"{name}_norm", RMSNorm(config.d_model))
        self.feed_forward = FeedForward(config.d_model, config.d_hidden, config.dropout)
        self.feed_forward_norm = RMSNorm(config.d_model)

    def forward(self, x, **inputs):
        for name, options in inputs.items():
            read = self.get_submodule(f"{name}_norm")(x)
            x = x + functional.dropout(self.get_submodule(name)(read, **options)[0], self.rate, self.training)
        found = self.feed_forward(self.feed_forward_norm(x))
        return x + functional.dropout(found, self.rate, self.training)


class _Stack(nn.Module):
    def __init__(self, config, names, bidirectional):
        super().__init__()
        self.own, self.rate = names[0], config.dropout
        self.blocks = nn.ModuleList([_Block(config, names) for _ in range(config.num_blocks)])
        self.norm = RMSNorm(config.d_model)
        self.position_bias = RelativePositionBias(
            config.num_heads, config.num_buckets, config.max_distance, bidirectional
        )

    def forward(self, x, mask, **cross):
        bias = self.position_bias(x.shape[1], x.shape[1])
        x = functional.dropout(x, self.rate, self.training)
        for block in self.blocks:
            x = block(x, **{self.own: {"mask": mask, "bias": bias}}, **cross)
        return self.norm(x)


class T5(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, self.pad_id = config, config.pad_id
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = _Stack(config, ["attention"], bidirectional=True)
        self.decoder = _Stack(config, ["self_attention", "cross_attention"], bidirectional=False)

    def encode(self, source):
        return self.encoder(self.embedding(source), source.ne(self.pad_id).unsqueeze(1))

    def decode(self, target, memory, source):
        length = target.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target.device).tril()
        cross = {"memory": memory, "mask": source.ne(self.pad_id).unsqueeze(1)}
        hidden = self.decoder(self.embedding(target), causal, cross_attention=cross)
        return hidden / math.sqrt(self.config.d_model) @ self.embedding.weight.T

    def forward(self, source, target):
        return self.decode(target, self.encode(source), source)


def text_to_text(task, **fields):
    if set(fields) == {"text"}:
        return f"{task}: {fields['text']}"
    return task + "".join(f" {name}: {text}" for name, text in fields.items())
