"""Stage 4 with rotations as matrices, as in the papers."""

import torch
from torch import nn


def _speeds(size, base, dtype, device):
    if size % 2:
        raise ValueError(f"the size must be even, got {size}")
    pairs = torch.arange(size // 2, dtype=dtype, device=device)
    return torch.exp(pairs * (-2.0 / size * torch.log(torch.tensor(base, dtype=dtype, device=device))))


def sinusoidal_encoding(length, d_model, base=10000.0, device=None):
    speeds = _speeds(d_model, base, torch.float64, device)
    angles = torch.arange(length, dtype=torch.float64, device=device)[:, None] * speeds
    # Each clock starts at (sine, cosine) = (0, 1) and turns clockwise.
    start = torch.tensor([0.0, 1.0], dtype=torch.float64, device=device)
    hands = torch.einsum("lpij,j->lpi", _matrices(angles.cos(), -angles.sin()), start)
    return hands.reshape(length, d_model).to(torch.get_default_dtype())


class LearnedPositions(nn.Module):
    def __init__(self, max_length, d_model):
        super().__init__()
        self.register_parameter("weight", nn.Parameter(nn.init.xavier_uniform_(torch.empty(max_length, d_model))))

    def forward(self, x, start=0):
        rows = self.weight.narrow(0, start, x.shape[1]) if start + x.shape[1] <= len(self.weight) else None
        if rows is None:
            raise ValueError("the sequence is longer than the table of positions")
        return torch.add(x, rows[None])


def rotary_angles(positions, d_head, base=10000.0):
    dtype = torch.promote_types(torch.float32, positions.dtype)
    angles = positions[..., None].to(dtype) * _speeds(d_head, base, dtype, positions.device)
    return angles.cos(), angles.sin()


def _matrices(cos, sin):
    """One 2 × 2 rotation per angle, `(…, 2, 2)`."""
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def apply_rotary(x, positions, base=10000.0):
    dtype = torch.promote_types(torch.float32, x.dtype)
    matrices = _matrices(*rotary_angles(positions.to(dtype), x.shape[-1], base))
    points = x.to(dtype).reshape(*x.shape[:-1], -1, 2, 1)
    while positions.ndim == 2 and matrices.ndim < points.ndim:
        matrices = matrices.unsqueeze(1)
    return torch.matmul(matrices, points).reshape(x.shape).to(x.dtype)


def alibi_bias(num_heads, query_length, key_length, device=None):
    heads = torch.arange(num_heads, device=device)
    slopes = torch.exp2(-(heads + 1) * (8 / num_heads))
    positions = torch.arange(key_length, device=device)
    distance = (positions[:, None] - positions[None, :]).tril()[key_length - query_length :]
    return slopes.neg().view(-1, 1, 1) * distance
