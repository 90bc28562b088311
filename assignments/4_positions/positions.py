"""Where a token stands: sinusoids, learned positions, rotary embeddings and ALiBi.

Attention is a weighted average, and an average does not know order. Each exercise here is one way
to tell it: add a vector to the token, turn queries and keys, or lower the scores of what is far.

Conventions, the same in every stage:

- batch first: `(batch, length, d_model)`; heads come second: `(batch, heads, length, d_head)`;
- positions count from 0;
- a result has the dtype and device of the inputs. Functions without a tensor among their arguments
  take `device`, and their floats have PyTorch's default dtype;
- inputs are never changed in place.
"""

import torch
from torch import Tensor, nn


def sinusoidal_encoding(
    length: int, d_model: int, base: float = 10000.0, device: torch.device | str | None = None
) -> Tensor:
    """One row of sines and cosines per position, from fast to slow.

    Column pair `i` is a clock hand at angle `position / base^(2i/d_model)`. Sine and cosine are
    interleaved: column `2i` holds the sine of that angle, column `2i+1` its cosine.

    Args:
        length: how many positions, counted from 0.
        d_model: size of a row, even.
        base: sets the slowest clock.
        device: where the result is made; PyTorch's default device when None.

    Returns:
        `(length, d_model)`, in PyTorch's default dtype.

    Raises:
        ValueError: `d_model` is odd.

    Source: Vaswani et al. 2017, section 3.5.
    """
    raise NotImplementedError("sinusoidal_encoding")


class LearnedPositions(nn.Module):
    """A trained vector for each position, added to the input.

    Parameter: `weight` `(max_length, d_model)`, and nothing else in the state dict.

    Source: Gehring et al. 2017, section 3.1; used by BERT and GPT.
    """

    def __init__(self, max_length: int, d_model: int) -> None:
        """Make `weight`, one row per position.

        Args:
            max_length: how many positions there are to learn.
            d_model: size of a row.
        """
        super().__init__()
        raise NotImplementedError("LearnedPositions.__init__")

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Add to each token of `x` the row of its position.

        Args:
            x: `(batch, length, d_model)`.
            start: position of the first token of `x`, for tokens that continue a sequence.

        Returns:
            `(batch, length, d_model)`: `x` plus the rows `start`, `start+1`, …

        Raises:
            ValueError: a position would be `max_length` or more. The last row itself may be used.
        """
        raise NotImplementedError("LearnedPositions.forward")


def rotary_angles(positions: Tensor, d_head: int, base: float = 10000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the angle by which each pair turns at each position.

    The angle of pair `i` is `position · base^(-2i/d_head)`.

    Args:
        positions: any shape; whole numbers or floats, in any order, also negative.
        d_head: size of one head, even; it has `d_head/2` pairs.
        base: sets the slowest pair.

    Returns:
        `(cos, sin)`, each of the shape of `positions` with an axis of `d_head/2` after it. They are
        computed in float32, whatever dtype the positions have, and in float64 for float64 positions.

    Raises:
        ValueError: `d_head` is odd.

    Source: Su et al. 2021 (RoFormer), section 3.2.2.
    """
    raise NotImplementedError("rotary_angles")


def apply_rotary(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Turn each pair of numbers in a query or key by an angle that grows with its position.

    Neighbours form a pair: `(a, b) = (x[…, 2i], x[…, 2i+1])`. Pair `i` turns counter-clockwise by
    `θ = position · base^(-2i/d_head)` into `(a cos θ - b sin θ, a sin θ + b cos θ)`. No vector
    changes its norm, and the dot product of a turned query and a turned key depends on how far
    apart they stand, not on where.

    Args:
        x: `(…, length, d_head)`, for instance `(batch, heads, length, d_head)`; `d_head` even.
        positions: `(length,)`, the same for all, or `(batch, length)`, where `batch` is the first
            axis of `x`. Any whole numbers, in any order, also negative.
        base: sets the slowest pair.

    Returns:
        the shape and dtype of `x`. Angles are computed in float32 even if `x` is narrower, and in
        float64 if `x` is float64.

    Source: Su et al. 2021 (RoFormer), section 3.2.2, equation 15, and section 3.4.2.
    """
    raise NotImplementedError("apply_rotary")


def alibi_bias(num_heads: int, query_length: int, key_length: int, device: torch.device | str | None = None) -> Tensor:
    """A penalty for scores, which grows with the distance from query back to key.

    The last query stands at the last key, as in a cached step. Head `h`, counted from 0, has slope
    `2^(-8(h+1)/num_heads)`, and a key `n` places before the query gets `-slope · n`.

    Args:
        num_heads: a power of two.
        query_length: how many queries, at most `key_length`.
        key_length: how many keys.
        device: where the result is made; PyTorch's default device when None.

    Returns:
        `(heads, query, key)`, in PyTorch's default dtype. Keys after the query are left to the
        causal mask: what stands there is up to you.

    Source: Press et al. 2022 (ALiBi), section 3.
    """
    raise NotImplementedError("alibi_bias")
