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
        ### BEGIN SOLUTION
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each vector of `x` separately.

        Args:
            x: `(…, d_model)`, any leading axes. It is not changed in place.

        Returns:
            A tensor with the shape, the dtype and the device of `x`.
        """
        ### BEGIN SOLUTION
        centred = x - x.mean(dim=-1, keepdim=True)  # (…, d_model)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return self.weight * centred / torch.sqrt(variance + self.eps) + self.bias
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Scale each vector of `x` separately.

        Args:
            x: `(…, d_model)`, any leading axes. It is not changed in place.

        Returns:
            A tensor with the shape, the dtype and the device of `x`.
        """
        ### BEGIN SOLUTION
        mean_square = x.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return self.weight * x / torch.sqrt(mean_square + self.eps)
        ### END SOLUTION


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
    ### BEGIN SOLUTION
    if approximate == "tanh":
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
    ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.input_proj = nn.Linear(d_model, d_hidden)
        self.output_proj = nn.Linear(d_hidden, d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to each position separately.

        Args:
            x: `(batch, length, d_model)`.

        Returns:
            `(batch, length, d_model)`, with the dtype and the device of `x`; gradients reach `x` and all parameters.
        """
        ### BEGIN SOLUTION
        hidden = gelu(self.input_proj(x))  # (batch, length, d_hidden)
        return self.output_proj(self.dropout(hidden))  # (batch, length, d_model)
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.norm_first = norm_first
        self.attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.attention_norm = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward_norm = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

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
        ### BEGIN SOLUTION
        if self.norm_first:
            attended, _ = self.attention(self.attention_norm(x), mask=mask, cache=cache)
            x = x + self.dropout(attended)
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        attended, _ = self.attention(x, mask=mask, cache=cache)
        x = self.attention_norm(x + self.dropout(attended))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.self_attention_norm = LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.cross_attention_norm = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward_norm = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

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
        ### BEGIN SOLUTION
        seen = len(cache) if cache is not None else 0
        causal = causal_mask(x.shape[1], seen + x.shape[1], device=x.device)  # (query, seen + query)
        mask = causal if mask is None else causal & mask
        if self.norm_first:
            attended, _ = self.self_attention(self.self_attention_norm(x), mask=mask, cache=cache)
            x = x + self.dropout(attended)
            attended, _ = self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)
            x = x + self.dropout(attended)
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        attended, _ = self.self_attention(x, mask=mask, cache=cache)
        x = self.self_attention_norm(x + self.dropout(attended))
        attended, _ = self.cross_attention(x, memory, memory_mask)
        x = self.cross_attention_norm(x + self.dropout(attended))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.blocks = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in range(num_blocks)
        )
        self.norm = LayerNorm(d_model) if norm_first else None
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Apply the blocks in order, each with the same mask.

        Args:
            x: `(batch, length, d_model)`.
            mask: as in `EncoderBlock`.

        Returns:
            `(batch, length, d_model)`; gradients reach `x` and the parameters of all blocks.
        """
        ### BEGIN SOLUTION
        for block in self.blocks:
            x = block(x, mask)
        return x if self.norm is None else self.norm(x)
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.blocks = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in range(num_blocks)
        )
        self.norm = LayerNorm(d_model) if norm_first else None
        ### END SOLUTION

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
        ### BEGIN SOLUTION
        for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):
            x = block(x, memory, mask, memory_mask, cache)
        return x if self.norm is None else self.norm(x)
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.d_model, self.max_length, self.pad_id = d_model, max_length, pad_id
        self.source_embedding = nn.Embedding(source_vocab, d_model)
        self.target_embedding = nn.Embedding(target_vocab, d_model)
        self.encoder = Encoder(num_blocks, d_model, num_heads, d_hidden, dropout)
        self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout)
        self.output_proj = nn.Linear(d_model, target_vocab)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

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
        ### BEGIN SOLUTION
        length = tokens.shape[1]
        if length > self.max_length:
            raise ValueError(f"{length} tokens, but the longest sentence has {self.max_length}")
        x = embedding(tokens) * math.sqrt(self.d_model)  # (batch, length, d_model)
        return self.dropout(x + sinusoidal_encoding(length, self.d_model, device=x.device).to(x.dtype))
        ### END SOLUTION

    def encode(self, source: Tensor) -> Tensor:
        """Read the source.

        Args:
            source: token ids `(batch, length)`, padding included.

        Returns:
            The memory, `(batch, length, d_model)`.

        Raises:
            ValueError: `source` is longer than `max_length`.
        """
        ### BEGIN SOLUTION
        real = (source != self.pad_id)[:, None, :]  # (batch, 1, key)
        return self.encoder(self.embed(source, self.source_embedding), mask=real)
        ### END SOLUTION

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
        ### BEGIN SOLUTION
        x = self.embed(target, self.target_embedding)  # (batch, target, d_model)
        readable = (source != self.pad_id)[:, None, :]  # (batch, 1, source)
        return self.output_proj(self.decoder(x, memory, memory_mask=readable))
        ### END SOLUTION

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Encode the source and decode the target in one pass, as in training.

        Args:
            source: token ids `(batch, source)`.
            target: token ids `(batch, target)`, already shifted: see `shift_right`.

        Returns:
            Logits `(batch, target, target_vocab)`, with the dtype of the parameters, on the device of the tokens.
            Gradients reach every parameter, and each row of an embedding that was read.
        """
        ### BEGIN SOLUTION
        return self.decode(target, self.encode(source), source)
        ### END SOLUTION


def shift_right(tokens: Tensor, start_id: int) -> Tensor:
    """Build the decoder's input for the target `tokens`: each position holds the token before it.

    Args:
        tokens: token ids `(batch, length)`. They are not changed in place.
        start_id: the token at the first position.

    Returns:
        `(batch, length)`: `start_id`, then all of `tokens` except the last, with their dtype and device.
    """
    ### BEGIN SOLUTION
    start = tokens.new_full((*tokens.shape[:-1], 1), start_id)  # (batch, 1)
    return torch.cat((start, tokens[..., :-1]), dim=-1)
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    counted = (targets != pad_id) & (targets != IGNORE_INDEX)  # (batch, length)
    log_probabilities = logits.log_softmax(dim=-1)[counted]  # (counted, vocab)
    of_target = log_probabilities.gather(-1, targets[counted].unsqueeze(-1)).squeeze(-1)  # (counted,)
    losses = -(1 - smoothing) * of_target - smoothing * log_probabilities.mean(dim=-1)
    return losses.sum() / counted.sum().clamp(min=1)
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            memory = model.encode(source)
            target = source.new_full((len(source), 1), start_id)  # (batch, 1)
            ended = torch.zeros_like(target[:, 0], dtype=torch.bool)  # (batch,)
            while target.shape[1] <= max_length and not ended.all():
                likeliest = model.decode(target, memory, source)[:, -1].argmax(dim=-1)  # (batch,)
                token = likeliest.masked_fill(ended, model.pad_id)
                target = torch.cat((target, token.unsqueeze(-1)), dim=1)
                ended = ended | (token == end_id)
    finally:
        model.train(was_training)
    return target[:, 1:]
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
    ### END SOLUTION
