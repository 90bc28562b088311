"""Stage 4 built on PyTorch: an embedding for positions, complex numbers for rotations."""

import torch
from torch import nn


def sinusoidal_encoding(length, d_model, base=10000.0, device=None):
    if d_model % 2 == 1:
        raise ValueError(f"d_model is odd: {d_model}")
    dtype = torch.get_default_dtype()
    speed = torch.pow(base, -torch.arange(0, d_model, 2, dtype=dtype, device=device) / d_model)
    angle = torch.outer(torch.arange(length, dtype=dtype, device=device), speed)
    encoding = torch.empty(length, d_model, device=device)
    encoding[:, 0::2] = torch.sin(angle)
    encoding[:, 1::2] = torch.cos(angle)
    return encoding


class LearnedPositions(nn.Embedding):
    """An embedding of the positions; its parameter already has the name `weight`."""

    def __init__(self, max_length, d_model):
        super().__init__(max_length, d_model)

    def forward(self, x, start=0):
        end = start + x.size(1)
        if end > self.num_embeddings:
            raise ValueError(f"there are {self.num_embeddings} positions, {end} are needed")
        return x + super().forward(torch.arange(start, end, device=x.device))


def rotary_angles(positions, d_head, base=10000.0):
    if d_head % 2 == 1:
        raise ValueError(f"d_head is odd: {d_head}")
    if positions.dtype != torch.float64:
        positions = positions.float()
    speed = torch.pow(base, -torch.arange(0, d_head, 2, dtype=positions.dtype, device=positions.device) / d_head)
    angle = torch.einsum("...,i->...i", positions, speed)
    return torch.cos(angle), torch.sin(angle)


def apply_rotary(x, positions, base=10000.0):
    wide = x if x.dtype == torch.float64 else x.float()
    cos, sin = rotary_angles(positions.to(wide.dtype), x.size(-1), base)
    turn = torch.complex(cos, sin)
    if positions.dim() == 2:
        turn = turn.view(turn.size(0), *(1 for _ in x.shape[1:-2]), *turn.shape[1:])
    points = torch.view_as_complex(wide.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(points * turn).flatten(-2).type_as(x)


def alibi_bias(num_heads, query_length, key_length, device=None):
    dtype = torch.get_default_dtype()
    first = 2.0 ** (-8.0 / num_heads)
    slopes = torch.full((num_heads,), first, dtype=dtype, device=device).cumprod(0)
    queries = torch.arange(query_length, dtype=dtype, device=device) + (key_length - query_length)
    keys = torch.arange(key_length, dtype=dtype, device=device)
    distance = torch.cdist(queries[:, None], keys[:, None], p=1)
    return -torch.einsum("h,qk->hqk", slopes, distance)
