"""One matrix product computes query, key and value from the named parameters; einsum does the rest."""

import math

import torch
from attention import scaled_dot_product_attention
from torch import nn
from torch.nn import functional


def split_heads(x, num_heads):
    d_head, rest = divmod(x.shape[2], num_heads)
    if rest != 0:
        raise ValueError(f"Cannot split d_model={x.shape[2]} into num_heads={num_heads} equal heads.")
    return torch.einsum("blhd->bhld", x.view(*x.shape[:2], num_heads, d_head))


def merge_heads(x):
    batch, heads, length, d_head = x.shape
    return torch.einsum("bhld->blhd", x).reshape(batch, length, heads * d_head)


def repeat_kv(x, repeats):
    index = torch.arange(x.shape[1] * repeats, device=x.device) // repeats
    return x.index_select(1, index)


class KeyValueCache:
    """One tensor holds keys and values, stacked."""

    def __init__(self):
        self.both = None

    def append(self, key, value):
        new = torch.stack((key, value))
        self.both = new if self.both is None else torch.cat((self.both, new), dim=-2)
        return tuple(self.both)

    def __len__(self):
        return 0 if self.both is None else self.both.shape[-2]


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads=None, bias=False, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads or num_heads
        if d_model % num_heads != 0 or num_heads % self.num_kv_heads != 0:
            raise ValueError(f"{d_model} features, {num_heads} heads and {self.num_kv_heads} key/value heads")
        d_kv = (d_model // num_heads) * self.num_kv_heads
        self.sizes = (d_model, d_kv, d_kv)
        self.dropout = dropout
        for name, outputs in zip(("query_proj", "key_proj", "value_proj"), self.sizes, strict=True):
            self.add_module(name, nn.Linear(d_model, outputs, bias=bias))
        self.output_proj = nn.Linear(d_model, d_model, bias=bias)

    def project(self, x, memory):
        if memory is not None:
            return self.query_proj(x), self.key_proj(memory), self.value_proj(memory)
        linears = (self.query_proj, self.key_proj, self.value_proj)
        weight = torch.cat([linear.weight for linear in linears])
        bias = None if linears[0].bias is None else torch.cat([linear.bias for linear in linears])
        return functional.linear(x, weight, bias).split(self.sizes, dim=-1)

    def forward(self, x, memory=None, mask=None, cache=None):
        query, key, value = self.project(x, memory)
        query = split_heads(query.contiguous(), self.num_heads)
        key = split_heads(key.contiguous(), self.num_kv_heads)
        value = split_heads(value.contiguous(), self.num_kv_heads)
        if memory is None and cache is not None:
            key, value = cache.append(key, value)
        repeats = self.num_heads // self.num_kv_heads
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]
        key, value = repeat_kv(key, repeats), repeat_kv(value, repeats)
        output, weights = scaled_dot_product_attention(query, key, value, mask, 1 / math.sqrt(query.shape[-1]))
        if self.training and self.dropout > 0:
            kept = torch.rand(weights.shape, dtype=weights.dtype, device=weights.device) >= self.dropout
            output = (weights * kept / (1 - self.dropout)) @ value
        return self.output_proj(merge_heads(output)), weights
