"""Stage 4 with tables of angles that are indexed by position, as in large models."""

import torch
from torch import nn


def _speeds(size, base, device):
    if size % 2:
        raise ValueError(f"{size} features are not pairs")
    return 1.0 / base ** (torch.arange(0, size, 2, device=device, dtype=torch.float64) / size)


def sinusoidal_encoding(length, d_model, base=10000.0, device=None):
    table = torch.zeros(length, d_model, device=device)
    angle = torch.arange(length, device=device)[:, None] * _speeds(d_model, base, device)
    table[:, 0::2] = torch.sin(angle)
    table[:, 1::2] = torch.cos(angle)
    return table


class LearnedPositions(nn.Module):
    def __init__(self, max_length, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(max_length, d_model).uniform_(-0.1, 0.1))

    def forward(self, x, start=0):
        if start + x.shape[1] > len(self.weight):
            raise ValueError(f"{len(self.weight)} positions do not reach {start + x.shape[1]}")
        rows = torch.arange(start, start + x.shape[1], device=x.device)
        return x + self.weight[rows]


def rotary_angles(positions, d_head, base=10000.0):
    wide = torch.float64 if positions.dtype == torch.float64 else torch.float32
    angle = positions.to(wide)[..., None] * _speeds(d_head, base, positions.device).to(wide)
    return torch.cos(angle), torch.sin(angle)


def _table(length, d_head, base, x):
    """The turn of each pair at positions 0 … length − 1, as complex numbers `(length, d_head/2)`."""
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    angle = torch.outer(torch.arange(length, device=x.device).to(wide), _speeds(d_head, base, x.device).to(wide))
    return torch.polar(torch.ones_like(angle), angle)


def apply_rotary(x, positions, base=10000.0):
    table = _table(int(positions.abs().max()) + 1, x.shape[-1], base, x)
    turn = table[positions.abs()]
    turn = torch.where((positions < 0)[..., None], turn.conj(), turn)  # a negative position turns back
    if positions.ndim == 2:
        turn = turn.reshape(positions.shape[0], *[1] * (x.ndim - 3), *turn.shape[1:])
    wide = x if x.dtype == torch.float64 else x.float()
    pairs = torch.view_as_complex(wide.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)


def alibi_bias(num_heads, query_length, key_length, device=None):
    start = 2 ** (-(2 ** -(num_heads.bit_length() - 1 - 3)))
    slopes = torch.tensor([start * start**head for head in range(num_heads)], device=device)
    keys = torch.arange(key_length, device=device)
    back = (keys[-query_length:, None] - keys).clamp(min=0)
    return back.to(slopes.dtype) * -slopes[:, None, None]
