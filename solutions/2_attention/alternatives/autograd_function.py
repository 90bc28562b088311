"""Attention with a softmax that defines its own backward pass, and in-place operations on its own tensors."""

import math

import torch
from torch import Tensor, nn

NEG_INF = float("-inf")


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dim):
        work = x.clone()
        top = work.amax(dim, keepdim=True)
        top[top == NEG_INF] = 0
        work.sub_(top).exp_()
        total = work.sum(dim, keepdim=True)
        total[total == 0] = 1
        work.div_(total)
        ctx.save_for_backward(work)
        ctx.dim = dim
        return work

    @staticmethod
    def backward(ctx, gradient):
        (weights,) = ctx.saved_tensors
        product = weights * gradient
        return product - weights * product.sum(ctx.dim, keepdim=True), None


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    return _Softmax.apply(x, dim)


def causal_mask(query_length: int, key_length: int | None = None, device=None) -> Tensor:
    key_length = key_length if key_length is not None else query_length
    queries = torch.arange(query_length - 1, -1, -1, device=device).unsqueeze(1)  # distance from the end
    keys = torch.arange(key_length - 1, -1, -1, device=device).unsqueeze(0)
    return torch.ge(keys, queries)


def padding_mask(lengths: Tensor, max_length: int) -> Tensor:
    mask = lengths.new_zeros((lengths.shape[0], max_length + 1), dtype=torch.long)
    mask.scatter_(1, lengths.long().unsqueeze(1), 1)
    return mask.cumsum(1)[:, :max_length] == 0


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    if mask is None:
        return softmax(scores, scores.dim() - 1)
    filled = scores.clone()
    filled[~mask.broadcast_to(scores.shape)] = NEG_INF
    return softmax(filled, scores.dim() - 1)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, scale: float | None = None
):
    leading = query.shape[:-2]
    n, m = query.shape[-2], key.shape[-2]
    flat_query, flat_key, flat_value = (tensor.reshape(-1, *tensor.shape[-2:]) for tensor in (query, key, value))
    scores = torch.bmm(flat_query, flat_key.transpose(1, 2)).view(*leading, n, m)
    scores = scores * (scale if scale is not None else 1 / math.sqrt(query.shape[-1]))
    weights = masked_softmax(scores, mask)
    output = torch.bmm(weights.reshape(-1, n, m), flat_value).view(*leading, n, value.shape[-1])
    return output, weights


def kernel_attention(query: Tensor, key: Tensor, value: Tensor, bandwidth: float) -> Tensor:
    query, key = query / (bandwidth * math.sqrt(2)), key / (bandwidth * math.sqrt(2))
    squares = query.pow(2).sum(-1, keepdim=True) + key.pow(2).sum(-1).unsqueeze(-2)
    return softmax(2 * (query @ key.transpose(-2, -1)) - squares) @ value


class AdditiveAttention(nn.Module):
    def __init__(self, d_query: int, d_key: int, d_hidden: int) -> None:
        super().__init__()
        self.query_proj = nn.Linear(d_query, d_hidden, False)
        self.key_proj = nn.Linear(d_key, d_hidden, False)
        self.score = nn.Linear(d_hidden, 1, False)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None):
        q, k = self.query_proj(query), self.key_proj(key)
        hidden = torch.tanh(torch.stack([k + q[:, i : i + 1] for i in range(q.shape[1])], dim=1))
        scores = torch.einsum("bqkh,oh->bqk", hidden, self.score.weight)
        weights = masked_softmax(scores, mask)
        return torch.einsum("bqk,bkv->bqv", weights, value), weights


def attention_backward(grad_output, query, key, value, weights, scale):
    product = weights * (grad_output @ value.transpose(-2, -1))
    product -= weights * product.sum(-1, keepdim=True)
    product *= scale
    return product @ key, (query.transpose(-2, -1) @ product).transpose(-2, -1), weights.transpose(-2, -1) @ grad_output


def blockwise_attention(query, key, value, block_size, mask=None):
    scale = query.shape[-1] ** -0.5
    top = torch.full_like(query[..., :1], NEG_INF)
    total = torch.zeros_like(top)
    average = torch.zeros_like(query[..., :1] * value[..., :1, :])  # always normalised
    blocks = zip(key.split(block_size, -2), value.split(block_size, -2), strict=True)
    for index, (keys, values) in enumerate(blocks):
        scores = (query @ keys.transpose(-2, -1)).mul_(scale)
        if mask is not None:
            chunk = mask if mask.shape[-1] == 1 else mask.split(block_size, -1)[index]
            scores.masked_fill_(~chunk, NEG_INF)
        new_top = torch.max(top, scores.amax(-1, True))
        safe = new_top.clamp(min=torch.finfo(scores.dtype).min)
        scores.sub_(safe).exp_()
        old = total * (top - safe).exp()
        total = old + scores.sum(-1, keepdim=True)
        average = (average * old + scores @ values) / total.clamp(min=torch.finfo(scores.dtype).tiny)
        top = new_top
    return average
