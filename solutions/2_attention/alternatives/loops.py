"""Attention with loops over rows and queries, weight vector by weight vector."""

import math

import torch
from torch import nn


def softmax_of_row(row):
    finite = row > -math.inf
    if not finite.any():
        return torch.zeros_like(row)
    exponentials = torch.exp(row - row.max())
    return exponentials / exponentials.sum()


def softmax(x, dim=-1):
    moved = x.transpose(dim, -1)
    rows = moved.reshape(-1, moved.shape[-1])
    weights = torch.stack([softmax_of_row(row) for row in rows])
    return weights.reshape(moved.shape).transpose(dim, -1)


def causal_mask(query_length, key_length=None, device=None):
    key_length = key_length if key_length is not None else query_length
    mask = torch.zeros(query_length, key_length, dtype=torch.bool, device=device)
    for query in range(query_length):
        seen = key_length - query_length + query + 1
        if seen > 0:
            mask[query, :seen] = True
    return mask


def padding_mask(lengths, max_length):
    mask = torch.zeros(len(lengths), max_length, dtype=torch.bool, device=lengths.device)
    for row, length in enumerate(lengths.tolist()):
        mask[row, :length] = True
    return mask


def masked_softmax(scores, mask=None):
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    mask = torch.broadcast_to(mask, scores.shape)
    rows = []
    for row, allowed in zip(scores.reshape(-1, scores.shape[-1]), mask.reshape(-1, scores.shape[-1]), strict=True):
        weights = torch.zeros_like(row)
        if allowed.any():
            weights[allowed] = softmax_of_row(row[allowed])
        else:
            weights = row * 0
        rows.append(weights)
    return torch.stack(rows).reshape(scores.shape)


def scaled_dot_product_attention(query, key, value, mask=None, scale=None):
    if query.dim() > 2:
        if mask is not None:
            mask = mask.expand(*query.shape[:-1], key.shape[-2])
        masks = [None] * len(query) if mask is None else mask
        results = [
            scaled_dot_product_attention(*item, scale=scale) for item in zip(query, key, value, masks, strict=True)
        ]
        outputs, weights = zip(*results, strict=True)
        return torch.stack(outputs), torch.stack(weights)
    factor = scale if scale is not None else 1.0 / math.sqrt(query.size(1))
    scores = torch.stack([(key * row).sum(dim=1) for row in query]) * factor
    weights = masked_softmax(scores, mask)
    output = torch.stack([(row.unsqueeze(1) * value).sum(dim=0) for row in weights])
    return output, weights


def kernel_attention(query, key, value, bandwidth):
    averages = []
    for index in range(query.shape[-2]):
        steps = (key - query[..., index : index + 1, :]) / bandwidth
        scores = -(steps**2).sum(-1) / 2
        weights = softmax(scores, -1)
        averages.append((weights.unsqueeze(-1) * value).sum(-2))
    return torch.stack(averages, dim=-2)


class AdditiveAttention(nn.Module):
    def __init__(self, d_query, d_key, d_hidden):
        super().__init__()
        self.score = nn.Linear(d_hidden, 1, bias=False)
        self.key_proj = nn.Linear(d_key, d_hidden, bias=False)
        self.query_proj = nn.Linear(d_query, d_hidden, bias=False)

    def forward(self, query, key, value, mask=None):
        projected_keys = self.key_proj(key)
        columns = []
        for index in range(query.shape[1]):
            projected = self.query_proj(query[:, index : index + 1])
            columns.append(self.score(torch.tanh(projected + projected_keys)).squeeze(2))
        weights = masked_softmax(torch.stack(columns, dim=1), mask)
        return weights @ value, weights


def attention_backward(grad_output, query, key, value, weights, scale):
    if query.dim() > 2:
        parts = [
            attention_backward(*tensors, scale) for tensors in zip(grad_output, query, key, value, weights, strict=True)
        ]
        return tuple(torch.stack(part) for part in zip(*parts, strict=True))
    grad_query, grad_key = torch.zeros_like(query), torch.zeros_like(key)
    for index, row in enumerate(weights):
        jacobian = torch.diag(row) - torch.outer(row, row)
        grad_scores = jacobian @ (value @ grad_output[index]) * scale
        grad_query[index] = grad_scores @ key
        grad_key += torch.outer(grad_scores, query[index])
    return grad_query, grad_key, weights.T @ grad_output


def blockwise_attention(query, key, value, block_size, mask=None):
    """Pass over the blocks twice: first for the largest score, then for the sums."""
    factor = 1 / math.sqrt(query.shape[-1])
    starts = range(0, key.shape[-2], block_size)

    def scores_of(start):
        scores = torch.matmul(query, key.narrow(-2, start, min(block_size, key.shape[-2] - start)).mT) * factor
        if mask is None:
            return scores
        part = mask if mask.shape[-1] == 1 else mask[..., start : start + block_size]
        return torch.where(part, scores, torch.full_like(scores, -math.inf))

    largest = torch.stack([scores_of(start).amax(-1, keepdim=True) for start in starts]).amax(0)
    largest = torch.where(largest == -math.inf, torch.zeros_like(largest), largest)
    numerator = denominator = 0
    for start in starts:
        exponentials = (scores_of(start) - largest).exp()
        numerator = numerator + exponentials @ value[..., start : start + block_size, :]
        denominator = denominator + exponentials.sum(-1, keepdim=True)
    return torch.where(denominator > 0, numerator / denominator, torch.zeros_like(numerator))
