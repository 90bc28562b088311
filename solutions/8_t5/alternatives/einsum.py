"""Stage 8 with einsum, bucket boundaries and one class of block; dropout on attention weights as well."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from attention import masked_softmax
from torch import einsum, nn
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
        raise ValueError("a text needs at least two tokens")
    noise = sorted((1, round(length * rate), length - 1))[1]
    spans = min(sorted((1, round(noise / mean_span), noise))[1], length - noise)
    # Draw whole masks until a mask fits, which may also end unmasked; compose a mask if none of them does.
    base = torch.zeros(length - 1, dtype=torch.bool)
    base[:noise] = True
    for _ in range(20):
        mask = torch.cat([base.new_zeros(1), base[torch.randperm(length - 1, generator=generator)]])
        if int((mask[1:] & ~mask[:-1]).sum()) == spans:
            return mask
    return _composed(length, noise, spans, generator)


def _composed(length, noise, spans, generator):
    """Stars and bars: order the tokens that are left over, and count them between the bars."""

    def parts(total):
        bars = torch.zeros(total - 1)
        bars[torch.multinomial(torch.ones(total - 1), spans - 1, generator=generator)] = 1
        return [len(piece) for piece in torch.arange(total).tensor_split(bars.nonzero().flatten() + 1)]

    pieces = []
    gaps = parts(length - noise) if spans > 1 else [length - noise]
    for gap, span in zip(gaps, parts(noise) if spans > 1 else [noise], strict=True):
        pieces += [torch.zeros(gap, dtype=torch.bool), torch.ones(span, dtype=torch.bool)]
    return torch.cat(pieces)


def corrupt_spans(tokens, spans, sentinel_ids, end_id):
    if len(set(tokens.tolist()).intersection(sentinel_ids)):
        raise ValueError("sentinel in the text")
    change = torch.ones(len(tokens), dtype=torch.bool, device=tokens.device)
    change[1:] = spans[1:] != spans[:-1]
    names = iter(sentinel_ids)
    inputs, targets = [], []
    try:
        for run, hidden in zip(
            tokens.tensor_split(change.nonzero().flatten()[1:].cpu()), spans[change].tolist(), strict=False
        ):
            if hidden:
                sentinel = tokens.new_tensor([next(names)])
                inputs.append(sentinel)
                targets += [sentinel, run]
            else:
                inputs.append(run)
        last = tokens.new_tensor([next(names), end_id])
    except StopIteration:
        raise ValueError("too few sentinels") from None
    return torch.cat([*inputs, last[1:]]), torch.cat([*targets, last])


def restore_spans(inputs, targets, sentinel_ids, end_id):
    marks = [index for index, token in enumerate(targets[:-1].tolist()) if token in sentinel_ids]
    spans = [targets[start + 1 : stop] for start, stop in pairwise(marks)]
    parts, rest = [], inputs[:-1]
    for span in spans:
        at = next(index for index, token in enumerate(rest.tolist()) if token in sentinel_ids)
        parts += [rest[:at], span]
        rest = rest[at + 1 :]
    return torch.cat([*parts, rest])


def _boundaries(size, max_distance):
    """Return the smallest distance of every bucket of a direction."""
    exact = size // 2
    distance = torch.arange(1, max_distance + 1)
    number = (torch.log(distance.float() / exact) / math.log(max_distance / exact) * (size - exact)).floor()
    return [*range(exact), *(int(distance[number >= bucket][0]) for bucket in range(size - exact))]


def relative_position_bucket(relative_position, bidirectional=True, num_buckets=32, max_distance=128):
    size = num_buckets // 2 if bidirectional else num_buckets
    limits = torch.tensor(_boundaries(size, max_distance), device=relative_position.device)
    past = torch.bucketize(torch.clamp(-relative_position, min=0), limits, right=True) - 1
    if not bidirectional:
        return past
    future = torch.bucketize(torch.clamp(relative_position, min=0), limits, right=True) - 1
    return torch.where(relative_position > 0, size + future, past)


class RelativePositionBias(nn.Module):
    def __init__(self, num_heads, num_buckets, max_distance, bidirectional):
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(num_buckets, num_heads))
        self.lookup = lambda positions: relative_position_bucket(positions, bidirectional, num_buckets, max_distance)

    def forward(self, query_length, key_length):
        # A relative position has one bucket: look up all of them, then let a window slide over the row.
        device = self.weight.device
        row = self.weight[self.lookup(torch.arange(1 - query_length, key_length, device=device))]
        windows = row.T.unfold(1, key_length, 1)  # (heads, query, key), the last query first
        return windows.flip(1)


class T5Attention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.heads = num_heads
        self.query_proj = nn.Linear(d_model, d_model, bias=False)
        self.key_proj = nn.Linear(d_model, d_model, bias=False)
        self.value_proj = nn.Linear(d_model, d_model, bias=False)
        self.output_proj = nn.Linear(d_model, d_model, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory=None, mask=None, bias=None):
        y = x if memory is None else memory
        q, k, v = (
            einsum("bld,hed->bhle", part, layer.weight.unflatten(0, (self.heads, -1)))
            for part, layer in ((x, self.query_proj), (y, self.key_proj), (y, self.value_proj))
        )
        scores = einsum("bhqe,bhke->bhqk", q, k)
        scores = scores if bias is None else scores + bias
        if mask is not None:
            mask = mask.reshape(*mask.shape[:-2], *[1] * (mask.ndim == 3), *mask.shape[-2:])
        weights = masked_softmax(scores, mask)
        out = self.output_proj.weight.unflatten(1, (self.heads, -1))
        return einsum("bhqk,bhke,dhe->bqd", self.dropout(weights), v, out), weights


class Block(nn.Module):
    def __init__(self, config, attentions):
        super().__init__()
        for name in attentions:
            setattr(self, name, T5Attention(config.d_model, config.num_heads, config.dropout))
            setattr(self, name + "_norm", RMSNorm(config.d_model))
        self.feed_forward = FeedForward(config.d_model, config.d_hidden, config.dropout)
        self.feed_forward_norm = RMSNorm(config.d_model)
        self.attentions, self.dropout = attentions, nn.Dropout(config.dropout)

    def forward(self, x, *inputs):
        for name, (memory, mask, bias) in zip(self.attentions, inputs, strict=True):
            y = getattr(self, name + "_norm")(x)
            x = x + self.dropout(getattr(self, name)(y, memory, mask, bias)[0])
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class Stack(nn.Module):
    def __init__(self, config, attentions, bidirectional):
        super().__init__()
        self.blocks = nn.ModuleList(Block(config, attentions) for _ in range(config.num_blocks))
        self.norm = RMSNorm(config.d_model)
        self.position_bias = RelativePositionBias(
            config.num_heads, config.num_buckets, config.max_distance, bidirectional
        )

    def forward(self, x, mask, *cross):
        own = (None, mask, self.position_bias(x.shape[1], x.shape[1]))
        for block in self.blocks:
            x = block(x, own, *cross)
        return self.norm(x)


class T5(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.pad_id = config.pad_id
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = Stack(config, ["attention"], bidirectional=True)
        self.decoder = Stack(config, ["self_attention", "cross_attention"], bidirectional=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, source, target):
        real = (source != self.pad_id).unsqueeze(-2)
        memory = self.encoder(self.dropout(self.embedding(source)), real)
        length = target.shape[-1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target.device).tril()
        hidden = self.decoder(self.dropout(self.embedding(target)), causal, (memory, real, None))
        return einsum("btd,vd->btv", hidden, self.embedding.weight) * hidden.shape[-1] ** -0.5


def text_to_text(task, **fields):
    match fields:
        case {"text": text} if len(fields) == 1:
            return f"{task}: {text}"
    return f"{task} " + " ".join(f"{name}: {text}" for name, text in fields.items())
