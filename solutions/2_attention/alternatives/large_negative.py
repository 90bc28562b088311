"""Attention in the style of many tutorials: blocked scores are set to a large negative number, rows zeroed afterwards.

The number is the lowest of the dtype: -1e9 is too large for float16, and lower scores of float32 would lose to it.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def softmax(x, dim=-1):
    maximum, _ = torch.max(x, dim=dim, keepdim=True)
    finite = torch.isfinite(maximum)
    x_exp = torch.exp(x - torch.where(finite, maximum, 0.0))
    return x_exp / (x_exp.sum(dim=dim, keepdim=True) + (~finite).to(x.dtype))


def causal_mask(query_length, key_length=None, device=None):
    if key_length is None:
        key_length = query_length
    full = torch.tril(torch.ones(max(query_length, key_length), key_length, device=device), diagonal=0).bool()
    if query_length > key_length:
        empty = torch.zeros(query_length - key_length, key_length, dtype=torch.bool, device=device)
        return torch.cat([empty, full[:key_length]])
    return full[key_length - query_length :]


def padding_mask(lengths, max_length):
    positions = torch.arange(max_length, device=lengths.device).expand(lengths.size(0), max_length)
    return ~(positions >= lengths.unsqueeze(1))


def masked_softmax(scores, mask=None):
    if mask is not None:
        mask = mask.expand_as(scores)
        scores = scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min)
    weights = softmax(scores, dim=-1)
    if mask is not None:
        weights = weights.masked_fill(mask.sum(-1, keepdim=True) == 0, 0)
    return weights


def scaled_dot_product_attention(query, key, value, mask=None, scale=None):
    if scale is None:
        root = query.size(-1) ** 0.25
        scores = torch.matmul(query / root, (key / root).transpose(-2, -1))
    else:
        scores = torch.matmul(query, key.transpose(-2, -1)) * scale
    p_attn = masked_softmax(scores, mask)
    return torch.matmul(p_attn, value), p_attn


def kernel_attention(query, key, value, bandwidth):
    distances = torch.cdist(query / bandwidth, key / bandwidth, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.matmul(masked_softmax(-0.5 * distances**2), value)


class AdditiveAttention(nn.Module):
    def __init__(self, d_query, d_key, d_hidden):
        super().__init__()
        layers = {"query_proj": (d_query, d_hidden), "key_proj": (d_key, d_hidden), "score": (d_hidden, 1)}
        for name, sizes in layers.items():
            setattr(self, name, nn.Linear(*sizes, bias=False))

    def forward(self, query, key, value, mask=None):
        hidden = F.linear(query, self.query_proj.weight)[:, :, None] + F.linear(key, self.key_proj.weight)[:, None]
        scores = torch.tanh(hidden) @ self.score.weight[0]
        weights = masked_softmax(scores, mask)
        return torch.bmm(weights, value), weights


def attention_backward(grad_output, query, key, value, weights, scale):
    d_value = torch.matmul(weights.transpose(-1, -2), grad_output)
    d_weights = torch.matmul(grad_output, value.transpose(-1, -2))
    weighted = weights * d_weights
    d_scores = weighted - weights * weighted.sum(dim=-1, keepdim=True)
    d_scores = d_scores * scale
    return torch.matmul(d_scores, key), torch.matmul(d_scores.transpose(-1, -2), query), d_value


def blockwise_attention(query, key, value, block_size, mask=None):
    m = key.shape[-2]
    query = query / math.sqrt(query.shape[-1])
    acc = torch.zeros(*query.shape[:-1], value.shape[-1], dtype=query.dtype, device=query.device)
    lowest = torch.finfo(query.dtype).min
    running_max = torch.full(query.shape[:-1], lowest, dtype=query.dtype, device=query.device)
    running_sum = torch.zeros(query.shape[:-1], dtype=query.dtype, device=query.device)
    for i in range(math.ceil(m / block_size)):
        lo, hi = i * block_size, min((i + 1) * block_size, m)
        s = torch.matmul(query, key[..., lo:hi, :].transpose(-1, -2))
        if mask is not None:
            block_mask = mask.expand(*mask.shape[:-1], m)[..., lo:hi] if mask.shape[-1] == 1 else mask[..., lo:hi]
            s = s.masked_fill(~block_mask, float("-inf"))
        new_max = torch.maximum(running_max, s.max(dim=-1).values)
        p = torch.exp(s - new_max[..., None])
        alpha = torch.exp(running_max - new_max)
        running_sum *= alpha
        running_sum += p.sum(dim=-1)
        acc *= alpha[..., None]
        acc += torch.matmul(p, value[..., lo:hi, :])
        running_max = new_max
    running_sum[running_sum == 0] = 1
    return acc / running_sum[..., None]
