"""Attention with PyTorch's softmax: the replacement for a module that does not work yet."""

import math

import torch
from torch import nn
from torch.nn import functional


def softmax(x, dim=-1):
    empty = torch.isneginf(x).all(dim=dim, keepdim=True)
    return functional.softmax(x.masked_fill(empty, 0.0), dim=dim).masked_fill(empty, 0.0)


def causal_mask(query_length, key_length=None, device=None):
    if key_length is None:
        key_length = query_length
    everything = torch.ones(query_length, key_length, dtype=torch.bool, device=device)
    return everything.tril(diagonal=key_length - query_length)


def padding_mask(lengths, max_length):
    return torch.arange(max_length, device=lengths.device).unsqueeze(0).lt(lengths.unsqueeze(1))


def masked_softmax(scores, mask=None):
    if mask is None:
        return softmax(scores)
    return softmax(scores.masked_fill(mask.logical_not(), float("-inf")))


def scaled_dot_product_attention(query, key, value, mask=None, scale=None):
    if scale is None:
        scale = query.size(-1) ** -0.5
    weights = masked_softmax(torch.matmul(query, key.mT) * scale, mask)
    return torch.matmul(weights, value), weights


def kernel_attention(query, key, value, bandwidth):
    distance = (query[..., :, None, :] / bandwidth - key[..., None, :, :] / bandwidth).norm(dim=-1)
    return softmax(-distance.pow(2) / 2) @ value


class AdditiveAttention(nn.Module):
    def __init__(self, d_query, d_key, d_hidden):
        super().__init__()
        self.query_proj = nn.Linear(d_query, d_hidden, bias=False)
        self.key_proj = nn.Linear(d_key, d_hidden, bias=False)
        self.score = nn.Linear(d_hidden, 1, bias=False)

    def forward(self, query, key, value, mask=None):
        projected = self.query_proj(query)[:, :, None, :] + self.key_proj(key)[:, None, :, :]
        weights = masked_softmax(self.score(projected.tanh())[..., 0], mask)
        return torch.bmm(weights, value), weights


def attention_backward(grad_output, query, key, value, weights, scale):
    grad_weights = grad_output @ value.mT
    inner = (grad_weights * weights).sum(-1, keepdim=True)
    grad_scores = weights * (grad_weights - inner)
    return scale * (grad_scores @ key), scale * (grad_scores.mT @ query), weights.mT @ grad_output


def blockwise_attention(query, key, value, block_size, mask=None):
    scale = 1 / math.sqrt(query.size(-1))
    outputs, sizes = [], []
    start = 0
    for keys, values in zip(key.split(block_size, dim=-2), value.split(block_size, dim=-2), strict=True):
        scores = query @ keys.mT * scale
        if mask is not None:
            part = mask if mask.size(-1) == 1 else mask[..., start : start + block_size]
            scores = scores.masked_fill(~part, float("-inf"))
        outputs.append(softmax(scores) @ values)
        sizes.append(scores.logsumexp(-1))
        start += block_size
    # The parts are averages: weight each part by the total weight of its block.
    shares = softmax(torch.stack(sizes), dim=0)
    return torch.einsum("b...,b...v->...v", shares, torch.stack(outputs))
