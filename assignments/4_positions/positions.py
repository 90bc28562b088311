"""Positions of tokens: sinusoids, learned positions, rotary embeddings and ALiBi.

Attention is a weighted average, and an average does not depend on order. Each exercise here is one
way to add the order: add a vector to the token, rotate queries and keys, or lower the scores of
distant keys.

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
    """Compute one row of sines and cosines per position, from fast to slow.

    Column pair `i` is a clock hand at angle `position / base^(2i/d_model)`. Sine and cosine are
    interleaved: column `2i` holds the sine of that angle, column `2i+1` its cosine.

    Args:
        length: number of positions, counted from 0.
        d_model: size of a row, even.
        base: sets the speed of the slowest clock.
        device: device of the result; PyTorch's default device when None.

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
            max_length: number of positions.
            d_model: size of a row.
        """
        super().__init__()
        raise NotImplementedError("LearnedPositions.__init__")

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Add the row of its position to each token of `x`.

        Args:
            x: `(batch, length, d_model)`.
            start: position of the first token of `x`, for tokens that continue a sequence.

        Returns:
            `(batch, length, d_model)`: `x` plus the rows `start`, `start+1`, …

        Raises:
            ValueError: a position is `max_length` or more. The last row, `max_length - 1`, is valid.
        """
        raise NotImplementedError("LearnedPositions.forward")


def rotary_angles(positions: Tensor, d_head: int, base: float = 10000.0) -> tuple[Tensor, Tensor]:
    """Compute the cosine and sine of the angle by which each pair rotates at each position.

    The angle of pair `i` is `position · base^(-2i/d_head)`.

    Args:
        positions: any shape; integers or floats, in any order, negative values included.
        d_head: size of one head, even; it has `d_head/2` pairs.
        base: sets the speed of the slowest pair.

    Returns:
        `(cos, sin)`, each of shape `positions.shape + (d_head/2,)`. They are computed in float64 for
        float64 positions, and in float32 for positions of any other dtype.

    Raises:
        ValueError: `d_head` is odd.

    Source: Su et al. 2021 (RoFormer), section 3.2.2.
    """
    raise NotImplementedError("rotary_angles")


def apply_rotary(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Rotate each pair of features of a query or key by an angle that grows with its position.

    Adjacent features form a pair: `(a, b) = (x[…, 2i], x[…, 2i+1])`. Pair `i` rotates
    counter-clockwise by `θ = position · base^(-2i/d_head)` to `(a cos θ - b sin θ, a sin θ + b cos θ)`.
    The norm of each vector is unchanged. The dot product of a rotated query and a rotated key depends
    on the distance between their positions only.

    Args:
        x: `(…, length, d_head)`, for instance `(batch, heads, length, d_head)`; `d_head` even.
        positions: `(length,)`, the same for all sequences, or `(batch, length)`, where `batch` is the
            first axis of `x`. Any integers, in any order, negative values included.
        base: sets the speed of the slowest pair.

    Returns:
        A tensor with the shape and dtype of `x`. Angles are computed in float64 if `x` is float64,
        and in float32 otherwise, even if `x` is narrower. A float64 `x` is rotated with the accuracy
        of float64.

    Source: Su et al. 2021 (RoFormer), section 3.2.2, equation 15, and section 3.4.2.
    """
    raise NotImplementedError("apply_rotary")


def alibi_bias(num_heads: int, query_length: int, key_length: int, device: torch.device | str | None = None) -> Tensor:
    """Compute a penalty for scores that grows with the distance from the query back to the key.

    The last query lines up with the last key, as in a cached step. Head `h`, counted from 0, has slope
    `2^(-8(h+1)/num_heads)`, and a key `n` positions before the query gets `-slope · n`.

    Args:
        num_heads: number of heads, a power of two.
        query_length: number of queries, at most `key_length`.
        key_length: number of keys.
        device: device of the result; PyTorch's default device when None.

    Returns:
        `(heads, query, key)`, in PyTorch's default dtype. The causal mask blocks the keys after the
        query, so their values are up to you.

    Source: Press et al. 2022 (ALiBi), section 3.
    """
    raise NotImplementedError("alibi_bias")
