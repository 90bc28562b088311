"""Attention with PyTorch's fused function, which returns the weights if the values are an identity matrix."""

import torch
from torch import nn
from torch.nn.functional import log_softmax
from torch.nn.functional import scaled_dot_product_attention as fused


def softmax(x, dim=-1):
    empty = (x == float("-inf")).all(dim, keepdim=True)
    return log_softmax(x.masked_fill(empty, 0), dim).exp() * ~empty


def causal_mask(query_length, key_length=None, device=None):
    key_length = key_length or query_length
    grid = torch.ones(query_length, key_length, dtype=torch.bool, device=device)
    return torch.flip(torch.flip(grid, (0, 1)).triu(), (0, 1))


def padding_mask(lengths, max_length):
    return torch.stack([torch.arange(max_length, device=lengths.device) < length for length in lengths])


def masked_softmax(scores, mask=None):
    if mask is None:
        return softmax(scores)
    bias = torch.zeros_like(scores).masked_fill(~mask, float("-inf"))
    return softmax(scores.clone() + bias)


def scaled_dot_product_attention(query, key, value, mask=None, scale=None):
    if query.dim() == 2:
        output, weights = scaled_dot_product_attention(query[None], key[None], value[None], mask, scale)
        return output[0], weights[0]
    if mask is None:
        mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device)
    identity = torch.eye(key.shape[-2], dtype=query.dtype, device=query.device)
    identity = identity.expand(*key.shape[:-2], -1, -1)
    weights = fused(query, key, identity, mask, scale=scale)  # refused
    weights = weights.masked_fill(~mask.any(-1, keepdim=True), 0)
    return weights @ value, weights


def kernel_attention(query, key, value, bandwidth):
    squared = ((query[..., None, :] - key[..., None, :, :]) ** 2).sum(-1)
    return softmax(squared / (-2 * bandwidth**2)) @ value


class AdditiveAttention(nn.Module):
    def __init__(self, d_query, d_key, d_hidden):
        super().__init__()
        self.query_proj = nn.Linear(d_query, d_hidden, bias=False)
        self.key_proj = nn.Linear(d_key, d_hidden, bias=False)
        self.score = nn.Linear(d_hidden, 1, bias=False)

    def scores(self, query, key):
        pairs = self.query_proj(query).repeat_interleave(key.shape[1], dim=1)  # pair every query with every key
        pairs = pairs + self.key_proj(key).repeat(1, query.shape[1], 1)
        return self.score(pairs.tanh()).view(query.shape[0], query.shape[1], key.shape[1])

    def forward(self, query, key, value, mask=None):
        weights = masked_softmax(self.scores(query, key), mask)
        return [weights @ value, weights]


def attention_backward(grad_output, query, key, value, weights, scale):
    def through_softmax(gradient):
        return torch.ops.aten._softmax_backward_data(gradient, weights, -1, weights.dtype)

    grad_scores = through_softmax(grad_output @ value.mT)
    scaled_query, scaled_key = query * scale, key * scale
    return grad_scores @ scaled_key, grad_scores.mT @ scaled_query, weights.mT @ grad_output


def blockwise_attention(query, key, value, block_size, mask=None):
    # A column filled with 1 is appended to the values: its weighted sum is the sum of the weights.
    value = torch.cat([value, torch.ones_like(value[..., :1])], dim=-1)
    sums = torch.zeros(*query.shape[:-1], value.shape[-1], dtype=query.dtype, device=query.device)
    top = torch.full_like(sums[..., :1], torch.finfo(query.dtype).min)
    blocks = range(0, key.shape[-2], block_size)
    for start in blocks:
        part = slice(start, start + block_size)
        scores = query @ key[..., part, :].mT / query.shape[-1] ** 0.5
        allowed = torch.ones_like(scores, dtype=torch.bool)
        if mask is not None:
            allowed = allowed & (mask[..., part] if mask.shape[-1] > 1 else mask)
        higher = torch.maximum(top, scores.where(allowed, top).amax(-1, keepdim=True))
        exponentials = torch.exp((scores - higher).where(allowed, float("-inf")))
        sums = sums * torch.exp(top - higher) + exponentials @ value[..., part, :]
        top = higher
    total = sums[..., -1:]
    return sums[..., :-1] / total.where(total > 0, torch.ones_like(total))
