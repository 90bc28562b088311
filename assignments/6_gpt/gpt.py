"""Stage 6: a GPT, from the loss that trains it to the tokens that it writes.

Conventions, the same in every function:

- axes are named `batch, length, d_model, d_hidden, vocab` and `…` (any leading axes); everything is batch first;
- the logits at position `t` are for the token **after** `t`; `targets` are already shifted and int64;
- a target of -100 does not count, in every loss: a mean is over the targets that count, and 0.0 where none does;
- what is random is drawn from the `generator` given and from nothing else, initialisation and dropout apart;
- dropout is off in `eval()`; functions that switch the mode leave it as they found it;
- results have the dtype and the device of the inputs, and inputs are never changed in place.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from attention import causal_mask
from multihead import KeyValueCache
from torch import Tensor, nn
from torch.nn import functional
from transformer import EncoderBlock, LayerNorm


@dataclass(frozen=True)
class GPTConfig:
    """Sizes of a GPT (given: nothing to do here).

    Attributes:
        vocab_size: how many tokens there are.
        context_length: the most tokens that the model can look at.
        d_model: features of a position.
        num_heads: heads of each attention.
        num_blocks: blocks on top of each other.
        d_hidden: features of each feed-forward layer's hidden layer.
        dropout: probability of dropout in all its places.
        init_std: spread of the matrices at the start.
    """

    vocab_size: int
    context_length: int
    d_model: int
    num_heads: int
    num_blocks: int
    d_hidden: int
    dropout: float = 0.0
    init_std: float = 0.02


def cross_entropy(logits: Tensor, targets: Tensor, ignore_index: int = -100) -> Tensor:
    """How surprised the logits are by the targets: the mean of `-log p(target)`, in nats.

    Stable for logits of any size: no exponential may overflow, and no logarithm may meet a zero.

    Args:
        logits: `(…, vocab)`: the class axis is the **last** one.
        targets: token ids `(…)`, int64.
        ignore_index: the target that does not count.

    Returns:
        the mean over the targets that count, a tensor without axes. When none does it is 0.0, and `backward()` still
        works: the gradient is zero.
    """
    raise NotImplementedError("cross_entropy")


def sample_batch(
    tokens: Tensor,
    batch_size: int,
    context_length: int,
    generator: torch.Generator | None,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """Cut windows out of a long text, at random places, each with the tokens that come next.

    A window may start anywhere in `0 … n - context_length - 1`, every place equally likely, the last one included.

    Args:
        tokens: token ids `(n,)`, of any integer dtype.
        batch_size: how many windows.
        context_length: tokens of a window.
        generator: where the starts are drawn from; the global one when None.
        device: where the results are wanted.

    Returns:
        inputs and targets, each int64 `(batch_size, context_length)`: the target of a token is the one after it.

    Raises:
        ValueError: `tokens` has no window with a token after it.
    """
    raise NotImplementedError("sample_batch")


class GPT(nn.Module):
    """A decoder-only Transformer: reads tokens, and says at each position which one comes next.

    Modules: `token_embedding` and `position_embedding` (`nn.Embedding`; their sum is not scaled, and dropout acts on
    it), `blocks` (a list of pre-norm `EncoderBlock`s, each with a causal mask) and `norm` (`LayerNorm`). The logits
    come from the weight of `token_embedding`: there is no matrix of their own.

    At the start all matrices, those of the embeddings included, are normal with spread `init_std`, but the
    `output_proj`s, which add to the residual stream `2·num_blocks` times, have `init_std / √(2·num_blocks)`; biases
    are 0. With the default spread the first loss is near `ln vocab_size`.

    Source: Radford et al. 2019, section 2.3.
    """

    def __init__(self, config: GPTConfig) -> None:
        """Make the embeddings, the blocks and the norm, and draw their parameters.

        Args:
            config: the sizes.
        """
        super().__init__()
        raise NotImplementedError("GPT.__init__")

    def forward(self, tokens: Tensor, caches: list[KeyValueCache] | None = None) -> Tensor:
        """Say at each position which token comes next; no position sees a later one.

        Args:
            tokens: token ids `(batch, length)`.
            caches: keys and values of the tokens read before, one cache per block. The first of `tokens` then stands
                at the position after those. None for no caches.

        Returns:
            logits `(batch, length, vocab_size)`.

        Raises:
            ValueError: with what the caches hold there are more than `context_length` tokens.
        """
        raise NotImplementedError("GPT.forward")


def learning_rate(step: int, max_rate: float, min_rate: float, warmup: int, total: int) -> float:
    """Warm up in a straight line, cool down along half a cosine, stay.

    `max_rate·(step + 1) / warmup` while `step < warmup`; then half a cosine, from `max_rate` at `step = warmup` to
    `min_rate` at `step = total`; `min_rate` after that.

    Args:
        step: number of the step, counted from 0.
        max_rate: the highest rate.
        min_rate: the last rate.
        warmup: how many steps the rate rises; 0 for none.
        total: the step at which the cosine has come down; `warmup < total`.

    Returns:
        the rate.

    Source: Loshchilov and Hutter 2017, equation 5, without restarts.
    """
    raise NotImplementedError("learning_rate")


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Shorten the gradients, all by the same factor, where together they are longer than `max_norm`.

    All gradients count as one long vector. Its factor is `max_norm / (norm + 1e-6)`, and never above 1: short
    gradients stay as they are. The gradients are changed in place: that is what the function is for.

    Args:
        parameters: any iterable, read once; a parameter without a gradient (`None`) is passed over.
        max_norm: how long the gradients may be.

    Returns:
        the norm as it was before, a tensor without axes; 0.0 when there are no gradients.

    Source: Pascanu et al. 2013, algorithm 1.
    """
    raise NotImplementedError("clip_gradients")


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Sort the parameters into those that decay and those that don't.

    Matrices and embeddings decay; biases and gains, the parameters with one axis, don't.

    Args:
        model: any module; it may use one parameter in several places.
        weight_decay: for the parameters that decay.

    Returns:
        `[decayed, spared]`, two dicts as optimizers take them, with `params` (a list) and `weight_decay`, which is
        0.0 for the spared ones. Each parameter is in one of them, and once.
    """
    raise NotImplementedError("parameter_groups")


class AdamW(torch.optim.Optimizer):
    """Adam with decoupled weight decay: the weights shrink by themselves, not through the gradient.

    For a gradient `g`, at step `t` (counted from 1):

        p ← p - lr · weight_decay · p
        m ← β₁ m + (1 - β₁) g          v ← β₂ v + (1 - β₂) g²
        p ← p - lr · m̂ / (√v̂ + eps),  m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    It equals `torch.optim.AdamW` step for step. Each parameter has an `m`, a `v` and a `t` of its own.
    Write it yourself: `torch.optim.AdamW` and `torch.optim.Adam` may not be used here.

    Source: Loshchilov and Hutter 2019, algorithm 2; Kingma and Ba 2015, algorithm 1.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        """Hand the parameters and the defaults to `torch.optim.Optimizer`.

        Args:
            params: parameters, or dicts with `params` and settings of their own, as `parameter_groups` makes them.
            lr: learning rate.
            betas: how much of the running means of `g` and of `g²` is kept at each step.
            eps: keeps the division finite; it is added to the root, not under it.
            weight_decay: share of a weight that is lost at each step, times `lr`.
        """
        raise NotImplementedError("AdamW.__init__")

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Change every parameter that has a gradient, with the settings of its group as they are now.

        Args:
            closure: computes the loss again, with its gradients; None as a rule.

        Returns:
            what `closure` returned, or None.
        """
        raise NotImplementedError("AdamW.step")


def train_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[tuple[Tensor, Tensor]], max_norm: float
) -> float:
    """Learn once from several batches, exactly as if they were one big batch.

    Gradients left over from before are dropped, those of all batches are added up, clipped to `max_norm` over all of
    the model's parameters, and the optimizer takes one step. The loss is the mean over all targets that count, whatever
    batch they are in: a batch with few of them weighs little.

    Args:
        model: gives logits `(batch, length, vocab)` for token ids `(batch, length)`. Its train/eval mode stays.
        optimizer: of the model's parameters.
        batches: pairs of inputs and targets, each `(batch, length)`; targets of -100 do not count.
        max_norm: how long the gradients may be.

    Returns:
        the loss before the step.
    """
    raise NotImplementedError("train_step")


def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The loss over some batches: no learning, no dropout, no gradients.

    Args:
        model: as in `train_step`; its train/eval mode is afterwards as it was before.
        batches: pairs of inputs and targets; targets of -100 do not count.

    Returns:
        the mean over all targets that count, whatever batch they are in; 0.0 when none does.
    """
    raise NotImplementedError("evaluate")


