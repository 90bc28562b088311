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
    ### BEGIN SOLUTION
    counted = targets != ignore_index  # (…)
    log_probabilities = logits.log_softmax(dim=-1)  # (…, vocab)
    classes = targets.masked_fill(~counted, 0).unsqueeze(-1)  # any class will do where nothing counts
    losses = -log_probabilities.gather(-1, classes).squeeze(-1)  # (…)
    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    places = len(tokens) - context_length
    if places < 1:
        raise ValueError(f"{len(tokens)} tokens, but a window of {context_length} and its targets need one more")
    starts = torch.randint(places, (batch_size,), generator=generator).tolist()
    windows = torch.stack([tokens[start : start + context_length + 1].long() for start in starts])
    windows = windows.to(device)  # (batch_size, context_length + 1)
    return windows[:, :-1], windows[:, 1:]
    ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.context_length, config.d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.num_heads, config.d_hidden, config.dropout)
            for _ in range(config.num_blocks)
        )
        self.norm = LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        for name, parameter in self.named_parameters():
            if name.endswith("output_proj.weight"):
                nn.init.normal_(parameter, std=config.init_std / math.sqrt(2 * config.num_blocks))
            elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=config.init_std)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        ### END SOLUTION

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
        ### BEGIN SOLUTION
        length, seen = tokens.shape[1], len(caches[0]) if caches else 0
        if seen + length > self.config.context_length:
            raise ValueError(f"{seen + length} tokens, but the context has {self.config.context_length}")
        positions = torch.arange(seen, seen + length, device=tokens.device)
        x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))  # (batch, length, d_model)
        mask = causal_mask(length, seen + length, device=tokens.device)  # (length, seen + length)
        for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):
            x = block(x, mask=mask, cache=cache)
        return functional.linear(self.norm(x), self.token_embedding.weight)  # (batch, length, vocab_size)
        ### END SOLUTION


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
    ### BEGIN SOLUTION
    if step < warmup:
        return max_rate * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / (total - warmup))
    return min_rate + (max_rate - min_rate) * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.tensor(0.0)
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()  # the norm of the norms is that of all
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.to(gradient.dtype))
    return norm
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    parameters = list(model.parameters())  # each once, where it is used in two places too
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    ### END SOLUTION


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
        ### BEGIN SOLUTION
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        ### END SOLUTION

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Change every parameter that has a gradient, with the settings of its group as they are now.

        Args:
            closure: computes the loss again, with its gradients; None as a rule.

        Returns:
            what `closure` returned, or None.
        """
        ### BEGIN SOLUTION
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.update(parameter, group)
        return loss

    def update(self, parameter: nn.Parameter, group: dict) -> None:
        """Change one parameter by the settings of its group."""
        state = self.state[parameter]
        if not state:
            state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        state["step"] += 1
        (beta1, beta2), rate, gradient = group["betas"], group["lr"], parameter.grad
        state["mean"].mul_(beta1).add_(gradient, alpha=1 - beta1)
        state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        mean = state["mean"] / (1 - beta1 ** state["step"])  # both means began at zero: make up for that
        square = state["square"] / (1 - beta2 ** state["step"])
        parameter.mul_(1 - rate * group["weight_decay"])
        parameter.addcdiv_(mean, square.sqrt() + group["eps"], value=-rate)
        ### END SOLUTION


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
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    counts = [int((targets != -100).sum()) for _, targets in batches]
    total = max(1, sum(counts))
    loss = 0.0
    for (inputs, targets), count in zip(batches, counts, strict=True):
        share = cross_entropy(model(inputs), targets) * (count / total)
        share.backward()
        loss += share.item()
    clip_gradients(model.parameters(), max_norm)
    optimizer.step()
    return loss
    ### END SOLUTION


def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The loss over some batches: no learning, no dropout, no gradients.

    Args:
        model: as in `train_step`; its train/eval mode is afterwards as it was before.
        batches: pairs of inputs and targets; targets of -100 do not count.

    Returns:
        the mean over all targets that count, whatever batch they are in; 0.0 when none does.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    loss, total = 0.0, 0
    with torch.no_grad():
        for inputs, targets in batches:
            count = int((targets != -100).sum())
            loss += cross_entropy(model(inputs), targets).item() * count
            total += count
    model.train(was_training)
    return loss / max(1, total)
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    if temperature == 0:
        return functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).to(logits.dtype)
    logits = logits / temperature
    if top_k is not None:
        kept = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values  # (…, top_k), the largest first
        logits = logits.masked_fill(logits < kept[..., -1:], -math.inf)
    probabilities = logits.softmax(dim=-1)
    if top_p is not None:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        dropped = ordered.cumsum(dim=-1) - ordered >= top_p  # those before it reach top_p without it
        dropped[..., 0] = False
        dropped = torch.zeros_like(dropped).scatter(-1, order, dropped)  # back to the order of the vocabulary
        probabilities = probabilities.masked_fill(dropped, 0.0)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    return probabilities
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    context_length = model.config.context_length
    caches = [KeyValueCache() for _ in model.blocks]
    tokens = prompt
    with torch.no_grad():
        for _ in range(max_new_tokens):
            if use_cache and tokens.shape[1] <= context_length:
                logits = model(tokens[:, len(caches[0]) :], caches)
            else:
                logits = model(tokens[:, -context_length:])
            probabilities = next_token_probabilities(logits[:, -1], temperature, top_k, top_p)  # (batch, vocab)
            token = torch.multinomial(probabilities, 1, generator=generator)  # (batch, 1)
            tokens = torch.cat((tokens, token), dim=1)
    model.train(was_training)
    return tokens
    ### END SOLUTION


class ByteBPE:
    """Byte-pair encoding: the bytes are the first 256 tokens, and each merge of a frequent pair makes a new one.

    Source: Sennrich et al. 2016, section 3.2; on bytes: Radford et al. 2019, section 2.2.
    """

    def __init__(self) -> None:
        """Start with the bytes alone: ids 0 to 255, no merges."""
        ### BEGIN SOLUTION
        self.merges: dict[tuple[int, int], int] = {}  # pair → its new id, in the order they were learnt
        self.pieces = [bytes([value]) for value in range(256)]  # the bytes of each id
        ### END SOLUTION

    def merge(self, ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
        """Put `new_id` wherever `pair` stands, from left to right. A helper: `train` and `encode` both need it.

        Args:
            ids: token ids.
            pair: the two neighbours to merge.
            new_id: what becomes of them.

        Returns:
            token ids, as many or fewer; merging `(7, 7)` in `7 7 7` leaves one 7, the last.
        """
        ### BEGIN SOLUTION
        merged = []
        for token in ids:
            if merged and (merged[-1], token) == pair:
                merged[-1] = new_id
            else:
                merged.append(token)
        return merged
        ### END SOLUTION

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
        ### BEGIN SOLUTION
        ids = self.encode(text)
        while len(self.pieces) < vocab_size and len(ids) > 1:
            counts = Counter(pairwise(ids))
            pair = min(counts, key=lambda candidate: (-counts[candidate], candidate))
            self.merges[pair] = len(self.pieces)
            self.pieces.append(self.pieces[pair[0]] + self.pieces[pair[1]])
            ids = self.merge(ids, pair, self.merges[pair])
        ### END SOLUTION

    def encode(self, text: str | bytes) -> list[int]:
        """Turn text into token ids: the merges are made in the order in which they were learnt.

        Args:
            text: any `str` (which stands for its UTF-8), or any bytes.

        Returns:
            token ids.
        """
        ### BEGIN SOLUTION
        ids = list(text.encode() if isinstance(text, str) else text)
        for pair, new_id in self.merges.items():
            ids = self.merge(ids, pair, new_id)
        return ids
        ### END SOLUTION

    def decode(self, ids: Iterable[int]) -> bytes:
        """Turn token ids back into bytes: `decode(encode(text))` is the text, whatever it is.

        Args:
            ids: token ids.

        Returns:
            the bytes; they need not be whole characters.
        """
        ### BEGIN SOLUTION
        return b"".join(self.pieces[token] for token in ids)
        ### END SOLUTION
