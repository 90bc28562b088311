"""Each head is computed separately, from its own rows of the projections."""

import torch
from attention import scaled_dot_product_attention
from torch import nn
from torch.nn import functional


def split_heads(x, num_heads):
    d_model = x.size(2)
    if d_model % num_heads > 0:
        raise ValueError(f"d_model = {d_model} cannot be split into {num_heads} heads")
    return torch.stack(x.chunk(num_heads, dim=2), dim=1)


def merge_heads(x):
    return torch.cat([x[:, head] for head in range(x.size(1))], dim=2)


def repeat_kv(x, repeats):
    copies = []
    for head in range(x.size(1)):
        copies += [x[:, head]] * repeats
    return torch.stack(copies, dim=1)


class KeyValueCache:
    def __init__(self):
        self.keys, self.values, self.length = [], [], 0

    def append(self, key, value):
        self.keys.extend(key.unbind(dim=2))
        self.values.extend(value.unbind(dim=2))
        self.length += key.size(2)
        return [torch.stack(self.keys, dim=2), torch.stack(self.values, dim=2)]

    def __len__(self):
        return self.length


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads=None, bias=False, dropout=0.0):
        super().__init__()
        num_kv_heads = num_kv_heads if num_kv_heads is not None else num_heads
        d_head, rest = divmod(d_model, num_heads)
        if rest:
            raise ValueError(f"{num_heads} heads cannot share {d_model} features")
        self.repeats, rest = divmod(num_heads, num_kv_heads)
        if rest:
            raise ValueError(f"{num_kv_heads} key/value heads cannot serve {num_heads} heads")
        self.num_heads, self.num_kv_heads, self.d_head = num_heads, num_kv_heads, d_head
        self.query_proj = nn.Linear(d_model, d_model, bias=bias)
        self.key_proj = nn.Linear(d_model, num_kv_heads * d_head, bias=bias)
        self.value_proj = nn.Linear(d_model, num_kv_heads * d_head, bias=bias)
        self.output_proj = nn.Linear(d_model, d_model, bias=bias)
        self.drop = nn.Dropout(dropout)

    def rows(self, linear, head, tokens):
        rows = slice(head * self.d_head, (head + 1) * self.d_head)
        bias = linear.bias[rows] if linear.bias is not None else None
        return functional.linear(tokens, linear.weight[rows], bias)

    def forward(self, x, memory=None, mask=None, cache=None):
        source = memory if memory is not None else x
        keys = torch.stack([self.rows(self.key_proj, head, source) for head in range(self.num_kv_heads)], 1)
        values = torch.stack([self.rows(self.value_proj, head, source) for head in range(self.num_kv_heads)], 1)
        if cache is not None and memory is None:
            keys, values = cache.append(keys, values)
        outputs, maps = [], []
        for head in range(self.num_heads):
            allowed = mask
            if mask is not None and mask.dim() == 4:
                allowed = mask[:, head if mask.size(1) > 1 else 0]
            query = self.rows(self.query_proj, head, x)
            key, value = keys[:, head // self.repeats], values[:, head // self.repeats]
            weights = scaled_dot_product_attention(query, key, value, allowed)[1]
            outputs.append(torch.bmm(self.drop(weights), value))
            maps.append(weights)
        return self.output_proj(torch.cat(outputs, dim=-1)), torch.stack(maps, dim=1)
