"""Stage 8: T5, in which every task is text to text.

Conventions, the same in every function:

- axes are named `batch, heads, length, query, key, d_model, d_hidden, vocab`; modules are batch first;
- a mask is bool, **True = may attend**. Its last two axes are always `(query, key)`. A query that may attend to nothing
  gets zero weights;
- random numbers come from the given `generator` only, except for initialisation and dropout;
- dropout is off in `eval()`;
- results have the dtype and the device of the inputs, and inputs are never changed in place.

Source of the stage: Raffel et al. 2020.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from attention import causal_mask, masked_softmax
from multihead import merge_heads, split_heads
from torch import Tensor, nn
from torch.nn import functional
from transformer import FeedForward, RMSNorm


@dataclass(frozen=True)
class T5Config:
    """Sizes of a T5 (given: nothing to do here).

    Attributes:
        vocab_size: number of different tokens, the sentinels included.
        d_model: features of a position.
        num_heads: heads of each attention.
        num_blocks: blocks of the encoder, and of the decoder.
        d_hidden: features of each feed-forward layer's hidden layer.
        num_buckets: number of buckets of relative positions.
        max_distance: the distance from which on all positions share a bucket.
        pad_id: the token that pads short texts.
        dropout: probability of dropout wherever it acts.
    """

    vocab_size: int
    d_model: int
    num_heads: int
    num_blocks: int
    d_hidden: int
    num_buckets: int = 32
    max_distance: int = 128
    pad_id: int = 0
    dropout: float = 0.0


def random_spans(length: int, generator: torch.Generator | None, rate: float = 0.15, mean_span: float = 3.0) -> Tensor:
    """Choose which tokens of a text to mask: random spans of random lengths.

    Exactly `round(length·rate)` tokens are masked, at least 1 and at most `length - 1`. They form exactly
    `round(masked / mean_span)` spans: at least 1, at most one per masked token, and at most one per token that is
    kept. Both are rounded with Python's `round`. Spans never touch each other, and the first token is never masked.

    T5 draws the lengths of the spans, and of the gaps before them, from all possible lengths with equal probability.
    Other random lengths are right too if they vary: where three or more lengths are possible, no span and no gap has
    the same length more than 80 % of the time.

    Args:
        length: number of tokens in the text.
        generator: draws the spans; the global generator when None.
        rate: share of the tokens to mask.
        mean_span: mean length of a span.

    Returns:
        bool `(length,)`, True where a token is masked.

    Raises:
        ValueError: `length` is less than 2.

    Source: Raffel et al. 2020, section 3.3.4; `random_spans_noise_mask` in the authors' code.
    """
    ### BEGIN SOLUTION
    if length < 2:
        raise ValueError(f"a text of {length} tokens is too short: one token must be masked and one kept")
    masked = min(max(round(length * rate), 1), length - 1)
    count = min(max(round(masked / mean_span), 1), masked, length - masked)
    spans = random_lengths(masked, count, generator)
    gaps = random_lengths(length - masked, count, generator)
    lengths = torch.stack((gaps, spans), dim=1).flatten()  # gap, span, gap, span …
    return torch.tensor([False, True]).repeat(count).repeat_interleave(lengths)
    ### END SOLUTION


def random_lengths(total: int, count: int, generator: torch.Generator | None) -> Tensor:
    """Divide `total` tokens into `count` pieces of random lengths. A helper of `random_spans`, not graded by itself.

    Args:
        total: number of tokens.
        count: number of pieces, from 1 to `total`.
        generator: draws the lengths; the global generator when None.

    Returns:
        int64 `(count,)`: lengths of at least 1, whose sum is `total`.
    """
    ### BEGIN SOLUTION
    cuts = torch.randperm(total - 1, generator=generator)[: count - 1].sort().values + 1
    return torch.cat((torch.tensor([0]), cuts, torch.tensor([total]))).diff()
    ### END SOLUTION


def corrupt_spans(tokens: Tensor, spans: Tensor, sentinel_ids: list[int], end_id: int) -> tuple[Tensor, Tensor]:
    """Turn a text into a task: the text with gaps, and what is missing from it.

    Each span is a maximal run of masked tokens. In the inputs, the first span is replaced by the first sentinel, the
    second span by the second sentinel, and so on. The targets repeat each sentinel, followed by the tokens of its span.
    After the last span, they have one more sentinel. Both end with `end_id`.

    With `b` and `c` masked, `a b c d e` becomes the inputs `a S0 d e end` and the targets `S0 b c S1 end`.

    Args:
        tokens: token ids `(length,)`.
        spans: bool `(length,)`, True where a token is masked; any pattern, also masked first or last tokens, no
            token or all tokens.
        sentinel_ids: ids of the sentinels, in the order in which they are used; any ids.
        end_id: the token that ends inputs and targets; it may occur in `tokens`.

    Returns:
        Inputs and targets, two tensors with one axis and the dtype of `tokens`.

    Raises:
        ValueError: there are fewer sentinels than spans plus one, or a sentinel occurs in `tokens`.

    Source: Raffel et al. 2020, section 3.1.4 and figure 2.
    """
    ### BEGIN SOLUTION
    if set(tokens.tolist()) & set(sentinel_ids):
        raise ValueError("the text contains a sentinel")
    starts = sum(masked and not before for before, masked in pairwise([False, *spans.tolist()]))
    if starts + 1 > len(sentinel_ids):
        raise ValueError(f"{starts} spans need {starts + 1} sentinels, but there are {len(sentinel_ids)}")
    inputs, targets, used, inside = [], [], 0, False
    for token, masked in zip(tokens.tolist(), spans.tolist(), strict=True):
        if masked and not inside:
            inputs.append(sentinel_ids[used])
            targets.append(sentinel_ids[used])
            used += 1
        inside = masked
        (targets if masked else inputs).append(token)
    return tokens.new_tensor([*inputs, end_id]), tokens.new_tensor([*targets, sentinel_ids[used], end_id])
    ### END SOLUTION


def restore_spans(inputs: Tensor, targets: Tensor, sentinel_ids: list[int], end_id: int) -> Tensor:
    """Put the missing spans back: the exact inverse of `corrupt_spans`.

    `restore_spans(*corrupt_spans(tokens, spans, sentinel_ids, end_id), sentinel_ids, end_id)` equals `tokens`, also
    if `tokens` contains `end_id` or 0.

    Args:
        inputs: `(n,)`, from `corrupt_spans`.
        targets: `(m,)`, from `corrupt_spans`.
        sentinel_ids: the sentinels that `corrupt_spans` was given.
        end_id: the last token of both.

    Returns:
        The original tokens `(length,)`, with the dtype of `inputs`.
    """
    ### BEGIN SOLUTION
    missing: dict[int, list[int]] = {}
    for token in targets[:-1].tolist():  # only the last token ends: the text may contain `end_id` as well
        if token in sentinel_ids:
            span = missing.setdefault(token, [])
        else:
            span.append(token)
    tokens: list[int] = []
    for token in inputs[:-1].tolist():
        tokens.extend(missing[token] if token in sentinel_ids else [token])
    return inputs.new_tensor(tokens)
    ### END SOLUTION


def relative_position_bucket(
    relative_position: Tensor, bidirectional: bool = True, num_buckets: int = 32, max_distance: int = 128
) -> Tensor:
    """Sort relative positions into buckets: one for each near position, shared buckets for far positions.

    Bidirectional: the first half of the buckets is for keys at or before the query, the second half for keys after
    it. Unidirectional: all buckets are for keys at or before the query, and keys after it go to bucket 0.

    Of the `n` buckets for a direction, the first `e = n // 2` hold one distance each: 0, 1, … `e - 1`. A distance
    `d ≥ e` has the bucket `e + ⌊log(d/e) / log(max_distance/e) · (n - e)⌋`, but at most `n - 1`. The logarithm is
    computed in float32. In the second half, the number of buckets before it is added.

    Args:
        relative_position: `key_index - query_index`, int64, any shape.
        bidirectional: whether keys after the query have buckets of their own.
        num_buckets: number of buckets, even, at least 4.
        max_distance: distances from here on share the last bucket; more than `e`.

    Returns:
        int64 in the shape of `relative_position`, from 0 to `num_buckets - 1`.

    Source: Raffel et al. 2020, section 2.1; `_relative_position_bucket` in the authors' code.
    """
    ### BEGIN SOLUTION
    if bidirectional:
        num_buckets //= 2
        first = (relative_position > 0).long() * num_buckets
        distance = relative_position.abs()
    else:
        first = torch.zeros_like(relative_position)
        distance = (-relative_position).clamp(min=0)
    exact = num_buckets // 2
    share = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    shared = (exact + (share * (num_buckets - exact)).long()).clamp(max=num_buckets - 1)
    return first + torch.where(distance < exact, distance, shared)
    ### END SOLUTION


class RelativePositionBias(nn.Module):
    """A learnt number for each bucket and head, which is added to the scores of an attention.

    Parameter: `weight` `(num_buckets, num_heads)`.

    Source: Raffel et al. 2020, section 2.1.
    """

    def __init__(self, num_heads: int, num_buckets: int, max_distance: int, bidirectional: bool) -> None:
        """Make `weight`; its initial values are free.

        Args:
            num_heads: number of heads.
            num_buckets: as in `relative_position_bucket`.
            max_distance: as in `relative_position_bucket`.
            bidirectional: as in `relative_position_bucket`.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.max_distance, self.bidirectional = max_distance, bidirectional
        self.weight = nn.Parameter(torch.randn(num_buckets, num_heads) * 0.02)
        ### END SOLUTION

    def forward(self, query_length: int, key_length: int) -> Tensor:
        """Look up the bias of every query and key.

        Args:
            query_length: number of queries, at positions 0, 1, …
            key_length: number of keys, at positions 0, 1, …

        Returns:
            `(heads, query, key)`, with the dtype and the device of `weight`; gradients reach `weight`.
        """
        ### BEGIN SOLUTION
        query = torch.arange(query_length, device=self.weight.device)
        key = torch.arange(key_length, device=self.weight.device)
        distance = key[None, :] - query[:, None]  # (query, key)
        buckets = relative_position_bucket(distance, self.bidirectional, len(self.weight), self.max_distance)
        return self.weight[buckets].permute(2, 0, 1)  # (query, key, heads) → (heads, query, key)
        ### END SOLUTION


