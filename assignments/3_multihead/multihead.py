"""Stage 3: multi-head attention, several attentions in parallel.

Conventions for every function:

- Axes are named `batch, heads, query, key, length, d_head, d_model`, and everything is batch first. Weights are
  `(batch, heads, query, key)` and sum to one over **key**.
- A mask is bool, **True = may attend**. A query that may attend to nothing gets zero weights and a zero output
  (before the output projection): never NaN, never equal weights.
- Results have the dtype and the device of the inputs, and inputs are never changed in place.
"""

import math

import torch
from attention import masked_softmax
from torch import Tensor, nn


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Split the features of each position into `num_heads` contiguous pieces, one per head.

    Head `h` gets the features `h·d_head … (h+1)·d_head`, where `d_head = d_model / num_heads`.

    Args:
        x: `(batch, length, d_model)`.
        num_heads: number of heads; must divide `d_model`.

    Returns:
        `(batch, heads, length, d_head)`.

    Raises:
        ValueError: `num_heads` does not divide `d_model`; the message names both numbers.
    """
    raise NotImplementedError("split_heads")


def merge_heads(x: Tensor) -> Tensor:
    """Concatenate the features of the heads: `merge_heads(split_heads(x, n))` equals `x`.

    Args:
        x: `(batch, heads, length, d_head)`.

    Returns:
        `(batch, length, d_model)` with `d_model = heads·d_head`, the features of the first head first.
    """
    raise NotImplementedError("merge_heads")


def repeat_kv(x: Tensor, repeats: int) -> Tensor:
    """Let each key/value head serve `repeats` neighbouring query heads (grouped-query attention).

    Args:
        x: `(batch, kv_heads, length, d_head)`.
        repeats: number of query heads that share a key/value head; at least 1.

    Returns:
        `(batch, kv_heads·repeats, length, d_head)`: head `h` of the result is head `h // repeats` of `x`.

    Source: Ainslie et al. 2023, section 2.2.
    """
    raise NotImplementedError("repeat_kv")


class KeyValueCache:
    """Keys and values of the positions read so far, for one attention layer.

    While a model generates a text token by token, earlier keys and values never change. The cache keeps them, and
    each step adds the key and value of the newest token. Caches share no state, and a new cache is empty.
    """

    def __init__(self) -> None:
        """Start empty."""
        raise NotImplementedError("KeyValueCache.__init__")

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add the keys and values of one or more new positions.

        Args:
            key: `(batch, heads, length, d_head)`, of the new positions.
            value: `(batch, heads, length, d_head)`, of the new positions.

        Returns:
            keys and values of all positions so far, oldest first. Gradients reach `key` and `value`.
        """
        raise NotImplementedError("KeyValueCache.append")

    def __len__(self) -> int:
        """Count the positions kept so far; 0 for a new cache (so an empty cache is false in an `if`)."""
        raise NotImplementedError("KeyValueCache.__len__")


class MultiHeadAttention(nn.Module):
    """Several attentions in parallel, each on its own slice of the projected features.

    Parameters: the linear layers `query_proj` (`d_model` → `d_model`), `key_proj` and `value_proj` (`d_model` →
    `num_kv_heads·d_head`) and `output_proj` (`d_model` → `d_model`). Query head `h` uses the rows
    `h·d_head … (h+1)·d_head` of `query_proj`'s weight and the key/value head `h // repeats`, where
    `repeats = num_heads / num_kv_heads`; key/value heads use the rows of their projections in the same way.

    Write this yourself: no ready-made attention, such as `nn.MultiheadAttention` or
    `F.scaled_dot_product_attention`, may be used here. You may use your functions of stage 2.

    Source: Vaswani et al. 2017, section 3.2.2; grouped queries: Ainslie et al. 2023.
    """

    def __init__(
        self, d_model: int, num_heads: int, num_kv_heads: int | None = None, bias: bool = False, dropout: float = 0.0
    ) -> None:
        """Create the four linear layers.

        Args:
            d_model: features of a position; `d_head` is `d_model / num_heads`.
            num_heads: number of query heads.
            num_kv_heads: number of key/value heads; `num_heads` when None.
            bias: whether the four linear layers have a bias.
            dropout: probability with which an attention weight is dropped while training.

        Raises:
            ValueError: `num_heads` does not divide `d_model`, or `num_kv_heads` does not divide `num_heads`;
                the message names both numbers.
        """
        super().__init__()
        raise NotImplementedError("MultiHeadAttention.__init__")

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Let each position of `x` attend to the positions of `memory`, or of `x` itself.

        No causal mask is added: `mask` alone decides which positions a query may attend to.

        Args:
            x: `(batch, query, d_model)`, the source of the queries.
            memory: `(batch, key, d_model)`, the source of keys and values (cross-attention); `x` when None.
            mask: bool, True where a query may attend, with two axes `(query, key)`, three `(batch, query, key)`
                (the same for every head) or four `(batch, heads, query, key)`; axes of size 1 are broadcast.
                None blocks nothing. With a cache, the key axis of the mask spans old and new keys.
            cache: keys and values of earlier positions. The keys and values of `x` are added, and the queries
                attend to all of them. The cache is neither used nor changed when `memory` is given.

        Returns:
            output `(batch, query, d_model)` and weights `(batch, heads, query, key)`, the weights before dropout.
            Where a query may attend to nothing, its weights and its input to the output projection are zero.
        """
        raise NotImplementedError("MultiHeadAttention.forward")
