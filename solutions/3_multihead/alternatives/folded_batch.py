"""Heads folded into the batch, as in older code; blocked scores are set to the lowest number of the dtype."""

import torch
from torch import nn


def check_divides(part, whole):
    if whole % part:
        raise ValueError(f"{whole} is not a multiple of {part}")


def split_heads(x, num_heads):
    check_divides(num_heads, x.shape[-1])
    batch, length, _ = x.shape
    return x.reshape(batch, length, num_heads, -1).permute(0, 2, 1, 3).contiguous()


def merge_heads(x):
    batch, _, length, _ = x.shape
    return x.permute(0, 2, 1, 3).contiguous().view(batch, length, -1)


def repeat_kv(x, repeats):
    batch, heads, length, d_head = x.shape
    return x.unsqueeze(2).repeat(1, 1, repeats, 1, 1).view(batch, heads * repeats, length, d_head)


class KeyValueCache:
    """A dictionary with the keys and values so far."""

    def __init__(self):
        self.so_far = {}

    def append(self, key, value):
        for name, new in (("key", key), ("value", value)):
            old = self.so_far.get(name)
            self.so_far[name] = new.clone() if old is None else torch.cat([old, new], dim=2)
        return self.so_far["key"], self.so_far["value"]

    def __len__(self):
        return self.so_far["key"].shape[2] if self.so_far else 0


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads=None, bias=False, dropout=0.0):
        check_divides(num_heads, d_model)
        if num_kv_heads is None:
            num_kv_heads = num_heads
        check_divides(num_kv_heads, num_heads)
        super().__init__()
        self.heads, self.kv_heads = num_heads, num_kv_heads
        self.size = d_model // num_heads
        self.query_proj = nn.Linear(d_model, num_heads * self.size, bias=bias)
        self.key_proj = nn.Linear(d_model, num_kv_heads * self.size, bias=bias)
        self.value_proj = nn.Linear(d_model, num_kv_heads * self.size, bias=bias)
        self.output_proj = nn.Linear(num_heads * self.size, d_model, bias=bias)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x, memory=None, mask=None, cache=None):
        batch, queries, _ = x.shape
        source = x if memory is None else memory
        query = split_heads(self.query_proj(x) / self.size**0.25, self.heads)  # half of the scale
        key = split_heads(self.key_proj(source) / self.size**0.25, self.kv_heads)
        value = split_heads(self.value_proj(source), self.kv_heads)
        key, value = (repeat_kv(heads, self.heads // self.kv_heads) for heads in (key, value))
        if memory is None and cache is not None:
            key, value = cache.append(key, value)  # repeated heads take more memory, and are correct
        keys = key.shape[2]
        scores = torch.bmm(query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2))  # (batch·heads, query, key)
        if mask is not None:
            while mask.dim() < 4:
                mask = mask.unsqueeze(1) if mask.dim() == 3 else mask.unsqueeze(0)
            blocked = mask.expand(batch, self.heads, queries, keys).reshape(-1, queries, keys).logical_not()
            scores = scores.masked_fill(blocked, torch.finfo(scores.dtype).min)
            # Where all keys are blocked, the softmax gives equal weights: a differentiable factor sets them to 0.
            weights = torch.softmax(scores, dim=-1) * (~blocked).to(scores.dtype)
        else:
            weights = torch.softmax(scores, dim=-1)
        heads = torch.bmm(self.dropout(weights), value.flatten(0, 1))
        output = merge_heads(heads.view(batch, self.heads, queries, self.size))
        return self.output_proj(output), weights.view(batch, self.heads, queries, keys)
