"""Stage 4 with rotations as complex numbers on the unit circle."""

import torch
from torch import nn


def sinusoidal_encoding(length, d_model, base=10000.0, device=None):
    cos, sin = rotary_angles(torch.arange(length, device=device, dtype=torch.float64), d_model, base)
    # Swapping the real and imaginary parts puts the sine first.
    return torch.view_as_real(torch.complex(sin, cos)).reshape(length, d_model).to(torch.get_default_dtype())


class LearnedPositions(nn.Module):
    def __init__(self, max_length, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(max_length, d_model))

    def forward(self, x, start=0):
        batch, length, d_model = x.shape
        if start + length > self.weight.size(0):
            raise ValueError(f"max_length is {self.weight.size(0)}")
        index = torch.arange(length, device=x.device).add(start)
        return x + self.weight.index_select(0, index).expand(batch, length, d_model)


def _turns(positions, d_head, base, dtype):
    if d_head % 2 != 0:
        raise ValueError("pairs need an even size")
    step = torch.arange(d_head // 2, device=positions.device, dtype=dtype) * (2 / d_head)
    angle = positions.to(dtype).unsqueeze(-1) / torch.as_tensor(base, dtype=dtype, device=positions.device) ** step
    return torch.polar(torch.ones_like(angle), angle)


def rotary_angles(positions, d_head, base=10000.0):
    turns = _turns(positions, d_head, base, torch.float64 if positions.dtype == torch.float64 else torch.float32)
    return turns.real.contiguous(), turns.imag.contiguous()


def apply_rotary(x, positions, base=10000.0):
    dtype = {torch.float64: torch.float64}.get(x.dtype, torch.float32)
    turns = _turns(positions, x.shape[-1], base, dtype)
    for _ in range(x.dim() - 3 if positions.dim() == 2 else 0):
        turns = turns.unsqueeze(1)
    points = torch.complex(x[..., ::2].to(dtype), x[..., 1::2].to(dtype)) * turns
    result = torch.empty_like(x)
    result[..., ::2], result[..., 1::2] = points.real, points.imag
    return result


def alibi_bias(num_heads, query_length, key_length, device=None):
    slopes = torch.logspace(-8 / num_heads, -8, num_heads, base=2.0, device=device)
    back = torch.arange(key_length - 1, -1, -1, device=device)
    rows = [back - (query_length - 1 - query) for query in range(query_length)]
    distance = torch.stack(rows).clamp(min=0)
    return -distance * slopes[:, None, None]
