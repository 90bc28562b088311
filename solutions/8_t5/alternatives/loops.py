"""Stage 8 with loops in Python: token by token, pair by pair, head by head, layer by layer without block classes."""

import math
import random
from dataclasses import dataclass

import torch
from torch import nn
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
        raise ValueError("too short")
    masked = round(length * rate)
    masked = 1 if masked < 1 else length - 1 if masked >= length else masked
    count = max(1, round(masked / mean_span))
    count = min(count, masked, length - masked)
    dice = random.Random(int(torch.randint(2**31, (), generator=generator)))
    # Each piece has one token; the rest goes to random pieces, one by one. The last gap may be behind the last span.
    spans, gaps = [1] * count, [1] * count + [0]
    for _ in range(masked - count):
        spans[dice.randrange(count)] += 1
    for _ in range(length - masked - count):
        gaps[dice.randrange(count + 1)] += 1
    mask = []
    for gap, span in zip(gaps, spans, strict=False):
        mask += [False] * gap + [True] * span
    return torch.tensor(mask + [False] * gaps[-1])


def corrupt_spans(tokens, spans, sentinel_ids, end_id):
    text, hidden, sentinels = tokens.tolist(), spans.tolist(), list(sentinel_ids)
    for token in text:
        if token in sentinels:
            raise ValueError(f"{token} is a sentinel")
    inputs, targets, position = [], [], 0
    while position < len(text):
        if not hidden[position]:
            inputs.append(text[position])
            position += 1
            continue
        if len(sentinels) < 2:
            raise ValueError("the sentinels have run out")
        sentinel = sentinels.pop(0)
        inputs.append(sentinel)
        targets.append(sentinel)
        while position < len(text) and hidden[position]:
            targets.append(text[position])
            position += 1
    if not sentinels:
        raise ValueError("there is no last sentinel")
    return (
        torch.tensor([*inputs, end_id], dtype=tokens.dtype, device=tokens.device),
        torch.tensor([*targets, sentinels[0], end_id], dtype=tokens.dtype, device=tokens.device),
    )


def restore_spans(inputs, targets, sentinel_ids, end_id):
    answers = targets.tolist()[:-1]
    text = []
    for token in inputs.tolist()[:-1]:
        if token not in sentinel_ids:
            text.append(token)
            continue
        position = answers.index(token) + 1
        while answers[position] not in sentinel_ids:
            text.append(answers[position])
            position += 1
    return torch.tensor(text, dtype=inputs.dtype, device=inputs.device)


def _bucket(relative, bidirectional, num_buckets, max_distance):
    offset = 0
    if bidirectional:
        num_buckets = num_buckets // 2
        if relative > 0:
            offset = num_buckets
        relative = -abs(relative)
    if relative > 0:
        return 0
    distance, exact = -relative, num_buckets // 2
    if distance < exact:
        return offset + distance
    logarithm = torch.log(torch.tensor(distance / exact, dtype=torch.float32)) / math.log(max_distance / exact)
    return offset + min(exact + int(logarithm * (num_buckets - exact)), num_buckets - 1)


def relative_position_bucket(relative_position, bidirectional=True, num_buckets=32, max_distance=128):
    found = [_bucket(value, bidirectional, num_buckets, max_distance) for value in relative_position.flatten().tolist()]
    return torch.tensor(found, device=relative_position.device).reshape(relative_position.shape)


class RelativePositionBias(nn.Module):
    def __init__(self, num_heads, num_buckets, max_distance, bidirectional):
        super().__init__()
        self.num_heads, self.arguments = num_heads, (bidirectional, num_buckets, max_distance)
        self.weight = nn.Parameter(torch.zeros(num_buckets, num_heads))

    def forward(self, query_length, key_length):
        rows = [[_bucket(key - query, *self.arguments) for key in range(key_length)] for query in range(query_length)]
        return torch.stack([self.weight[:, head][torch.tensor(rows)] for head in range(self.num_heads)])


