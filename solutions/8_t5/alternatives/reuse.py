"""Stage 8 out of earlier stages: a subclass of the multi-head attention, and masks read as strings."""

import math
import re
from dataclasses import dataclass

import torch
import transformer
from attention import causal_mask, masked_softmax
from multihead import MultiHeadAttention, merge_heads, split_heads
from torch import nn


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
        raise ValueError(f"length is {length}, but must be at least 2")
    masked = min(length - 1, max(1, round(rate * length)))
    count = min(max(1, round(masked / mean_span)), masked, length - masked)

    def composition(total):
        """Uniform between what the pieces behind leave: long pieces are more likely in front."""
        left, sizes = total, []
        for behind in range(count - 1, 0, -1):
            sizes.append(1 + int(torch.randint(left - behind, (1,), generator=generator)))
            left -= sizes[-1]
        sizes.append(left)
        order = torch.randperm(count, generator=generator).tolist()
        return [sizes[index] for index in order]

    pairs = zip(composition(length - masked), composition(masked), strict=True)
    drawn = "".join("." * gap + "#" * span for gap, span in pairs)
    return torch.tensor([character == "#" for character in drawn])


def corrupt_spans(tokens, spans, sentinel_ids, end_id):
    if not set(sentinel_ids).isdisjoint(tokens.tolist()):
        raise ValueError("the sentinels must not occur in the text")
    found = [match.span() for match in re.finditer("#+", "".join(".#"[masked] for masked in spans.tolist()))]
    if len(found) + 1 > len(sentinel_ids):
        raise ValueError(f"{len(found) + 1} sentinels are needed")
    inputs, targets, done = [], [], 0
    for (start, stop), sentinel in zip(found, sentinel_ids, strict=False):
        mark = tokens.new_full((1,), sentinel)
        inputs += [tokens[done:start], mark]
        targets += [mark, tokens[start:stop]]
        done = stop
    tail = tokens.new_tensor([sentinel_ids[len(found)], end_id])
    return torch.cat([*inputs, tokens[done:], tail[1:]]), torch.cat([*targets, tail])


def restore_spans(inputs, targets, sentinel_ids, end_id):
    rest, restored = targets[:-2].tolist(), []
    for token in inputs[:-1].tolist():
        if token in sentinel_ids:
            rest.pop(0)  # the same sentinel
            while rest and rest[0] not in sentinel_ids:
                restored.append(rest.pop(0))
        else:
            restored.append(token)
    return inputs.new_tensor(restored)


def relative_position_bucket(relative_position, bidirectional=True, num_buckets=32, max_distance=128):
    back, ahead = (-relative_position).clamp(min=0), relative_position.clamp(min=0)
    size = num_buckets // (2 if bidirectional else 1)
    exact = size // 2

    def of(distance):
        logarithm = torch.log((distance.clamp(min=exact) / exact).float())
        shared = exact + (logarithm * ((size - exact) / math.log(max_distance / exact))).long()
        return distance.where(distance < exact, shared).clamp(max=size - 1)

    return of(back) + (relative_position > 0) * (size + of(ahead)) if bidirectional else of(back)


class RelativePositionBias(nn.Module):
    def __init__(self, num_heads, num_buckets, max_distance, bidirectional):
        super().__init__()
        self.max_distance, self.bidirectional = max_distance, bidirectional
        self.register_parameter("weight", nn.Parameter(torch.ones(num_buckets, num_heads)))

    def forward(self, query_length, key_length):
        query, key = torch.meshgrid(
            torch.arange(query_length, device=self.weight.device),
            torch.arange(key_length, device=self.weight.device),
            indexing="ij",
        )
        number = relative_position_bucket(key - query, self.bidirectional, self.weight.shape[0], self.max_distance)
        chosen = nn.functional.one_hot(number, self.weight.shape[0]).to(self.weight.dtype)  # (query, key, num_buckets)
        return (chosen @ self.weight).movedim(2, 0)


class T5Attention(MultiHeadAttention):
    def forward(self, x, memory=None, mask=None, bias=None):
        source = memory if memory is not None else x
        query, key, value = (
            split_heads(layer(states), self.query_heads)
            for layer, states in ((self.query_proj, x), (self.key_proj, source), (self.value_proj, source))
        )
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]
        scores = query @ key.mT if bias is None else torch.add(bias, query @ key.mT)
        weights = masked_softmax(scores, mask)
        return self.output_proj(merge_heads(weights @ value)), weights

    def __init__(self, d_model, num_heads):
        super().__init__(d_model, num_heads, bias=False)
        self.query_heads = num_heads


class _Branch:
    """Adds a branch to x: a norm, a module, dropout."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, block, name, x, **inputs):
        result = getattr(block, name)(getattr(block, f"{name}_norm")(x), **inputs)
        result = result[0] if isinstance(result, tuple) else result
        return x + nn.functional.dropout(result, self.rate, block.training)


class EncoderBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention, self.attention_norm = T5Attention(config.d_model, config.num_heads), _norm(config)
        self.feed_forward, self.feed_forward_norm = _feed_forward(config), _norm(config)
        self.branch = _Branch(config.dropout)

    def forward(self, x, **attention):
        return self.branch(self, "feed_forward", self.branch(self, "attention", x, **attention))


class DecoderBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.self_attention, self.self_attention_norm = T5Attention(config.d_model, config.num_heads), _norm(config)
        self.cross_attention, self.cross_attention_norm = T5Attention(config.d_model, config.num_heads), _norm(config)
        self.feed_forward, self.feed_forward_norm = _feed_forward(config), _norm(config)
        self.branch = _Branch(config.dropout)

    def forward(self, x, across, **attention):
        x = self.branch(self, "self_attention", x, **attention)
        x = self.branch(self, "cross_attention", x, **across)
        return self.branch(self, "feed_forward", x)


def _norm(config):
    return transformer.RMSNorm(config.d_model)


def _feed_forward(config):
    return transformer.FeedForward(config.d_model, config.d_hidden, config.dropout)


class _Stack(nn.Module):
    def __init__(self, blocks, norm, position_bias):
        super().__init__()
        self.blocks, self.norm, self.position_bias = nn.ModuleList(blocks), norm, position_bias

    def forward(self, x, mask, *across):
        bias = self.position_bias(x.shape[1], x.shape[1])
        for block in self.blocks:
            x = block(x, *across, mask=mask, bias=bias)
        return self.norm(x)


class T5(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, self.embedding = config, nn.Embedding(config.vocab_size, config.d_model)
        settings = config.num_heads, config.num_buckets, config.max_distance
        blocks = [EncoderBlock(config) for _ in range(config.num_blocks)]
        self.encoder = _Stack(blocks, _norm(config), RelativePositionBias(*settings, True))
        blocks = [DecoderBlock(config) for _ in range(config.num_blocks)]
        self.decoder = _Stack(blocks, _norm(config), RelativePositionBias(*settings, False))

    def read(self, tokens):
        return nn.functional.dropout(self.embedding(tokens), self.config.dropout, self.training)

    def forward(self, source, target):
        real = (source != self.config.pad_id).unsqueeze(1)
        across = {"memory": self.encoder(self.read(source), real), "mask": real}
        hidden = self.decoder(self.read(target), causal_mask(target.shape[1], device=target.device), across)
        return hidden @ (self.embedding.weight / math.sqrt(self.config.d_model)).mT


def text_to_text(task, **fields):
    named = [f"{name}: {text}" for name, text in fields.items()]
    return f"{task}: {fields['text']}" if tuple(fields) == ("text",) else " ".join((task, *named))
