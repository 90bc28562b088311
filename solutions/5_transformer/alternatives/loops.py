"""Stage 5 with loops over vectors, blocks by number, and tokens in Python lists."""

import math

import torch
from attention import causal_mask
from multihead import MultiHeadAttention
from positions import sinusoidal_encoding
from torch import nn


class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        rows = []
        for row in x.reshape(-1, x.shape[-1]):
            mean = row.sum() / len(row)
            variance = ((row - mean) ** 2).sum() / len(row)
            rows.append((row - mean) / (variance + self.eps) ** 0.5 * self.weight + self.bias)
        return torch.stack(rows).reshape(x.shape)


class RMSNorm(nn.Module):
    def __init__(self, d_model, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.eps = eps

    def forward(self, x):
        rows = [row / ((row @ row) / len(row) + self.eps) ** 0.5 for row in x.reshape(-1, x.shape[-1])]
        return torch.stack(rows).reshape(x.shape) * self.weight


def gelu(x, approximate="none"):
    if approximate == "none":
        below = 0.5 + 0.5 * torch.erf(x * 2**-0.5)
    else:
        below = 0.5 + 0.5 * torch.tanh((2 / math.pi) ** 0.5 * x * (1 + 0.044715 * x * x))
    return below * x


class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.input_proj = nn.Linear(d_model, d_hidden, bias=True)
        self.output_proj = nn.Linear(d_hidden, d_model, bias=True)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        x = self.input_proj(x)
        x = gelu(x)
        x = self.drop(x)
        return self.output_proj(x)


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout=dropout)
        self.attention_norm, self.feed_forward_norm = LayerNorm(d_model), LayerNorm(d_model)
        self.drop_attention, self.drop_feed_forward = nn.Dropout(dropout), nn.Dropout(dropout)
        self.pre = norm_first

    def forward(self, x, mask=None, cache=None):
        read = self.attention_norm(x) if self.pre else x
        x = x + self.drop_attention(self.attention(read, None, mask, cache)[0])
        if not self.pre:
            x = self.attention_norm(x)
        read = self.feed_forward_norm(x) if self.pre else x
        x = x + self.drop_feed_forward(self.feed_forward(read))
        if not self.pre:
            x = self.feed_forward_norm(x)
        return x


class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, None, False, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, None, False, dropout)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        for name in ("self_attention", "cross_attention", "feed_forward"):
            setattr(self, f"{name}_norm", LayerNorm(d_model))
        self.drop = nn.Dropout(dropout)
        self.pre = norm_first

    def forward(self, x, memory, mask=None, memory_mask=None, cache=None):
        before = 0 if cache is None else len(cache)
        allowed = causal_mask(x.shape[1], before + x.shape[1], x.device)
        if mask is not None:
            allowed = torch.logical_and(mask, allowed)
        steps = [
            (lambda read: self.self_attention(read, None, allowed, cache)[0], self.self_attention_norm),
            (lambda read: self.cross_attention(read, memory, memory_mask)[0], self.cross_attention_norm),
            (self.feed_forward, self.feed_forward_norm),
        ]
        for step, norm in steps:
            x = x + self.drop(step(norm(x))) if self.pre else norm(x + self.drop(step(x)))
        return x


class Encoder(nn.Module):
    def __init__(self, num_blocks, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.blocks = nn.ModuleList()
        for _ in range(num_blocks):
            self.blocks.append(EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first))
        if norm_first:
            self.norm = LayerNorm(d_model)

    def forward(self, x, mask=None):
        for number in range(len(self.blocks)):
            x = self.blocks[number](x, mask=mask)
        if hasattr(self, "norm"):
            x = self.norm(x)
        return x


class Decoder(nn.Module):
    def __init__(self, num_blocks, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.blocks = nn.ModuleList()
        for _ in range(num_blocks):
            self.blocks.append(DecoderBlock(d_model, num_heads, d_hidden, dropout, norm_first))
        if norm_first:
            self.norm = LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None, caches=None):
        for number in range(len(self.blocks)):
            cache = caches[number] if caches is not None else None
            x = self.blocks[number](x, memory, mask=mask, memory_mask=memory_mask, cache=cache)
        if hasattr(self, "norm"):
            x = self.norm(x)
        return x


class Transformer(nn.Module):
    def __init__(
        self,
        source_vocab,
        target_vocab,
        d_model,
        num_heads,
        num_blocks,
        d_hidden,
        max_length,
        dropout=0.0,
        pad_id=0,
    ):
        super().__init__()
        self.pad_id, self.max_length, self.d_model = pad_id, max_length, d_model
        self.source_embedding = nn.Embedding(source_vocab, d_model, padding_idx=pad_id)  # padding is never read
        self.target_embedding = nn.Embedding(target_vocab, d_model)
        self.encoder = Encoder(num_blocks, d_model, num_heads, d_hidden, dropout)
        self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout)
        self.output_proj = nn.Linear(d_model, target_vocab)
        self.drop = nn.Dropout(dropout)

    def places(self, x):
        if x.shape[1] > self.max_length:
            raise ValueError("too many tokens")
        table = sinusoidal_encoding(x.shape[1], self.d_model, device=x.device)
        return x + table.to(x.dtype)

    def encode(self, source):
        x = self.drop(self.places(self.source_embedding(source) * math.sqrt(self.d_model)))
        return self.encoder(x, (source != self.pad_id).unsqueeze(-2))

    def decode(self, target, memory, source):
        x = self.drop(self.places(self.target_embedding(target) * math.sqrt(self.d_model)))
        return self.output_proj(self.decoder(x, memory, None, (source != self.pad_id).unsqueeze(-2)))

    def forward(self, source, target):
        memory = self.encode(source)
        return self.decode(target, memory, source)


def shift_right(tokens, start_id):
    rows = [[start_id, *row[:-1]] for row in tokens.tolist()] if tokens.device.type != "meta" else None
    if rows is None:  # a tensor on the meta device has no values
        return torch.empty_like(tokens)
    return torch.tensor(rows, dtype=tokens.dtype, device=tokens.device)


def label_smoothed_loss(logits, targets, smoothing, pad_id):
    vocab = logits.shape[-1]
    total, count = logits.sum() * 0, 0
    for scores, target in zip(logits.reshape(-1, vocab), targets.flatten().tolist(), strict=True):
        if target in (pad_id, -100):
            continue
        surprise = torch.logsumexp(scores, dim=0) - scores
        total = total + (1 - smoothing) * surprise[target] + smoothing / vocab * surprise.sum()
        count += 1
    return total / max(count, 1)


@torch.no_grad()
def greedy_decode(model, source, start_id, end_id, max_length):
    mode = model.training
    model.train(False)
    memory = model.encode(source)
    rows = [[] for _ in source]
    for _ in range(max_length):
        target = torch.tensor([[start_id, *row] for row in rows], device=source.device)
        best = model.decode(target, memory, source)[:, -1, :].argmax(dim=-1).tolist()
        for row, token in zip(rows, best, strict=True):
            row.append(model.pad_id if end_id in row else token)
        if all(end_id in row for row in rows):
            break
    model.train(mode)
    return torch.tensor(rows, device=source.device)


def warmup_rate(step, d_model, warmup):
    rising, falling = step / (warmup * warmup**0.5), 1 / step**0.5
    return (rising if rising < falling else falling) / d_model**0.5
