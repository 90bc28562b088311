"""Stage 4 with einsum, and with NumPy for the speeds."""

import numpy as np
import torch
from torch import nn


def _speeds(size, base):
    if size % 2:
        raise ValueError(f"expected an even size, got {size}")
    return torch.from_numpy(np.power(base, -np.arange(0, size, 2) / size))


def sinusoidal_encoding(length, d_model, base=10000.0, device=None):
    angle = torch.einsum("l,i->li", torch.arange(length).double(), _speeds(d_model, base))
    encoding = torch.zeros(length, d_model, dtype=torch.float64)
    encoding[:, ::2], encoding[:, 1::2] = angle.sin(), angle.cos()
    return encoding.to(device=device, dtype=torch.get_default_dtype())


class LearnedPositions(nn.Module):
    def __init__(self, max_length, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.Tensor(max_length, d_model))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x, start=0):
        length = x.shape[-2]
        if start + length > self.weight.shape[0]:
            raise ValueError(f"positions end at {self.weight.shape[0]}")
        # A one-hot row selects the row of each position.
        chosen = torch.eye(len(self.weight), dtype=x.dtype, device=x.device)[start : start + length]
        return x + torch.einsum("lm,md->ld", chosen, self.weight)


def rotary_angles(positions, d_head, base=10000.0):
    dtype = torch.float64 if positions.dtype == torch.float64 else torch.float32
    speeds = _speeds(d_head, base).to(device=positions.device, dtype=dtype)
    angle = torch.einsum("...,i->...i", positions.to(dtype), speeds)
    return angle.cos(), (angle - torch.pi / 2).cos()


def apply_rotary(x, positions, base=10000.0):
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    cos, sin = rotary_angles(positions.to(dtype), x.shape[-1], base)
    # Constants that place cosine and sine in a 2 × 2 rotation.
    keep = torch.eye(2, dtype=dtype, device=x.device)
    swap = torch.tensor([[0, -1], [1, 0]], dtype=dtype, device=x.device)
    pairs = x.to(dtype).reshape(*x.shape[:-1], x.shape[-1] // 2, 2)
    axes = "b...lpj,blp,ij->b...lpi" if positions.ndim == 2 else "...lpj,lp,ij->...lpi"
    turned = torch.einsum(axes, pairs, cos, keep) + torch.einsum(axes, pairs, sin, swap)
    return turned.reshape(x.shape).to(x.dtype)


def alibi_bias(num_heads, query_length, key_length, device=None):
    slopes = torch.from_numpy(2.0 ** (-8 * np.arange(1, num_heads + 1) / num_heads))
    position = torch.arange(key_length).double()
    distance = position[key_length - query_length :, None] - position
    return -torch.einsum("h,qk->hqk", slopes, distance).to(device=device, dtype=torch.get_default_dtype())
