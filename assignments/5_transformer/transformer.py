"""Stage 5: the Transformer, from its norms to whole sentences.

Conventions, the same in every function:

- axes are named `batch, length, query, key, d_model, d_hidden, vocab`; everything is batch first;
- a mask is bool, **True = may attend**. Its last two axes are always `(query, key)`, so a padding mask is passed
  as `padding[:, None, :]`; axes of size 1 are broadcast;
- a block adds the output of each branch to its input. Pre-norm (`norm_first=True`) is `x + f(norm(x))`,
  post-norm is `norm(x + f(x))`;
- attentions inside blocks have no biases; feed-forward and output linears have biases;
- dropout acts on attention weights, on the hidden layer, on each residual branch and on the embeddings; it is
  off in `eval()`;
- results have the dtype and the device of the inputs, and inputs are never changed in place;
- norms, softmax and losses of float64 inputs are computed in float64. Narrower inputs may be computed in float32;
- gradients reach every floating-point input and every parameter.
"""

import math
from typing import Literal

import torch
from attention import causal_mask
from multihead import KeyValueCache, MultiHeadAttention
from positions import sinusoidal_encoding
from torch import Tensor, nn

IGNORE_INDEX = -100  # a target that does not count, as in PyTorch's losses


class LayerNorm(nn.Module):
    """Normalise each vector to mean 0 and variance 1, then scale and shift it by learnt parameters.

    `weight · (x - mean) / √(variance + eps) + bias`, over the last axis. The variance is the biased variance (it
    divides by `d_model`), and `eps` is inside the root.

    Parameters: `weight` and `bias`, each `(d_model,)`, initialised to 1 and 0.

    Gradients also flow through the mean and the variance. A float64 input is computed in float64.

    Write it yourself: no ready-made normalisation, such as `nn.LayerNorm` or `F.group_norm`, may be used here.

    Source: Ba et al. 2016.
    """

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        """Make `weight` and `bias`.

        Args:
            d_model: size of the last axis.
            eps: keeps the divisor of a constant vector away from zero.
        """
        super().__init__()
        raise NotImplementedError("LayerNorm.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each vector of `x` separately.

        Args:
            x: `(…, d_model)`, any leading axes. It is not changed in place.

        Returns:
            A tensor with the shape, the dtype and the device of `x`.
        """
        raise NotImplementedError("LayerNorm.forward")


class RMSNorm(nn.Module):
    """Scale each vector to a root mean square of 1, then by learnt factors, without any shift.

    `weight · x / √(mean(x²) + eps)`, over the last axis.

    Parameter: `weight` `(d_model,)`, initialised to 1.

    Gradients also flow through the mean square. A float64 input is computed in float64.

    Write it yourself: no ready-made normalisation, such as `nn.RMSNorm` or `F.layer_norm`, may be used here.

    Source: Zhang and Sennrich 2019; used by T5 and Llama.
    """

    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        """Make `weight`.

        Args:
            d_model: size of the last axis.
            eps: keeps the divisor of a zero vector away from zero; it is inside the root.
        """
        super().__init__()
        raise NotImplementedError("RMSNorm.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """Scale each vector of `x` separately.

        Args:
            x: `(…, d_model)`, any leading axes. It is not changed in place.

        Returns:
            A tensor with the shape, the dtype and the device of `x`.
        """
        raise NotImplementedError("RMSNorm.forward")


def gelu(x: Tensor, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """Multiply each number by the share of a standard normal distribution that lies below it.

    The exact form is `x · Φ(x) = x/2 · (1 + erf(x/√2))`. GPT-2 computes
    `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`, which is close but not equal.

    Args:
        x: any shape. It is not changed in place.
        approximate: `"none"` for the exact form, `"tanh"` for GPT-2's form.

    Returns:
        A tensor with the shape, the dtype and the device of `x`; gradients reach `x` through every factor.

    Source: Hendrycks and Gimpel 2016.
    """
    raise NotImplementedError("gelu")


class FeedForward(nn.Module):
    """Two linears with a GELU between them, the same for every position.

    Parameters: the linears `input_proj` (`d_model` → `d_hidden`) and `output_proj` (`d_hidden` → `d_model`), both with
    a bias. The GELU is the exact form. Dropout acts on the hidden layer, after the GELU.

    Source: Vaswani et al. 2017, section 3.3, with GELU instead of ReLU as in GPT and BERT.
    """

    def __init__(self, d_model: int, d_hidden: int, dropout: float = 0.0) -> None:
        """Make the two linears.

        Args:
            d_model: features of a position.
            d_hidden: features of the hidden layer.
            dropout: probability of dropping a hidden feature in training.
        """
        super().__init__()
        raise NotImplementedError("FeedForward.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to each position separately.

        Args:
            x: `(batch, length, d_model)`.

        Returns:
            `(batch, length, d_model)`, with the dtype and the device of `x`; gradients reach `x` and all parameters.
        """
        raise NotImplementedError("FeedForward.forward")


class EncoderBlock(nn.Module):
    """Attention among the positions, then a feed-forward layer at each position; both are added to their input.

    Modules: `attention` (`MultiHeadAttention` without biases), `feed_forward` (`FeedForward`), and a `LayerNorm` for
    each of the two, `attention_norm` and `feed_forward_norm`. Pre-norm: `x + f(norm(x))`. Post-norm: `norm(x + f(x))`.
    Dropout acts inside both modules, and on each of the two branches before it is added.

    Write it yourself: no ready-made Transformer layer, such as `nn.TransformerEncoderLayer`, may be used here.

    Source: Vaswani et al. 2017, section 3.1 (post-norm); pre-norm: Xiong et al. 2020, figure 1.
    """

    def __init__(
        self, d_model: int, num_heads: int, d_hidden: int, dropout: float = 0.0, norm_first: bool = True
    ) -> None:
        """Make the attention, the feed-forward layer and their norms.

        Args:
            d_model: features of a position.
            num_heads: heads of the attention.
            d_hidden: features of the feed-forward layer's hidden layer.
            dropout: probability of dropout wherever it acts.
            norm_first: pre-norm if true, post-norm if false.
        """
        super().__init__()
        raise NotImplementedError("EncoderBlock.__init__")

    def forward(self, x: Tensor, mask: Tensor | None = None, cache: KeyValueCache | None = None) -> Tensor:
        """Let the positions of `x` attend to each other, then apply the feed-forward layer.

        Args:
            x: `(batch, length, d_model)`. Neither `x` nor `mask` is changed in place.
            mask: bool, True where a query may attend, broadcastable to `(batch, query, key)` or, with four axes, to
                `(batch, heads, query, key)`; None blocks nothing. The block adds no causal mask of its own.
            cache: keys and values of earlier positions, for the attention. The key axis of `mask` then spans old
                and new keys.

        Returns:
            `(batch, length, d_model)`, with the dtype and the device of `x`; gradients reach `x` and all parameters.
        """
        raise NotImplementedError("EncoderBlock.forward")


class DecoderBlock(nn.Module):
    """Causal attention among the words so far, attention to the memory, then a feed-forward layer.

    Modules: `self_attention` and `cross_attention` (`MultiHeadAttention` without biases), `feed_forward`
    (`FeedForward`), and a `LayerNorm` for each of the three: `self_attention_norm`, `cross_attention_norm`,
    `feed_forward_norm`. All three are added to their input, as in `EncoderBlock`; the memory is not normalised here.

    Write it yourself: no ready-made Transformer layer, such as `nn.TransformerDecoderLayer`, may be used here.

    Source: Vaswani et al. 2017, section 3.1.
    """

    def __init__(
        self, d_model: int, num_heads: int, d_hidden: int, dropout: float = 0.0, norm_first: bool = True
    ) -> None:
        """Make the two attentions, the feed-forward layer and their norms.

        Args:
            d_model: features of a position, also in the memory.
            num_heads: heads of each attention.
            d_hidden: features of the feed-forward layer's hidden layer.
            dropout: probability of dropout wherever it acts.
            norm_first: pre-norm if true, post-norm if false.
        """
        super().__init__()
        raise NotImplementedError("DecoderBlock.__init__")

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Let each position of `x` attend to `x`, then to the memory, and apply the feed-forward layer.

        The self-attention is always causal: no position sees a later one, whatever `mask` allows.

        Args:
            x: `(batch, query, d_model)`. Neither `x` nor another argument is changed in place.
            memory: `(batch, key, d_model)`, the output of the encoder.
            mask: bool, as in `EncoderBlock`. It blocks positions in addition to the causal mask.
            memory_mask: bool, True where a query may attend to the memory; a padding mask is `(batch, 1, key)`.
            cache: keys and values of earlier positions, for the self-attention: the positions of `x` follow them,
                and each sees all of them. The key axis of `mask` then spans old and new keys.

        Returns:
            `(batch, query, d_model)`, with the dtype and the device of `x`; gradients reach `x`, `memory` and all
            parameters.
        """
        raise NotImplementedError("DecoderBlock.forward")


class Encoder(nn.Module):
    """A stack of encoder blocks.

    Modules: `blocks`, a list of independent `EncoderBlock`s, and, with pre-norm only, `norm` at the end (`LayerNorm`).

    Write it yourself: no ready-made Transformer layer, such as `nn.TransformerEncoder`, may be used here.

    Source: Vaswani et al. 2017, section 3.1.
    """

    def __init__(
        self,
        num_blocks: int,
        d_model: int,
        num_heads: int,
        d_hidden: int,
        dropout: float = 0.0,
        norm_first: bool = True,
    ) -> None:
        """Make the blocks and the norm.

        Args:
            num_blocks: number of blocks; each has its own parameters.
            d_model: features of a position.
            num_heads: heads of each attention.
            d_hidden: features of each hidden layer.
            dropout: probability of dropout wherever it acts.
            norm_first: pre-norm with a `norm` at the end if true, post-norm without it if false.
        """
        super().__init__()
        raise NotImplementedError("Encoder.__init__")

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Apply the blocks in order, each with the same mask.

        Args:
            x: `(batch, length, d_model)`.
            mask: as in `EncoderBlock`.

        Returns:
            `(batch, length, d_model)`; gradients reach `x` and the parameters of all blocks.
        """
        raise NotImplementedError("Encoder.forward")


class Decoder(nn.Module):
    """A stack of decoder blocks that all read the same memory.

    Modules: `blocks`, a list of independent `DecoderBlock`s, and, with pre-norm only, `norm` at the end (`LayerNorm`).

    Write it yourself: no ready-made Transformer layer, such as `nn.TransformerDecoder`, may be used here.

    Source: Vaswani et al. 2017, section 3.1.
    """

    def __init__(
        self,
        num_blocks: int,
        d_model: int,
        num_heads: int,
        d_hidden: int,
        dropout: float = 0.0,
        norm_first: bool = True,
    ) -> None:
        """Make the blocks and the norm; the arguments are those of `Encoder`."""
        super().__init__()
        raise NotImplementedError("Decoder.__init__")

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        caches: list[KeyValueCache] | None = None,
    ) -> Tensor:
        """Apply the blocks in order, each with the same memory and masks, and with its own cache.

        Args:
            x: `(batch, query, d_model)`.
            memory: `(batch, key, d_model)`.
            mask: as in `DecoderBlock`.
            memory_mask: as in `DecoderBlock`.
            caches: one cache per block; None for no caches.

        Returns:
            `(batch, query, d_model)`; gradients reach `x`, `memory` and the parameters of all blocks.
        """
        raise NotImplementedError("Decoder.forward")