def next_token_probabilities(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """Turn logits into the probabilities to draw the next token from.

    In this order: the logits are divided by the temperature; all but the `top_k` largest are left out; of what is left,
    all but the smallest set of likeliest tokens whose probability reaches `top_p`; the rest sums to one again.

    Args:
        logits: `(…, vocab)`.
        temperature: below 1 the likely becomes likelier, above 1 less so; 0 puts everything on the largest logit.
        top_k: how many tokens stay; those as large as the `top_k`-th stay too. None, or more than there are: all.
        top_p: the probability to reach. The token that crosses it stays, and so does the likeliest one, always.
            None: all.

    Returns:
        probabilities `(…, vocab)`, which sum to one over the last axis.

    Source: Fan et al. 2018, section 5.4 (top-k); Holtzman et al. 2020, section 3.1 (top-p).
    """
    raise NotImplementedError("next_token_probabilities")


def generate(
    model: GPT,
    prompt: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    use_cache: bool = True,
) -> Tensor:
    """Write on: draw the next token, add it, and look again.

    The model looks at the last `context_length` tokens. As long as all tokens fit, a cache spares it to read again
    what it has read; past that all positions move at each step, and what the cache holds is no longer true.

    Args:
        model: a `GPT`; dropout is off while it writes, and its train/eval mode is afterwards as it was before.
        prompt: token ids `(batch, length)`, at least one each; it may be longer than the context.
        max_new_tokens: how many tokens to write.
        temperature: as in `next_token_probabilities`, like the two that follow.
        top_k: how many tokens stay.
        top_p: the probability to reach.
        generator: where the tokens are drawn from; the global one when None.
        use_cache: whether to keep keys and values; the result is the same.

    Returns:
        token ids `(batch, length + max_new_tokens)`: the whole prompt and the new tokens.
    """
    raise NotImplementedError("generate")


class ByteBPE:
    """Byte-pair encoding: the bytes are the first 256 tokens, and each merge of a frequent pair makes a new one.

    Source: Sennrich et al. 2016, section 3.2; on bytes: Radford et al. 2019, section 2.2.
    """

    def __init__(self) -> None:
        """Start with the bytes alone: ids 0 to 255, no merges."""
        raise NotImplementedError("ByteBPE.__init__")

    def merge(self, ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
        """Put `new_id` wherever `pair` stands, from left to right. A helper: `train` and `encode` both need it.

        Args:
            ids: token ids.
            pair: the two neighbours to merge.
            new_id: what becomes of them.

        Returns:
            token ids, as many or fewer; merging `(7, 7)` in `7 7 7` leaves one 7, the last.
        """
        raise NotImplementedError("ByteBPE.merge")

    def train(self, text: str | bytes, vocab_size: int) -> None:
        """Learn merges until there are `vocab_size` tokens or no pair is left.

        Each time, the pair of neighbouring tokens that is most frequent in the text (in `aaa`, `a a` stands twice)
        becomes a token, with the next free id, and is merged wherever it stands, from left to right. Of pairs that are
        equally frequent the smaller is merged: the one with the smaller first id, and of those the one with the smaller
        second id.

        Args:
            text: what to learn from, as one long sequence of bytes; a `str` stands for its UTF-8.
            vocab_size: how many tokens are wanted, the 256 bytes included.
        """
        raise NotImplementedError("ByteBPE.train")

    def encode(self, text: str | bytes) -> list[int]:
        """Turn text into token ids: the merges are made in the order in which they were learnt.

        Args:
            text: any `str` (which stands for its UTF-8), or any bytes.

        Returns:
            token ids.
        """
        raise NotImplementedError("ByteBPE.encode")

    def decode(self, ids: Iterable[int]) -> bytes:
        """Turn token ids back into bytes: `decode(encode(text))` is the text, whatever it is.

        Args:
            ids: token ids.

        Returns:
            the bytes; they need not be whole characters.
        """
        raise NotImplementedError("ByteBPE.decode")
