"""Stage 2: attention, the weighted average that learns where to look.

Conventions, the same in every function:

- axes are named `…` (any leading axes), `query`, `key`, `d_head`, `d_value`; weights are `(…, query, key)`
  and sum to one over **key**;
- a mask is bool, **True = may attend**, broadcastable to `(…, query, key)`. A query that may attend to
  nothing gets zero weights and a zero output: never NaN, never equal weights;
- results have the dtype and the device of the inputs, and inputs are never changed in place.
"""

import math

import torch
from torch import Tensor, nn


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Turn logits into weights: positive, summing to one along `dim`.

    Stable for logits of any size, and for slices of very different size beside each other.

    Args:
        x: logits, any number of axes; entries may be `-inf`.
        dim: the axis that sums to one; counted from the end when negative.

    Returns:
        the shape of `x`. An entry of `-inf` gets weight 0; a slice that holds only `-inf` is all zeros.

    Source: Dive into Deep Learning, section 4.5.2 (overflow and underflow).
    """
    raise NotImplementedError("softmax")


def causal_mask(query_length: int, key_length: int | None = None, device: torch.device | str | None = None) -> Tensor:
    """Let each position see itself and what came before it.

    The **last** query lines up with the **last** key. With a cache of earlier keys there are fewer queries
    than keys: a single query, the newest, sees every key.

    Args:
        query_length: number of queries.
        key_length: number of keys; `query_length` when None.
        device: where the mask is made; the default device when None.

    Returns:
        bool `(query, key)`; True where the query may attend.
    """
    raise NotImplementedError("causal_mask")


def padding_mask(lengths: Tensor, max_length: int) -> Tensor:
    """Mark the real tokens of a batch of sequences that were padded on the right.

    As a mask for attention it is used as `padding_mask(…)[:, None, :]`: the same keys are blocked for
    every query.

    Args:
        lengths: int64 `(batch,)`, how many tokens of each sequence are real; 0 to `max_length`.
        max_length: length that all sequences are padded to.

    Returns:
        bool `(batch, max_length)`, True on real tokens, on the device of `lengths`.
    """
    raise NotImplementedError("padding_mask")


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax over the keys that each query may attend to.

    A blocked key has no influence, however large its score. The gradient is finite everywhere, also
    for a query that may attend to nothing.

    Args:
        scores: `(…, query, key)`.
        mask: bool, broadcastable to `(…, query, key)`, True where a query may attend; None blocks nothing.

    Returns:
        weights `(…, query, key)`; they sum to one over the keys that are not blocked, and are all zeros
        for a query that may attend to nothing.
    """
    raise NotImplementedError("masked_softmax")


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """Average the values, weighted by how well each query matches each key.

    Write it yourself: `F.scaled_dot_product_attention` may not be used here.

    Args:
        query: `(…, query, d_head)`.
        key: `(…, key, d_head)`; there may be more or fewer keys than queries.
        value: `(…, key, d_value)`.
        mask: bool, broadcastable to `(…, query, key)`, True where a query may attend; None blocks nothing.
        scale: factor on the scores; `1/√d_head` when None.

    Returns:
        output `(…, query, d_value)` and weights `(…, query, key)`. A query that may attend to nothing
        gets zeros in both.

    Source: Vaswani et al. 2017, section 3.2.1, equation 1.
    """
    raise NotImplementedError("scaled_dot_product_attention")


def kernel_attention(query: Tensor, key: Tensor, value: Tensor, bandwidth: float) -> Tensor:
    """Write Nadaraya–Watson regression with a Gaussian kernel as attention.

    The weight of a key falls with its distance as `exp(−½·(distance / bandwidth)²)`. The result equals
    `nadaraya_watson` of stage 1, here for tensors and with any leading axes.

    Args:
        query: `(…, query, d)`.
        key: `(…, key, d)`.
        value: `(…, key, d_value)`.
        bandwidth: positive; also a very small one works, whose limit is the value of the nearest key.

    Returns:
        the averages `(…, query, d_value)`.

    Source: Dive into Deep Learning, section 11.2; Nadaraya 1964, Watson 1964.
    """
    raise NotImplementedError("kernel_attention")


class AdditiveAttention(nn.Module):
    """Score each pair by a small network, so that queries and keys may differ in size.

    The score of a query `q` and a key `k` is `score(tanh(query_proj(q) + key_proj(k)))`.

    Parameters: the linears `query_proj` (`d_query` → `d_hidden`), `key_proj` (`d_key` → `d_hidden`) and
    `score` (`d_hidden` → 1), all without bias.

    Source: Bahdanau et al. 2015, appendix A.1.2.
    """

    def __init__(self, d_query: int, d_key: int, d_hidden: int) -> None:
        """Make the three linears.

        Args:
            d_query: features of a query.
            d_key: features of a key.
            d_hidden: features of the hidden layer.
        """
        super().__init__()
        raise NotImplementedError("AdditiveAttention.__init__")

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            query: `(batch, query, d_query)`.
            key: `(batch, key, d_key)`.
            value: `(batch, key, d_value)`.
            mask: bool, broadcastable to `(batch, query, key)`, True where a query may attend; None blocks nothing.

        Returns:
            output `(batch, query, d_value)` and weights `(batch, query, key)`. A query that may attend to
            nothing gets zeros in both.
        """
        raise NotImplementedError("AdditiveAttention.forward")


def attention_backward(
    grad_output: Tensor, query: Tensor, key: Tensor, value: Tensor, weights: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Differentiate scaled dot-product attention by hand.

    All tensors have the same leading axes. Blocked keys need no mask here: their weights are 0.

    Args:
        grad_output: `(…, query, d_value)`, the gradient of the loss with respect to the output.
        query: `(…, query, d_head)`.
        key: `(…, key, d_head)`.
        value: `(…, key, d_value)`.
        weights: `(…, query, key)`, what the forward pass returned.
        scale: the factor that multiplied the scores.

    Returns:
        the gradients of query, key and value, in that order, each of the shape of its tensor.
    """
    raise NotImplementedError("attention_backward")


def blockwise_attention(
    query: Tensor, key: Tensor, value: Tensor, block_size: int, mask: Tensor | None = None
) -> Tensor:
    """Attend without ever holding the whole matrix of scores: an online softmax over blocks of keys.

    The output is that of `scaled_dot_product_attention` with its default scale, `1/√d_head`. At no time
    are there scores or weights for more than `block_size` keys. PyTorch's own attention,
    `F.scaled_dot_product_attention`, may not be used here.

    Args:
        query: `(…, query, d_head)`.
        key: `(…, key, d_head)`; `block_size` need not divide its length.
        value: `(…, key, d_value)`.
        block_size: how many keys to look at at once; at least 1.
        mask: bool, broadcastable to `(…, query, key)` (so its key axis may have size 1), True where a query
            may attend; None blocks nothing.

    Returns:
        output `(…, query, d_value)`; zeros for a query that may attend to nothing.

    Source: Milakov and Gimelshein 2018; Dao et al. 2022, section 3.1.
    """
    raise NotImplementedError("blockwise_attention")