class Transformer(nn.Module):
    """An encoder–decoder Transformer: reads a source sentence and predicts the next token of a target sentence.

    Modules: `source_embedding` and `target_embedding` (`nn.Embedding`), `encoder` and `decoder` (pre-norm), and the
    linear `output_proj` (`d_model` → `target_vocab`, with a bias). Embeddings are multiplied by `√d_model` before the
    sinusoids are added; dropout acts on the sum. The sinusoids are not in the state dict. `pad_id` is kept as an
    attribute.

    Padding of the source is masked wherever the source is read: in the encoder, and in the decoder's cross-attention.
    Padding of the target is on the right, where the causal mask hides it from every real token. It needs no further
    mask, so the token that starts a sentence may have the same id.

    Write it yourself: no ready-made Transformer layer, such as `nn.Transformer`, may be used here.

    Source: Vaswani et al. 2017, sections 3.1 and 3.4; without its weight sharing.
    """

    def __init__(
        self,
        source_vocab: int,
        target_vocab: int,
        d_model: int,
        num_heads: int,
        num_blocks: int,
        d_hidden: int,
        max_length: int,
        dropout: float = 0.0,
        pad_id: int = 0,
    ) -> None:
        """Make the embeddings, the two stacks and the output projection.

        Args:
            source_vocab: number of tokens of the source language.
            target_vocab: number of tokens of the target language.
            d_model: features of a position, even.
            num_heads: heads of each attention.
            num_blocks: blocks of the encoder, and of the decoder.
            d_hidden: features of each hidden layer.
            max_length: maximum number of tokens of a source, and of a target.
            dropout: probability of dropout wherever it acts.
            pad_id: the token that pads short sentences, the same in both languages.
        """
        super().__init__()
        raise NotImplementedError("Transformer.__init__")

    def embed(self, tokens: Tensor, embedding: nn.Embedding) -> Tensor:
        """Embed tokens and their positions. A helper: `encode` and `decode` both need it.

        Args:
            tokens: token ids `(batch, length)`.
            embedding: the embedding of their language.

        Returns:
            `(batch, length, d_model)`, after dropout.

        Raises:
            ValueError: there are more than `max_length` tokens.
        """
        raise NotImplementedError("Transformer.embed")

    def encode(self, source: Tensor) -> Tensor:
        """Read the source.

        Args:
            source: token ids `(batch, length)`, padding included.

        Returns:
            The memory, `(batch, length, d_model)`.

        Raises:
            ValueError: `source` is longer than `max_length`.
        """
        raise NotImplementedError("Transformer.encode")

    def decode(self, target: Tensor, memory: Tensor, source: Tensor) -> Tensor:
        """Predict the next token at each position of the target.

        Args:
            target: token ids `(batch, target)` that the decoder reads; they begin with the start token.
            memory: `(batch, source, d_model)`, from `encode`.
            source: token ids `(batch, source)`; they show which positions of the memory are padding.

        Returns:
            Logits `(batch, target, target_vocab)`. The logits at `t` predict the token after `target[:, t]`.

        Raises:
            ValueError: `target` is longer than `max_length`.
        """
        raise NotImplementedError("Transformer.decode")

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Encode the source and decode the target in one pass, as in training.

        Args:
            source: token ids `(batch, source)`.
            target: token ids `(batch, target)`, already shifted: see `shift_right`.

        Returns:
            Logits `(batch, target, target_vocab)`, with the dtype of the parameters, on the device of the tokens.
            Gradients reach every parameter, and each row of an embedding that was read.
        """
        raise NotImplementedError("Transformer.forward")


def shift_right(tokens: Tensor, start_id: int) -> Tensor:
    """Build the decoder's input for the target `tokens`: each position holds the token before it.

    Args:
        tokens: token ids `(batch, length)`. They are not changed in place.
        start_id: the token at the first position.

    Returns:
        `(batch, length)`: `start_id`, then all of `tokens` except the last, with their dtype and device.
    """
    raise NotImplementedError("shift_right")


def label_smoothed_loss(logits: Tensor, targets: Tensor, smoothing: float, pad_id: int) -> Tensor:
    """Compute the cross-entropy with smoothed targets, as a mean over the real tokens.

    The target token gets the probability `1 - smoothing`. In addition, `smoothing` is divided evenly among **all**
    classes, the target included (as in PyTorch's `label_smoothing`). Targets that are `pad_id` or -100 do not count.
    Float64 logits are computed in float64.

    Args:
        logits: `(batch, length, vocab)`, of any magnitude.
        targets: token ids `(batch, length)`, int64. Neither `logits` nor `targets` is changed in place.
        smoothing: at least 0 and less than 1.
        pad_id: the target that does not count.

    Returns:
        The mean over the targets that count, a 0-d tensor with the dtype and the device of `logits`; 0.0 when no
        target counts.

    Source: Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4.
    """
    raise NotImplementedError("label_smoothed_loss")


def greedy_decode(model: nn.Module, source: Tensor, start_id: int, end_id: int, max_length: int) -> Tensor:
    """Write one target sentence per source, with the most likely next token at each step.

    Uses only `model.encode`, `model.decode` and `model.pad_id`, besides the train/eval mode: the model runs in eval
    mode, so that dropout is off, and its mode is restored at the end.

    Args:
        model: a `Transformer`, or a module with the same interface.
        source: token ids `(batch, source)`. They are not changed in place.
        start_id: the token that the decoder reads first; it may be the same as `pad_id`.
        end_id: the token that ends a sentence.
        max_length: maximum number of tokens to write.

    Returns:
        Token ids `(batch, n)`, `n ≤ max_length`, without `start_id`: each row up to and including its first `end_id`,
        then `pad_id`. Decoding stops when all rows have ended.
    """
    raise NotImplementedError("greedy_decode")


def warmup_rate(step: int, d_model: int, warmup: int) -> float:
    """Compute the learning rate of the original Transformer: a linear rise, then a fall as `1/√step`.

    `d_model^(-1/2) · min(step^(-1/2), step · warmup^(-3/2))`, highest at `step = warmup`.

    Args:
        step: number of the step, counted from 1.
        d_model: features of a position.
        warmup: number of steps during which the rate rises.

    Returns:
        The learning rate.

    Source: Vaswani et al. 2017, section 5.3, equation 3.
    """
    raise NotImplementedError("warmup_rate")
