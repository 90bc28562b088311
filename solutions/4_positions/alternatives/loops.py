"""Stage 4 computed one number at a time."""

import math

import torch
from torch import nn


def sinusoidal_encoding(length, d_model, base=10000.0, device=None):
    if d_model % 2:
        raise ValueError("d_model must be even")
    rows = []
    for position in range(length):
        row = []
        for column in range(d_model):
            angle = position / math.pow(base, (column - column % 2) / d_model)
            row.append(math.cos(angle) if column % 2 else math.sin(angle))
        rows.append(row)
    return torch.tensor(rows, device=device).reshape(length, d_model)


class LearnedPositions(nn.Module):
    def __init__(self, max_length, d_model):
        super().__init__()
        self.max_length = max_length
        self.weight = nn.Parameter(torch.randn(max_length, d_model) * 0.02)

    def forward(self, x, start=0):
        rows = []
        for index in range(x.shape[1]):
            if start + index >= self.max_length:
                raise ValueError(f"no position {start + index}")
            rows.append(x[:, index] + self.weight[start + index])
        return torch.stack(rows, dim=1)


def rotary_angles(positions, d_head, base=10000.0):
    if d_head % 2:
        raise ValueError("d_head must be even")
    positions = positions.double() if positions.dtype is torch.float64 else positions.float()
    angles = [positions / base ** (2 * pair / d_head) for pair in range(d_head // 2)]
    return torch.stack([angle.cos() for angle in angles], -1), torch.stack([angle.sin() for angle in angles], -1)


def apply_rotary(x, positions, base=10000.0):
    if positions.ndim == 2:
        rows = [apply_rotary(sequence, at, base) for sequence, at in zip(x, positions, strict=True)]
        return torch.stack(rows)
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    cos, sin = rotary_angles(positions.to(wide), x.shape[-1], base)
    columns = []
    for pair in range(x.shape[-1] // 2):
        first, second = x[..., 2 * pair].to(wide), x[..., 2 * pair + 1].to(wide)
        columns.append(first * cos[:, pair] - second * sin[:, pair])
        columns.append(first * sin[:, pair] + second * cos[:, pair])
    return torch.stack(columns, dim=-1).to(x.dtype)


def alibi_bias(num_heads, query_length, key_length, device=None):
    heads = []
    for head in range(1, num_heads + 1):
        slope = 1 / 2 ** (8 * head / num_heads)
        rows = []
        for query in range(key_length - query_length, key_length):
            rows.append([-slope * (query - key) if key <= query else -math.inf for key in range(key_length)])
        heads.append(rows)
    return torch.tensor(heads, device=device)
