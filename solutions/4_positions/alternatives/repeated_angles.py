"""Stage 4 with each angle repeated and a quarter-turn helper, as in large models."""

import functools
import math

import torch
from torch import nn


@functools.cache
def _speeds(size, base):
    """Return Python floats, so that no cached tensor has the wrong device or dtype."""
    return tuple(math.exp(-2 * pair / size * math.log(base)) for pair in range(size // 2))


def sinusoidal_encoding(length, d_model, base=10000.0, device=None):
    if d_model % 2:
        raise ValueError("an odd d_model leaves a sine without its cosine")
    speeds = torch.tensor(_speeds(d_model, base), device=device).repeat_interleave(2)
    quarter = torch.tensor([0.0, math.pi / 2], device=device).repeat(d_model // 2)
    # A cosine is a sine shifted by a quarter turn.
    return torch.sin(torch.arange(length, device=device).unsqueeze(1) * speeds + quarter)


class LearnedPositions(nn.Module):
    def __init__(self, max_length, d_model):
        super().__init__()
        embedding = nn.Embedding(max_length, d_model)
        self.weight = embedding.weight

    def forward(self, x, start=0):
        positions = torch.arange(start, start + x.shape[1])
        if x.shape[1] and positions[-1].item() >= self.weight.shape[0]:
            raise ValueError("no such position")
        return x + nn.functional.embedding(positions.to(x.device), self.weight)


def rotary_angles(positions, d_head, base=10000.0):
    if d_head % 2:
        raise ValueError("d_head must be even")
    dtype = torch.float64 if positions.dtype == torch.float64 else torch.float32
    # Computed in float64 and rounded once.
    speeds = torch.tensor(_speeds(d_head, base), dtype=dtype, device=positions.device)
    angle = positions.to(dtype)[..., None] * speeds
    return torch.cos(angle), torch.sin(angle)


def _quarter_turn(x):
    """Map each pair (a, b) to (−b, a)."""
    pairs = x.unflatten(-1, (-1, 2))
    return torch.stack((-pairs[..., 1], pairs[..., 0]), dim=-1).flatten(-2)


def apply_rotary(x, positions, base=10000.0):
    angles_dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    cos, sin = rotary_angles(positions.to(angles_dtype), x.shape[-1], base)
    # Angles in float32, the products in the dtype of x.
    cos, sin = (tensor.repeat_interleave(2, dim=-1).to(x.dtype) for tensor in (cos, sin))
    if positions.ndim == 2:
        shape = [x.shape[0]] + [1] * (x.ndim - 3) + list(x.shape[-2:])
        cos, sin = cos.view(shape), sin.view(shape)
    return x * cos + _quarter_turn(x) * sin


def alibi_bias(num_heads, query_length, key_length, device=None):
    slopes = torch.tensor([2 ** (-8 * head / num_heads) for head in range(1, num_heads + 1)], device=device)
    relative = torch.arange(key_length, device=device)[None, :] - torch.arange(key_length, device=device)[:, None]
    return (slopes[:, None, None] * relative[None])[:, -query_length:]
