"""Stage 2: attention, a weighted average with learned weights.

Conventions for every function:

- Axes are named `…` (any leading axes), `query`, `key`, `d_head`, `d_value`. Weights are `(…, query, key)`
  and sum to one over **key**.
- A mask is bool, **True = may attend**, broadcastable to `(…, query, key)`. A query that may attend to
  nothing gets zero weights and a zero output: never NaN, never equal weights.
- Results have the dtype and the device of the inputs, and inputs are never changed in place. Gradients flow from
  the results to the inputs.
"""

import math

import torch
from torch import Tensor, nn


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Turn logits into positive weights that sum to one along `dim`.

    The result is stable for logits of any size, and for neighbouring slices of very different size. It has the
    accuracy of the dtype of `x`: for float64, computing in float32 is not enough.

    Args:
        x: logits, any number of axes; entries may be `-inf`.
        dim: the axis that sums to one; counted from the end when negative.

    Returns:
        weights in the shape of `x`. An entry of `-inf` gets weight 0; a slice that holds only `-inf` is all zeros.

    Source: Dive into Deep Learning, section 4.5.2 (overflow and underflow).
    """
    raise NotImplementedError("softmax")


def causal_mask(query_length: int, key_length: int | None = None, device: torch.device | str | None = None) -> Tensor:
    """Let each position attend to itself and to earlier positions.

    The **last** query lines up with the **last** key. With a cache of earlier keys, there are fewer queries
    than keys: a single query, the newest, may attend to every key.

    Args:
        query_length: number of queries.
        key_length: number of keys; `query_length` when None.
        device: device of the mask; the default device when None.

    Returns:
        bool `(query, key)`; True where the query may attend.
    """
    raise NotImplementedError("causal_mask")


def padding_mask(lengths: Tensor, max_length: int) -> Tensor:
    """Mark the real tokens of a batch of sequences that are padded on the right.

    Attention takes it as the mask `padding_mask(…)[:, None, :]`, which blocks the same keys for every
    query.

    Args:
        lengths: int64 `(batch,)`, the number of real tokens of each sequence, 0 to `max_length`.
        max_length: the length that all sequences are padded to.

    Returns:
        bool `(batch, max_length)`, True on real tokens, on the device of `lengths`.
    """
    raise NotImplementedError("padding_mask")


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Take the softmax over the keys that each query may attend to.

    A blocked key has no influence, however large its score. The gradient is finite everywhere, even for
    a query that may attend to nothing. The weights have the accuracy of the dtype of `scores`.

    Args:
        scores: `(…, query, key)`, of any float dtype, float16 and bfloat16 included. Each score may be any finite
            number up to half of the largest number of its dtype, positive or negative: ±3e4 in float16, ±1e38 in
            bfloat16 and float32.
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

    Results are stable for scores of any size that their dtype can hold, and have the accuracy of that dtype. Write
    this yourself: no ready-made attention, such as `F.scaled_dot_product_attention`, may be used here.

    Args:
        query: `(…, query, d_head)`, of any float dtype, float16 and bfloat16 included.
        key: `(…, key, d_head)`; the number of keys may differ from the number of queries.
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

    The weight of a key is proportional to `exp(−½·(distance / bandwidth)²)`. The result equals that of
    `nadaraya_watson` of stage 1, for tensors with any leading axes.

    Args:
        query: `(…, query, d)`.
        key: `(…, key, d)`.
        value: `(…, key, d_value)`.
        bandwidth: positive, possibly very small; in the limit, the result is the value of the nearest key: in
            float64 down to a bandwidth of 1e-100, in float32 down to 1e-15.

    Returns:
        the weighted averages, `(…, query, d_value)`.

    Source: Dive into Deep Learning, section 11.2; Nadaraya 1964, Watson 1964.
    """
    raise NotImplementedError("kernel_attention")


class AdditiveAttention(nn.Module):
    """Attention with scores from a small network, so that queries and keys may differ in size.

    The score of a query `q` and a key `k` is `score(tanh(query_proj(q) + key_proj(k)))`. Results are stable for
    parameters of any size, and have the accuracy of their dtype.

    Parameters: the linear layers `query_proj` (`d_query` → `d_hidden`), `key_proj` (`d_key` → `d_hidden`) and
    `score` (`d_hidden` → 1), all without bias.

    Source: Bahdanau et al. 2015, appendix A.1.2.
    """

    def __init__(self, d_query: int, d_key: int, d_hidden: int) -> None:
        """Create the three linear layers.

        Args:
            d_query: features of a query.
            d_key: features of a key.
            d_hidden: features of the hidden layer.
        """
        super().__init__()
        raise NotImplementedError("AdditiveAttention.__init__")

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Average the values, weighted by the additive scores.

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

    All tensors have the same leading axes. Blocked keys need no mask, because their weights are 0.

    Args:
        grad_output: `(…, query, d_value)`, the gradient of the loss with respect to the output.
        query: `(…, query, d_head)`.
        key: `(…, key, d_head)`.
        value: `(…, key, d_value)`.
        weights: `(…, query, key)`, as returned by the forward pass.
        scale: the factor that multiplied the scores.

    Returns:
        the gradients of query, key and value, in that order, each in the shape of its tensor.
    """
    raise NotImplementedError("attention_backward")


def blockwise_attention(
    query: Tensor, key: Tensor, value: Tensor, block_size: int, mask: Tensor | None = None
) -> Tensor:
    """Attend without the whole matrix of scores in memory: an online softmax over blocks of keys.

    The output is that of `scaled_dot_product_attention` with its default scale, `1/√d_head`: as stable for large
    scores, and as accurate. At no time do scores or weights exist for more than `block_size` keys. No
    ready-made attention, such as `F.scaled_dot_product_attention`, may be used here.

    Args:
        query: `(…, query, d_head)`.
        key: `(…, key, d_head)`; `block_size` need not divide its length.
        value: `(…, key, d_value)`.
        block_size: number of keys per block; at least 1.
        mask: bool, broadcastable to `(…, query, key)` (so its key axis may have size 1), True where a query
            may attend; None blocks nothing.

    Returns:
        output `(…, query, d_value)`; zeros for a query that may attend to nothing.

    Source: Milakov and Gimelshein 2018; Dao et al. 2022, section 3.1.
    """
    raise NotImplementedError("blockwise_attention")