class T5Attention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.num_heads, self.d_head = num_heads, d_model // num_heads
        self.query_proj, self.key_proj, self.value_proj, self.output_proj = (
            nn.Linear(d_model, d_model, bias=False) for _ in range(4)
        )

    def forward(self, x, memory=None, mask=None, bias=None):
        memory = x if memory is None else memory
        outputs, weights = [], []
        queries, keys, values = self.query_proj(x), self.key_proj(memory), self.value_proj(memory)
        for head in range(self.num_heads):
            own = slice(head * self.d_head, (head + 1) * self.d_head)
            scores = queries[..., own] @ keys[..., own].transpose(1, 2)
            if bias is not None:
                scores = scores + bias[head]
            if mask is not None:
                allowed = mask[:, head if mask.shape[1] > 1 else 0] if mask.ndim == 4 else mask
                allowed = allowed.expand_as(scores)
                scores = scores.masked_fill(~allowed, -math.inf)
                nothing = ~allowed.any(dim=-1, keepdim=True)
                weight = scores.masked_fill(nothing, 0.0).softmax(dim=-1).masked_fill(nothing, 0.0)
            else:
                weight = scores.softmax(dim=-1)
            weights.append(weight)
            outputs.append(weight @ values[..., own])
        return self.output_proj(torch.cat(outputs, dim=-1)), torch.stack(weights, dim=1)


def _module(**parts):
    module = nn.Module()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


class T5(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = self.stack(["attention", "feed_forward"], True)
        self.decoder = self.stack(["self_attention", "cross_attention", "feed_forward"], False)
        self.drop = nn.Dropout(config.dropout)

    def stack(self, names, bidirectional):
        c = self.config
        blocks = nn.ModuleList()
        for _ in range(c.num_blocks):
            parts = {}
            for name in names:
                parts[name + "_norm"] = RMSNorm(c.d_model)
                parts[name] = (
                    FeedForward(c.d_model, c.d_hidden, c.dropout)
                    if name == "feed_forward"
                    else T5Attention(c.d_model, c.num_heads)
                )
            blocks.append(_module(**parts))
        bias = RelativePositionBias(c.num_heads, c.num_buckets, c.max_distance, bidirectional)
        return _module(blocks=blocks, norm=RMSNorm(c.d_model), position_bias=bias)

    def forward(self, source, target):
        readable = (source != self.config.pad_id)[:, None, None]
        x = self.drop(self.embedding(source))
        bias = self.encoder.position_bias(source.shape[1], source.shape[1])
        for block in self.encoder.blocks:
            block.forward = lambda x, block=block: self.read(block, x, readable, bias)
            x = block(x)
        memory = self.encoder.norm(x)
        x = self.drop(self.embedding(target))
        bias = self.decoder.position_bias(target.shape[1], target.shape[1])
        causal = torch.ones(target.shape[1], target.shape[1], device=target.device).tril().bool()
        for block in self.decoder.blocks:
            block.forward = lambda x, block=block: self.write(block, x, causal, bias, memory, readable)
            x = block(x)
        x = self.decoder.norm(x)
        return (x @ self.embedding.weight.t()) / self.config.d_model**0.5

    def read(self, block, x, mask, bias):
        x = x + self.drop(block.attention(block.attention_norm(x), None, mask, bias)[0])
        return x + self.drop(block.feed_forward(block.feed_forward_norm(x)))

    def write(self, block, x, causal, bias, memory, readable):
        x = x + self.drop(block.self_attention(block.self_attention_norm(x), None, causal, bias)[0])
        x = x + self.drop(block.cross_attention(block.cross_attention_norm(x), memory, readable)[0])
        return x + self.drop(block.feed_forward(block.feed_forward_norm(x)))


def text_to_text(task, **fields):
    result = task
    for name, text in fields.items():
        result += f": {text}" if [*fields] == ["text"] else f" {name}: {text}"
    return result