class T5Attention(nn.Module):
    """Multi-head attention with a bias on the scores, and without their scale.

    Parameters: the linears `query_proj`, `key_proj`, `value_proj` and `output_proj` (`d_model` → `d_model`), all
    without bias. Head `h` uses the features `h·d_head … (h+1)·d_head` of the projections.

    The scores are `q·k`, **not** divided by `√d_head`: T5 initialises its projections for that. They can be large, and
    must not overflow.

    Write it yourself: no ready-made attention, such as `F.scaled_dot_product_attention`, may be used here.

    Source: Raffel et al. 2020, section 2.1; the scale: the authors' code.
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        """Create the four linears.

        Args:
            d_model: features of a position.
            num_heads: number of heads; it divides `d_model`.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.num_heads = num_heads
        self.query_proj = nn.Linear(d_model, d_model, bias=False)
        self.key_proj = nn.Linear(d_model, d_model, bias=False)
        self.value_proj = nn.Linear(d_model, d_model, bias=False)
        self.output_proj = nn.Linear(d_model, d_model, bias=False)
        ### END SOLUTION

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let each position of `x` attend to the positions of `memory`, or of `x` itself.

        Args:
            x: `(batch, query, d_model)`, the source of the queries. Neither `x` nor any other input is changed in
                place.
            memory: `(batch, key, d_model)`, the source of keys and values; `x` when None.
            mask: bool, True where a query may attend, with two axes `(query, key)`, three `(batch, query, key)` or
                four `(batch, heads, query, key)`; axes of size 1 are broadcast. None blocks nothing.
            bias: `(heads, query, key)`, added to the scores of every sequence; None adds nothing.

        Returns:
            output `(batch, query, d_model)` and weights `(batch, heads, query, key)`, with the dtype and the device of
            `x`. A query that may attend to nothing has zero weights and a zero output. Gradients reach `x`, `memory`,
            `bias` and all parameters.
        """
        ### BEGIN SOLUTION
        source = x if memory is None else memory
        query = split_heads(self.query_proj(x), self.num_heads)  # (batch, heads, query, d_head)
        key = split_heads(self.key_proj(source), self.num_heads)  # (batch, heads, key, d_head)
        value = split_heads(self.value_proj(source), self.num_heads)
        scores = query @ key.transpose(-2, -1)  # (batch, heads, query, key)
        if bias is not None:
            scores = scores + bias
        if mask is not None and mask.ndim == 3:
            mask = mask.unsqueeze(1)  # the same for every head
        weights = masked_softmax(scores, mask)
        return self.output_proj(merge_heads(weights @ value)), weights
        ### END SOLUTION


class T5EncoderBlock(nn.Module):
    """A block that reads. A helper of `T5`, not graded by itself: the modules that it creates are.

    Modules: `attention` (`T5Attention`), `feed_forward` (stage 5's `FeedForward`), and stage 5's `RMSNorm` for each,
    `attention_norm` and `feed_forward_norm`. Pre-norm: `x + dropout(f(norm(x)))`.
    """

    def __init__(self, config: T5Config) -> None:
        """Make the attention, the feed-forward layer and their norms."""
        super().__init__()
        ### BEGIN SOLUTION
        self.attention = T5Attention(config.d_model, config.num_heads)
        self.attention_norm = RMSNorm(config.d_model)
        self.feed_forward = FeedForward(config.d_model, config.d_hidden, config.dropout)
        self.feed_forward_norm = RMSNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor, bias: Tensor) -> Tensor:
        """Attend, then apply the feed-forward layer.

        Args:
            x: `(batch, length, d_model)`.
            mask: as in `T5Attention`.
            bias: as in `T5Attention`.

        Returns:
            `(batch, length, d_model)`.
        """
        ### BEGIN SOLUTION
        x = x + self.dropout(self.attention(self.attention_norm(x), mask=mask, bias=bias)[0])
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        ### END SOLUTION


class T5DecoderBlock(nn.Module):
    """A block that writes. A helper of `T5`, not graded by itself: the modules that it creates are.

    Modules: `self_attention` and `cross_attention` (`T5Attention`), `feed_forward` (`FeedForward`), and an `RMSNorm`
    for each: `self_attention_norm`, `cross_attention_norm` and `feed_forward_norm`.
    """

    def __init__(self, config: T5Config) -> None:
        """Make the two attentions, the feed-forward layer and their norms."""
        super().__init__()
        ### BEGIN SOLUTION
        self.self_attention = T5Attention(config.d_model, config.num_heads)
        self.self_attention_norm = RMSNorm(config.d_model)
        self.cross_attention = T5Attention(config.d_model, config.num_heads)
        self.cross_attention_norm = RMSNorm(config.d_model)
        self.feed_forward = FeedForward(config.d_model, config.d_hidden, config.dropout)
        self.feed_forward_norm = RMSNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor, bias: Tensor, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Attend to the text so far, attend to the memory, then apply the feed-forward layer.

        Args:
            x: `(batch, query, d_model)`.
            mask: of the self-attention, as in `T5Attention`.
            bias: of the self-attention, as in `T5Attention`.
            memory: `(batch, key, d_model)`.
            memory_mask: of the cross-attention, as in `T5Attention`.

        Returns:
            `(batch, query, d_model)`.
        """
        ### BEGIN SOLUTION
        x = x + self.dropout(self.self_attention(self.self_attention_norm(x), mask=mask, bias=bias)[0])
        x = x + self.dropout(self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        ### END SOLUTION


class T5Stack(nn.Module):
    """The encoder or the decoder. A helper of `T5`, not graded by itself: the modules that it creates are.

    Modules: `blocks`, a list of independent blocks; `norm` (`RMSNorm`) after the last block; and `position_bias`
    (`RelativePositionBias`), which is bidirectional in the encoder and unidirectional in the decoder.
    """

    def __init__(self, config: T5Config, is_decoder: bool) -> None:
        """Make the blocks, the norm and the bias."""
        super().__init__()
        ### BEGIN SOLUTION
        kind = T5DecoderBlock if is_decoder else T5EncoderBlock
        self.blocks = nn.ModuleList(kind(config) for _ in range(config.num_blocks))
        self.norm = RMSNorm(config.d_model)
        self.position_bias = RelativePositionBias(
            config.num_heads, config.num_buckets, config.max_distance, bidirectional=not is_decoder
        )
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor, *memory_and_mask: Tensor) -> Tensor:
        """Compute the bias once, apply the blocks in order, and normalise the result.

        Args:
            x: `(batch, length, d_model)`.
            mask: of the self-attentions.
            memory_and_mask: the memory and its mask, for a decoder.

        Returns:
            `(batch, length, d_model)`.
        """
        ### BEGIN SOLUTION
        bias = self.position_bias(x.shape[1], x.shape[1])  # (heads, length, length)
        for block in self.blocks:
            x = block(x, mask, bias, *memory_and_mask)
        return self.norm(x)
        ### END SOLUTION


class T5(nn.Module):
    """An encoder–decoder Transformer with relative positions: reads a text and predicts the tokens of another text.

    Modules: `embedding` (`nn.Embedding`), which the encoder, the decoder and the output share, and `encoder` and
    `decoder`. Each of the two has `blocks` (a list), `norm` (`RMSNorm`, after the last block) and `position_bias`
    (`RelativePositionBias`). A block of the encoder has `attention`, `attention_norm`, `feed_forward` and
    `feed_forward_norm`. A block of the decoder has `self_attention`, `self_attention_norm`, `cross_attention`,
    `cross_attention_norm`, `feed_forward` and `feed_forward_norm`. The attentions are `T5Attention`s, the feed-forward
    layers stage 5's `FeedForward`, and all norms stage 5's `RMSNorm` with its default `eps`.

    - Blocks are pre-norm: `x + f(norm(x))`. Embeddings are not scaled, and no positions are added to them.
    - All self-attentions of a stack use the same position bias. It is bidirectional in the encoder and
      unidirectional in the decoder. Cross-attentions have no bias.
    - The decoder is causal. Padding of the source is masked in the encoder and in the cross-attentions. The target has
      no further mask: the token that starts it may be `pad_id`.
    - The logits are the normalised output of the decoder, times `d_model^(-1/2)`, times the transposed weight of
      `embedding`.
    - Dropout acts on the embeddings, on the hidden layers, and on each branch before it is added. Further dropout,
      such as on attention weights, is allowed.

    Write it yourself: no ready-made Transformer layer, such as `nn.Transformer`, may be used here.

    Source: Raffel et al. 2020, section 2.1; the scale of the output: the authors' code.
    """

    def __init__(self, config: T5Config) -> None:
        """Make the embedding and the two stacks; their initial values are free.

        Args:
            config: sizes of the model.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.pad_id, self.scale = config.pad_id, config.d_model**-0.5
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = T5Stack(config, is_decoder=False)
        self.decoder = T5Stack(config, is_decoder=True)
        self.dropout = nn.Dropout(config.dropout)
        ### END SOLUTION

    def encode(self, source: Tensor) -> Tensor:
        """Read the source. A helper, not graded by itself: `greedy_decode` of stage 5 calls it.

        Args:
            source: token ids `(batch, source)`, padding included.

        Returns:
            The memory, `(batch, source, d_model)`.
        """
        ### BEGIN SOLUTION
        real = (source != self.pad_id)[:, None, :]  # (batch, 1, source)
        return self.encoder(self.dropout(self.embedding(source)), real)
        ### END SOLUTION

    def decode(self, target: Tensor, memory: Tensor, source: Tensor) -> Tensor:
        """Predict the next token at each position. A helper, not graded by itself: `greedy_decode` calls it.

        Args:
            target: token ids `(batch, target)` that the decoder reads.
            memory: `(batch, source, d_model)`, from `encode`.
            source: token ids `(batch, source)`; they show which positions of the memory are padding.

        Returns:
            Logits `(batch, target, vocab)`.
        """
        ### BEGIN SOLUTION
        causal = causal_mask(target.shape[1], device=target.device)  # (target, target)
        real = (source != self.pad_id)[:, None, :]  # (batch, 1, source)
        hidden = self.decoder(self.dropout(self.embedding(target)), causal, memory, real)  # (batch, target, d_model)
        return functional.linear(hidden * self.scale, self.embedding.weight)
        ### END SOLUTION

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Encode the source and decode the target in one pass, as in training.

        Args:
            source: token ids `(batch, source)`.
            target: token ids `(batch, target)`, already shifted: see `shift_right` of stage 5.

        Returns:
            Logits `(batch, target, vocab)`, with the dtype of the parameters, on the device of the tokens. The logits
            at `t` predict the token after `target[:, t]`. Gradients reach every parameter. A model trained for a few
            steps on span corruption beats the untrained model on other texts.
        """
        ### BEGIN SOLUTION
        return self.decode(target, self.encode(source), source)
        ### END SOLUTION


def text_to_text(task: str, **fields: str) -> str:
    """Write an example of any task as one text: the name of the task, then each field with its name.

    `text_to_text("mnli", premise="a", hypothesis="b")` is `"mnli premise: a hypothesis: b"`: fields are in the order
    in which they are given. If `text` is the only field, its name is left out:
    `text_to_text("translate English to German", text="a")` is `"translate English to German: a"`.

    Args:
        task: name of the task.
        **fields: the texts of the example, by name; at least one.

    Returns:
        The text that the model reads.

    Source: Raffel et al. 2020, section 2.4 and appendix D.
    """
    ### BEGIN SOLUTION
    if list(fields) == ["text"]:
        return f"{task}: {fields['text']}"
    return " ".join([task, *(f"{name}: {text}" for name, text in fields.items())])
    ### END SOLUTION
