"""An einsum pairs each group of query heads with its key/value head; nothing is repeated, and exp is explicit."""

import torch
from torch import nn


def split_heads(x, num_heads):
    if x.shape[-1] != x.shape[-1] // num_heads * num_heads:
        raise ValueError(f"num_heads must divide d_model, but {x.shape[-1]} / {num_heads} leaves a remainder")
    return x.unflatten(2, (num_heads, x.shape[-1] // num_heads)).swapaxes(1, 2)


def merge_heads(x):
    return torch.hstack([*x.transpose(2, 3).unbind(1)]).transpose(1, 2)


def repeat_kv(x, repeats):
    return torch.stack([x] * repeats, dim=2).reshape(x.shape[0], -1, *x.shape[2:])


class KeyValueCache(nn.Module):
    """A module, so that the cache can move between devices; it doubles its buffer to grow."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.buffer = None

    def append(self, key, value):
        new = torch.stack([key, value])
        until = self.count + key.shape[-2]
        if self.buffer is None:
            self.buffer = new
        elif until > self.buffer.shape[-2]:
            self.buffer = torch.cat([self.buffer[..., : self.count, :], new, torch.zeros_like(self.buffer)], dim=-2)
        else:
            before, after = self.buffer[..., : self.count, :], self.buffer[..., until:, :]
            self.buffer = torch.cat([before, new, after], dim=-2)
        self.count = until
        return self.buffer[0, ..., :until, :], self.buffer[1, ..., :until, :]

    def __len__(self):
        return self.count


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads=None, bias=False, dropout=0.0):
        super().__init__()
        groups = num_heads if num_kv_heads is None else num_kv_heads
        if d_model % num_heads:
            raise ValueError(f"d_model {d_model} / num_heads {num_heads}")
        if num_heads % groups:
            raise ValueError(f"num_heads {num_heads} / num_kv_heads {groups}")
        self.num_heads, self.groups = num_heads, groups
        self.query_proj = nn.Linear(d_model, d_model, bias=bias)
        self.key_proj, self.value_proj = (nn.Linear(d_model, d_model // num_heads * groups, bias=bias) for _ in "kv")
        self.output_proj = nn.Linear(d_model, d_model, bias=bias)
        self.attention_dropout = nn.Dropout(dropout)

    def forward(self, x, memory=None, mask=None, cache=None):
        if memory is None:
            memory = x
        else:
            cache = None
        key, value = (split_heads(proj(memory), self.groups) for proj in (self.key_proj, self.value_proj))
        if cache is not None:
            key, value = cache.append(key, value)
        query = split_heads(self.query_proj(x), self.num_heads).unflatten(1, (self.groups, -1))
        scores = torch.einsum("bgrqd,bgkd->bgrqk", query, key).flatten(1, 2) / query.shape[-1] ** 0.5
        if mask is None:
            mask = torch.ones((), dtype=torch.bool, device=x.device)
        elif mask.ndim == 3:
            mask = mask.unsqueeze(-3)
        least = torch.finfo(scores.dtype).min
        top = torch.where(mask, scores, least).amax(dim=-1, keepdim=True).detach()
        exponentials = torch.where(mask, scores - top, -torch.inf).exp()
        total = exponentials.sum(dim=-1, keepdim=True)
        weights = exponentials / torch.where(total > 0, total, 1)
        grouped = self.attention_dropout(weights).unflatten(1, (self.groups, -1))
        output = torch.einsum("bgrqk,bgkd->bqgrd", grouped, value).flatten(2)
        return self.output_proj(output), weights
