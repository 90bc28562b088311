"""Attention with logarithms: weights are exp(score − logsumexp)."""

import torch
from torch import nn


def softmax(x, dim=-1):
    log_total = x.logsumexp(dim, keepdim=True).detach()
    log_total = torch.where(torch.isinf(log_total), torch.zeros_like(log_total), log_total)
    weights = (x - log_total).exp()
    # Autograd treats the shift as a constant; dividing by a sum of about 1 restores the gradient of the sum.
    total = weights.sum(dim, keepdim=True)
    return weights / torch.where(total > 0, total, torch.ones_like(total))


def causal_mask(query_length, key_length=None, device=None):
    m = query_length if key_length is None else key_length
    future = torch.triu(torch.ones((query_length, m), device=device), diagonal=1 + m - query_length)
    return future == 0


def padding_mask(lengths, max_length):
    batch = lengths.shape[0]
    counts = torch.ones(batch, max_length, dtype=torch.int64, device=lengths.device).cumsum(1)
    return counts <= lengths.view(batch, 1)


def masked_softmax(scores, mask=None):
    if mask is None:
        return softmax(scores)
    lowest = torch.finfo(scores.dtype).min
    weights = softmax(torch.where(mask, scores, lowest))
    return weights * mask.any(-1, keepdim=True)


def scaled_dot_product_attention(query, key, value, mask=None, scale=None):
    d_head = query.shape[-1]
    factor = d_head**-0.5 if scale is None else scale
    scores = torch.einsum("...qd,...kd->...qk", query * factor, key)
    weights = masked_softmax(scores, mask)
    return torch.einsum("...qk,...kv->...qv", weights, value), weights


def kernel_attention(query, key, value, bandwidth):
    # |q|² is the same for every key of a query, so it cancels in the softmax.
    query, key = query / bandwidth, key / bandwidth
    scores = query @ key.transpose(-1, -2) - (key * key).sum(-1)[..., None, :] / 2
    return softmax(scores) @ value


class AdditiveAttention(nn.Module):
    def __init__(self, d_query, d_key, d_hidden):
        super().__init__()
        self.query_proj, self.key_proj = (nn.Linear(size, d_hidden, bias=False) for size in (d_query, d_key))
        self.score = nn.Linear(d_hidden, 1, bias=False)

    def forward(self, query, key, value, mask=None):
        batch, n, _ = query.shape
        m = key.shape[1]
        projected_query = self.query_proj(query).view(batch, n, 1, -1).expand(-1, -1, m, -1)
        projected_key = self.key_proj(key).view(batch, 1, m, -1).expand(-1, n, -1, -1)
        scores = self.score(torch.tanh(projected_query + projected_key)).reshape(batch, n, m)
        weights = masked_softmax(scores, mask)
        return weights.bmm(value), weights


def attention_backward(grad_output, query, key, value, weights, scale):
    output = weights @ value
    # The sum over keys of weights·grad_weights is the dot product of the output and its gradient.
    delta = (grad_output * output).sum(-1, keepdim=True)
    grad_scores = weights * (torch.einsum("...qv,...kv->...qk", grad_output, value) - delta)
    grad_query = torch.einsum("...qk,...kd->...qd", grad_scores, key) * scale
    grad_key = torch.einsum("...qk,...qd->...kd", grad_scores, query) * scale
    grad_value = torch.einsum("...qk,...qv->...kv", weights, grad_output)
    return grad_query, grad_key, grad_value


def blockwise_attention(query, key, value, block_size, mask=None):
    n, m, d_head = query.shape[-2], key.shape[-2], query.shape[-1]
    if mask is not None:
        mask = mask.expand(*mask.shape[:-2], n, m)
    log_total, output = None, None
    for start in range(0, m, block_size):
        stop = min(start + block_size, m)
        scores = query @ key[..., start:stop, :].mT / d_head**0.5
        if mask is not None:
            scores = scores.masked_fill(mask[..., start:stop].logical_not(), -torch.inf)
        part = softmax(scores) @ value[..., start:stop, :]
        log_part = scores.logsumexp(-1, keepdim=True)
        if output is None:
            log_total, output = log_part, part
            continue
        shares = softmax(torch.cat([log_total, log_part], dim=-1))
        output = output * shares[..., :1] + part * shares[..., 1:]
        log_total = torch.logaddexp(log_total, log_part)
    return output
