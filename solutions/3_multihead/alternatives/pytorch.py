"""Multi-head attention with PyTorch's building blocks: the replacement for a module that does not work yet."""

import torch
from torch import nn
from torch.nn import functional


def split_heads(x, num_heads):
    if x.size(-1) % num_heads:
        raise ValueError(f"{x.size(-1)} features cannot be shared among {num_heads} heads")
    return x.unflatten(-1, (num_heads, -1)).movedim(2, 1)


def merge_heads(x):
    return x.movedim(1, 2).flatten(2)


def repeat_kv(x, repeats):
    return x[:, :, None].expand(-1, -1, repeats, -1, -1).flatten(1, 2)


class KeyValueCache:
    def __init__(self):
        self.parts = []

    def append(self, key, value):
        self.parts.append((key, value))
        keys, values = zip(*self.parts, strict=True)
        return torch.cat(keys, dim=-2), torch.cat(values, dim=-2)

    def __len__(self):
        return sum(key.size(-2) for key, _ in self.parts)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads=None, bias=False, dropout=0.0):
        super().__init__()
        if num_kv_heads is None:
            num_kv_heads = num_heads
        for total, parts in ((d_model, num_heads), (num_heads, num_kv_heads)):
            if total % parts:
                raise ValueError(f"{total} cannot be divided by {parts}")
        d_kv = d_model // num_heads * num_kv_heads
        self.num_heads, self.num_kv_heads, self.rate = num_heads, num_kv_heads, dropout
        self.query_proj = nn.Linear(d_model, d_model, bias)
        self.key_proj = nn.Linear(d_model, d_kv, bias)
        self.value_proj = nn.Linear(d_model, d_kv, bias)
        self.output_proj = nn.Linear(d_model, d_model, bias)

    def forward(self, x, memory=None, mask=None, cache=None):
        source = x if memory is None else memory
        queries = split_heads(self.query_proj(x), self.num_heads)
        keys = split_heads(self.key_proj(source), self.num_kv_heads)
        values = split_heads(self.value_proj(source), self.num_kv_heads)
        if memory is None and cache is not None:
            keys, values = cache.append(keys, values)
        repeats = self.num_heads // self.num_kv_heads
        keys, values = repeat_kv(keys, repeats), repeat_kv(values, repeats)
        scores = torch.matmul(queries, keys.mT) * queries.size(-1) ** -0.5
        if mask is not None:
            allowed = mask[:, None] if mask.dim() == 3 else mask
            empty = ~allowed.any(dim=-1, keepdim=True)  # their softmax would be NaN: unmask, then zero the weights
            scores = scores.masked_fill(~(allowed | empty), float("-inf"))
            weights = functional.softmax(scores, dim=-1).masked_fill(empty, 0.0)
        else:
            weights = functional.softmax(scores, dim=-1)
        heads = torch.matmul(functional.dropout(weights, self.rate, self.training), values)
        return self.output_proj(merge_heads(heads)), weights
