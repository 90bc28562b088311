"""Expected values of stage 4, computed from the papers' formulas in plain loops over Python floats."""

import math

import torch
from torch import Tensor


def sinusoids(length: int, d_model: int, base: float = 10000.0) -> Tensor:
    """Interleave the sine and cosine of each clock, `(length, d_model)` in float64."""
    rows = []
    for position in range(length):
        row = []
        for pair in range(d_model // 2):
            angle = position / base ** (2 * pair / d_model)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def angles(positions: Tensor, d_head: int, base: float = 10000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine of each pair's angle, each `positions.shape + (d_head/2,)` in float64."""
    values = [
        [position * base ** (-2 * pair / d_head) for pair in range(d_head // 2)]
        for position in positions.flatten().tolist()
    ]
    shape = (*positions.shape, d_head // 2)
    cos = torch.tensor([[math.cos(angle) for angle in row] for row in values], dtype=torch.float64)
    sin = torch.tensor([[math.sin(angle) for angle in row] for row in values], dtype=torch.float64)
    return cos.reshape(shape), sin.reshape(shape)


def rotation(position: float, d_head: int, base: float = 10000.0) -> list[list[float]]:
    """Build the block-diagonal matrix with one 2 × 2 rotation per adjacent pair."""
    matrix = [[0.0] * d_head for _ in range(d_head)]
    for pair in range(d_head // 2):
        angle = position * base ** (-2 * pair / d_head)
        first, second = 2 * pair, 2 * pair + 1
        matrix[first][first] = matrix[second][second] = math.cos(angle)
        matrix[first][second], matrix[second][first] = -math.sin(angle), math.sin(angle)
    return matrix


def rotated(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Multiply each row of `x` `(…, length, d_head)` by the rotation of its position, `(length,)`; in float64."""
    matrices = [rotation(position, x.shape[-1], base) for position in positions.tolist()]
    matrices = torch.tensor(matrices, dtype=torch.float64)  # (length, d_head, d_head)
    return torch.einsum("lij,...lj->...li", matrices, x.double())
