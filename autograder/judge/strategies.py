"""Inputs that expose mistakes: Hypothesis strategies for sizes, tensors, arrays and masks.

Hypothesis draws sizes, scales and seeds; the numbers come from a generator with that seed. Drawing
every element through Hypothesis is slow and gives arrays that are mostly constant. Strategies have
plural names and keyword-only options.
"""

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

# Logits of ordinary size, of a badly initialised network, and large enough that exp overflows in any dtype.
SCALES = (1.0, 30.0, 1000.0)


def seeds() -> st.SearchStrategy[int]:
    """Seeds for the random numbers of one example."""
    return st.integers(min_value=0, max_value=2**31 - 1)


def sizes(*, min_size: int = 1, max_size: int = 7) -> st.SearchStrategy[int]:
    """Sizes of one axis."""
    return st.integers(min_value=min_size, max_value=max_size)


@st.composite
def distinct_sizes(draw: st.DrawFn, *, count: int, min_size: int = 1, max_size: int = 9) -> tuple[int, ...]:
    """``count`` pairwise different sizes, so that a transposed or shared axis changes the result."""
    pool = st.integers(min_value=min_size, max_value=max_size)
    return tuple(draw(st.lists(pool, min_size=count, max_size=count, unique=True)))


@st.composite
def leading_shapes(draw: st.DrawFn, *, max_axes: int = 3, max_size: int = 3) -> tuple[int, ...]:
    """Zero to ``max_axes`` leading axes: ``()``, ``(batch,)``, ``(batch, heads)`` and so on."""
    return tuple(draw(st.lists(st.integers(1, max_size), max_size=max_axes)))


def scales(choices: Sequence[float] = SCALES) -> st.SearchStrategy[float]:
    """Factors for logits."""
    return st.sampled_from(list(choices))


def normal_tensor(
    *shape: int,
    seed: int,
    scale: float = 1.0,
    dtype: torch.dtype = torch.float64,
    requires_grad: bool = False,
) -> torch.Tensor:
    """Make a tensor of normal numbers that depends on ``seed`` and ``shape`` alone."""
    generator = torch.Generator().manual_seed(seed)
    tensor = (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).to(dtype)
    return tensor.requires_grad_(requires_grad)


def normal_array(*shape: int, seed: int, scale: float = 1.0) -> NDArray[np.float64]:
    """Make an array of normal numbers that depends on ``seed`` and ``shape`` alone."""
    return np.random.default_rng(seed).normal(scale=scale, size=shape)


def random_mask(*shape: int, seed: int, keep_one: bool = True) -> torch.Tensor:
    """Make a bool mask, about half of it True; with ``keep_one`` each row keeps at least one key."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(*shape, generator=generator) < 0.5
    if keep_one:
        kept = torch.randint(shape[-1], shape[:-1], generator=generator)
        mask.scatter_(-1, kept.unsqueeze(-1), True)
    return mask
