"""Stage 8 as well-known libraries have it: shuffled marks, lowest scores for masks, a bias that blocks pass on."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from multihead import merge_heads, split_heads
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
    if length <= 1:
        raise ValueError("length must be at least 2")
    num_noise = round(length * rate)
    num_noise = min(max(num_noise, 1), length - 1)
    num_spans = max(round(num_noise / mean_span), 1)
    num_spans = min(num_spans, num_noise, length - num_noise)

    def random_segmentation(num_items, num_segments):
        first = torch.zeros(num_items - 1, dtype=torch.long)
        first[: num_segments - 1] = 1
        first = first[torch.randperm(num_items - 1, generator=generator)]
        segment_id = torch.cumsum(F.pad(first, (1, 0)), 0)
        return torch.unique_consecutive(segment_id, return_counts=True)[1]

    noise_lengths = random_segmentation(num_noise, num_spans)
    other_lengths = random_segmentation(length - num_noise, num_spans)
    interleaved = torch.stack([other_lengths, noise_lengths], dim=1).reshape(-1)
    starts = torch.cumsum(interleaved, 0)[:-1]
    indicator = torch.zeros(length, dtype=torch.long)
    indicator[starts] = 1
    return torch.cumsum(indicator, 0) % 2 == 1


def _sentinel_mask(mask):
    start = mask.clone()
    start[1:] &= ~mask[:-1]
    return start


def _filtered(tokens, mask, sentinels, tail):
    start = _sentinel_mask(mask)
    ids = torch.cumsum(start.long(), 0) - 1
    filled = torch.where(start, sentinels[ids.clamp(min=0)], tokens)
    return torch.cat([filled[start | ~mask], tail])


def corrupt_spans(tokens, spans, sentinel_ids, end_id):
    if len(sentinel_ids) < int(_sentinel_mask(spans).sum()) + 1:
        raise ValueError("not enough sentinels")
    sentinels = torch.tensor(list(sentinel_ids), dtype=tokens.dtype, device=tokens.device)
    if (tokens[:, None] == sentinels[None, :]).any():
        raise ValueError("the text contains sentinels")
    number = int(_sentinel_mask(spans).sum())
    end = tokens.new_full((1,), end_id)
    inputs = _filtered(tokens, spans, sentinels, end)
    # The targets keep each masked token and put a sentinel before each span.
    start = _sentinel_mask(spans)
    where = (torch.arange(len(tokens), device=tokens.device) + torch.cumsum(start.long(), 0))[spans]
    pairs = torch.cat([where, where[start[spans]] - 1])
    values = torch.cat([tokens[spans], sentinels[:number]])
    return inputs, torch.cat([values[pairs.argsort()], sentinels[number : number + 1], end])


def restore_spans(inputs, targets, sentinel_ids, end_id):
    sentinel_ids = [int(sentinel) for sentinel in sentinel_ids]
    target_list, input_list = targets.tolist(), inputs.tolist()
    target_list.pop()
    input_list.pop()
    pieces, current = {}, None
    for token in target_list:
        if token in sentinel_ids:
            current = token
            pieces[current] = []
        else:
            pieces[current].append(token)
    result = []
    for token in input_list:
        if token in pieces and token in sentinel_ids:
            result += pieces[token]
        else:
            result.append(token)
    return torch.tensor(result, dtype=inputs.dtype, device=inputs.device)


def relative_position_bucket(relative_position, bidirectional=True, num_buckets=32, max_distance=128):
    relative_buckets = 0
    if bidirectional:
        num_buckets //= 2
        relative_buckets += (relative_position > 0).to(torch.long) * num_buckets
        relative_position = torch.abs(relative_position)
    else:
        relative_position = -torch.min(relative_position, torch.zeros_like(relative_position))
    max_exact = num_buckets // 2
    is_small = relative_position < max_exact
    if_large = max_exact + (
        torch.log(relative_position.float() / max_exact)
        / math.log(max_distance / max_exact)
        * (num_buckets - max_exact)
    ).to(torch.long)
    if_large = torch.min(if_large, torch.full_like(if_large, num_buckets - 1))
    relative_buckets += torch.where(is_small, relative_position, if_large)
    return relative_buckets


class RelativePositionBias(nn.Module):
    def __init__(self, num_heads, num_buckets, max_distance, bidirectional):
        super().__init__()
        self.num_buckets, self.max_distance, self.bidirectional = num_buckets, max_distance, bidirectional
        self.weight = nn.Parameter(torch.zeros(num_buckets, num_heads))
        nn.init.normal_(self.weight, std=num_heads**-0.5)

    def forward(self, query_length, key_length):
        device = self.weight.device
        context_position = torch.arange(query_length, dtype=torch.long, device=device)[:, None]
        memory_position = torch.arange(key_length, dtype=torch.long, device=device)[None, :]
        bucket = relative_position_bucket(
            memory_position - context_position,
            bidirectional=self.bidirectional,
            num_buckets=self.num_buckets,
            max_distance=self.max_distance,
        )
        return F.embedding(bucket, self.weight).permute([2, 0, 1])


class T5Attention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.query_proj = nn.Linear(d_model, d_model, bias=False)
        self.key_proj = nn.Linear(d_model, d_model, bias=False)
        self.value_proj = nn.Linear(d_model, d_model, bias=False)
        self.output_proj = nn.Linear(d_model, d_model, bias=False)

    def forward(self, x, memory=None, mask=None, bias=None):
        states = x if memory is None else memory
        q = split_heads(self.query_proj(x), self.num_heads)
        k = split_heads(self.key_proj(states), self.num_heads)
        v = split_heads(self.value_proj(states), self.num_heads)
        scores = torch.matmul(q, k.transpose(3, 2))
        if bias is not None:
            scores = scores + bias.unsqueeze(0)
        if mask is not None:
            if mask.dim() == 3:
                mask = mask[:, None, :, :]
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = (
            F.softmax(scores.float(), dim=-1).type_as(scores) if scores.dtype != torch.float64 else scores.softmax(-1)
        )
        if mask is not None:
            weights = weights * mask.any(dim=-1, keepdim=True)
        return self.output_proj(merge_heads(torch.matmul(weights, v))), weights


class EncoderLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = T5Attention(config.d_model, config.num_heads)
        self.attention_norm = RMSNorm(config.d_model)
        self.feed_forward = FeedForward(config.d_model, config.d_hidden, config.dropout)
        self.feed_forward_norm = RMSNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden_states, attention_mask=None, position_bias=None):
        normed = self.attention_norm(hidden_states)
        attended, _ = self.attention(normed, mask=attention_mask, bias=position_bias)
        hidden_states = hidden_states + self.dropout(attended)
        forwarded = self.feed_forward(self.feed_forward_norm(hidden_states))
        return hidden_states + self.dropout(forwarded), position_bias


class DecoderLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.self_attention = T5Attention(config.d_model, config.num_heads)
        self.self_attention_norm = RMSNorm(config.d_model)
        self.cross_attention = T5Attention(config.d_model, config.num_heads)
        self.cross_attention_norm = RMSNorm(config.d_model)
        self.feed_forward = FeedForward(config.d_model, config.d_hidden, config.dropout)
        self.feed_forward_norm = RMSNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden_states, attention_mask, position_bias, encoder_states, encoder_mask):
        normed = self.self_attention_norm(hidden_states)
        attended, _ = self.self_attention(normed, mask=attention_mask, bias=position_bias)
        hidden_states = hidden_states + self.dropout(attended)
        normed = self.cross_attention_norm(hidden_states)
        attended, _ = self.cross_attention(normed, memory=encoder_states, mask=encoder_mask)
        hidden_states = hidden_states + self.dropout(attended)
        forwarded = self.feed_forward(self.feed_forward_norm(hidden_states))
        return hidden_states + self.dropout(forwarded), position_bias


class Stack(nn.Module):
    def __init__(self, config, layer, bidirectional):
        super().__init__()
        self.blocks = nn.ModuleList([layer(config) for _ in range(config.num_blocks)])
        self.norm = RMSNorm(config.d_model)
        self.position_bias = RelativePositionBias(
            config.num_heads, config.num_buckets, config.max_distance, bidirectional
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, embeddings, *rest):
        hidden_states = self.dropout(embeddings)
        mask, *across = rest
        position_bias = self.position_bias(embeddings.size(1), embeddings.size(1))
        for layer in self.blocks:
            hidden_states, position_bias = layer(hidden_states, mask, position_bias, *across)
        return self.dropout(self.norm(hidden_states))


class T5(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = Stack(config, EncoderLayer, True)
        self.decoder = Stack(config, DecoderLayer, False)

    def forward(self, source, target):
        encoder_mask = source.ne(self.config.pad_id)[:, None, None, :]
        memory = self.encoder(self.embedding(source), encoder_mask)
        steps = torch.arange(target.size(1), device=target.device)
        causal = steps[None, :] <= steps[:, None]
        output = self.decoder(self.embedding(target), causal[None, None], memory, encoder_mask)
        return F.linear(output * self.config.d_model**-0.5, self.embedding.weight)


def text_to_text(task, **fields):
    if len(fields) == 1 and "text" in fields:
        return task + ": " + fields["text"]
    parts = [task]
    for name in fields:
        parts.append(name + ": " + fields[name])
    return " ".join(parts)
