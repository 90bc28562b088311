"""Stage 6: a GPT, from the loss that trains it to the tokens that it writes.

Conventions, the same in every function:

- axes are named `batch, length, d_model, d_hidden, vocab` and `…` (any leading axes); everything is batch first;
- the logits at position `t` are for the token **after** `t`; `targets` are already shifted and int64;
- a target of -100 does not count in any loss: a mean is over the targets that count, and 0.0 when no target counts;
- random numbers come from the given `generator` only, except for initialisation and dropout;
- dropout is off in `eval()`; functions that switch the mode restore it;
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

IGNORE_INDEX = -100  # a target that does not count, as in PyTorch's losses


@dataclass(frozen=True)
class GPTConfig:
    """Sizes of a GPT (given: nothing to do here).

    Attributes:
        vocab_size: number of different tokens.
        context_length: maximum number of tokens that the model can read.
        d_model: features of a position.
        num_heads: heads of each attention.
        num_blocks: number of blocks in the stack.
        d_hidden: features of each feed-forward layer's hidden layer.
        dropout: probability of dropout wherever it acts.
        init_std: initial standard deviation of the matrices.
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
    """Compute the mean surprise of the logits at the targets, `-log p(target)`, in nats.

    It is stable for logits of any size: no exponential may overflow, and no logarithm may be taken of zero. It computes
    in the dtype of the logits.

    Args:
        logits: `(…, vocab)`: the class axis is the **last** axis.
        targets: token ids `(…)`, int64.
        ignore_index: the target that does not count.

    Returns:
        The mean over the targets that count, a 0-d tensor. When no target counts it is 0.0, and `backward()` still
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
    """Cut windows out of a long text at random positions, each with its next tokens.

    The start of a window is uniform on `0 … n - context_length - 1`, both ends included.

    Args:
        tokens: token ids `(n,)`, of any integer dtype.
        batch_size: number of windows.
        context_length: number of tokens in a window.
        generator: draws the starts; the global generator when None.
        device: device of the results.

    Returns:
        Inputs and targets, each int64 `(batch_size, context_length)`: the target of a token is the token after it.

    Raises:
        ValueError: `tokens` has fewer than `context_length + 1` tokens.
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
    """A decoder-only Transformer: reads tokens and predicts the next token at each position.

    Modules: `token_embedding` and `position_embedding` (`nn.Embedding`; their sum is not scaled, and dropout acts on
    it), `blocks` (a list of pre-norm `EncoderBlock`s, each with a causal mask) and `norm` (`LayerNorm`). The logits
    use the weight of `token_embedding`; they have no matrix of their own.

    All matrices, the embeddings included, are initialised from a normal distribution with mean 0 and standard
    deviation `init_std`. The `output_proj`s, which add to the residual stream `2·num_blocks` times, have
    `init_std / √(2·num_blocks)` instead; biases are 0. With the default `init_std` the first loss is near
    `ln vocab_size`.

    Source: Radford et al. 2019, section 2.3.
    """

    def __init__(self, config: GPTConfig) -> None:
        """Make the embeddings, the blocks and the norm, and initialise their parameters.

        Args:
            config: sizes of the model.
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
        """Predict the next token at each position; no position sees a later position.

        Args:
            tokens: token ids `(batch, length)`.
            caches: keys and values of the tokens read before, one cache per block. The position of the first of
                `tokens` then follows theirs. None for no caches.

        Returns:
            Logits `(batch, length, vocab_size)`.

        Raises:
            ValueError: cached and new tokens together are more than `context_length`.
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
    """Compute the learning rate: a linear warm-up, half a cosine down, then constant.

    `max_rate·(step + 1) / warmup` while `step < warmup`; then half a cosine, from `max_rate` at `step = warmup` to
    `min_rate` at `step = total`; `min_rate` after that.

    Args:
        step: number of the step, counted from 0.
        max_rate: the highest rate.
        min_rate: the last rate.
        warmup: number of steps during which the rate rises; can be 0.
        total: the step at which the cosine ends; `warmup < total`.

    Returns:
        The learning rate.

    Source: Loshchilov and Hutter 2017, equation 5, without restarts.
    """
    ### BEGIN SOLUTION
    if step < warmup:
        return max_rate * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / (total - warmup))
    return min_rate + (max_rate - min_rate) * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scale down all gradients by the same factor if their total norm exceeds `max_norm`.

    All gradients together count as one long vector. The factor is `max_norm / (norm + 1e-6)`, and at most 1: short
    gradients do not change. Afterwards, the `grad` of each parameter is its scaled gradient.

    Args:
        parameters: any iterable, read once; a parameter without a gradient (`None`) is skipped.
        max_norm: maximum norm of all gradients together.

    Returns:
        The norm before clipping, a 0-d tensor; 0.0 when there are no gradients.

    Source: Pascanu et al. 2013, algorithm 1.
    """
    ### BEGIN SOLUTION
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.tensor(0.0)
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()  # the norm of all norms is the global norm
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.to(gradient.dtype))
    return norm
    ### END SOLUTION


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Divide the parameters into a group with weight decay and a group without.

    Matrices and embeddings decay; biases and gains, the parameters with one axis, do not.

    Args:
        model: any module; several of its submodules may share a parameter.
        weight_decay: weight decay of the parameters that decay.

    Returns:
        `[decayed, spared]`, two dicts for an optimizer, with `params` (a list) and `weight_decay`, which is 0.0 in
        `spared`. Each parameter is in exactly one of them, and once.
    """
    ### BEGIN SOLUTION
    parameters = list(model.parameters())  # each once, where it is used in two places too
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    ### END SOLUTION


class AdamW(torch.optim.Optimizer):
    """Adam with decoupled weight decay: the weights shrink directly, not through the gradient.

    For a gradient `g`, at step `t` (counted from 1):

        p ← p - lr · weight_decay · p
        m ← β₁ m + (1 - β₁) g          v ← β₂ v + (1 - β₂) g²
        p ← p - lr · m̂ / (√v̂ + eps),  m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    It equals `torch.optim.AdamW` step for step. Each parameter has its own `m`, `v` and `t`; `m` and `v` have the dtype
    of the parameter. Gradients do not change.
    Write it yourself: no ready-made optimizer, such as `torch.optim.AdamW` or `torch.optim.Adam`, may be used here.

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
        """Pass the parameters and the defaults to `torch.optim.Optimizer`.

        Args:
            params: parameters, or dicts with `params` and their own settings, such as those of `parameter_groups`.
            lr: learning rate.
            betas: shares of the running means of `g` and of `g²` that are kept at each step.
            eps: keeps the division finite; it is added to the root, not under it.
            weight_decay: each step removes the share `lr · weight_decay` of a weight.
        """
        ### BEGIN SOLUTION
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        ### END SOLUTION

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient, with the current settings of its group.

        Args:
            closure: recomputes the loss and its gradients; usually None. It is called once, before the update, with
                gradients enabled.

        Returns:
            The result of `closure`, or None.
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
        """Update one parameter with the settings of its group."""
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
    """Take one optimizer step on several batches, exactly as if they were one big batch.

    Old gradients are zeroed. The gradients of all batches are added up and clipped to `max_norm` over all of the
    model's parameters, and the optimizer takes one step. The loss is the mean over all targets that count, whatever
    batch they are in: a batch with few of them has little weight. When no target counts, the loss is 0.0 and the
    gradient is zero.

    Args:
        model: maps token ids `(batch, length)` to logits `(batch, length, vocab)`. Its train/eval mode does not change.
        optimizer: the optimizer of the model's parameters.
        batches: pairs of inputs and targets, each `(batch, length)`; targets of -100 do not count.
        max_norm: maximum norm of all gradients together.

    Returns:
        The loss before the step.
    """
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    counts = [int((targets != IGNORE_INDEX).sum()) for _, targets in batches]
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


def evaluate(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> float:
    """Compute the loss over some batches, without learning, dropout or gradients.

    Args:
        model: as in `train_step`; its train/eval mode is restored at the end.
        batches: pairs of inputs and targets; targets of -100 do not count.

    Returns:
        The mean over all targets that count, whatever batch they are in; 0.0 when no target counts.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    loss, total = 0.0, 0
    try:
        with torch.no_grad():
            for inputs, targets in batches:
                count = int((targets != IGNORE_INDEX).sum())
                loss += cross_entropy(model(inputs), targets).item() * count
                total += count
    finally:
        model.train(was_training)
    return loss / max(1, total)
    ### END SOLUTION


def next_token_probabilities(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """Turn logits into the probabilities from which the next token is drawn.

    In this order: the logits are divided by the temperature, and only the `top_k` largest logits are kept. Of these,
    only the smallest set of most likely tokens whose probability reaches `top_p` is kept; the result sums to one again.
    All of this is computed in the dtype of the logits.

    Args:
        logits: `(…, vocab)`.
        temperature: below 1 likely tokens become more likely, above 1 less likely; 0 puts all probability on the
            largest logit.
        top_k: number of tokens to keep; ties with the `top_k`-th are kept too. None, or more than the vocabulary,
            keeps all.
        top_p: probability to reach. The token that crosses it is kept, and the most likely token always is. None
            keeps all.

    Returns:
        Probabilities `(…, vocab)`, which sum to one over the last axis.

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
    """Continue a prompt: repeatedly draw the next token and append it.

    The model reads the last `context_length` tokens. As long as all tokens fit, a cache avoids reading tokens again.
    After that all positions move at each step, and the contents of the cache are no longer valid.

    Args:
        model: a `GPT`; dropout is off during generation, and its train/eval mode is restored at the end.
        prompt: token ids `(batch, length)` with `length` at least 1; it may be longer than the context.
        max_new_tokens: number of tokens to generate.
        temperature: as in `next_token_probabilities`.
        top_k: as in `next_token_probabilities`.
        top_p: as in `next_token_probabilities`.
        generator: draws the tokens; the global generator when None.
        use_cache: whether to keep keys and values; the result is the same.

    Returns:
        Token ids `(batch, length + max_new_tokens)`: the whole prompt and the new tokens.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    context_length = model.config.context_length
    caches = [KeyValueCache() for _ in model.blocks]
    tokens = prompt
    try:
        with torch.no_grad():
            for _ in range(max_new_tokens):
                if use_cache and tokens.shape[1] <= context_length:
                    logits = model(tokens[:, len(caches[0]) :], caches)
                else:
                    logits = model(tokens[:, -context_length:])
                probabilities = next_token_probabilities(logits[:, -1], temperature, top_k, top_p)  # (batch, vocab)
                token = torch.multinomial(probabilities, 1, generator=generator)  # (batch, 1)
                tokens = torch.cat((tokens, token), dim=1)
    finally:
        model.train(was_training)
    return tokens
    ### END SOLUTION


class ByteBPE:
    """Byte-pair encoding: the bytes are the first 256 tokens, and each merge of a frequent pair makes a new token.

    Source: Sennrich et al. 2016, section 3.2; on bytes: Radford et al. 2019, section 2.2.
    """

    def __init__(self) -> None:
        """Start with the bytes alone: ids 0 to 255, no merges."""
        ### BEGIN SOLUTION
        self.merges: dict[tuple[int, int], int] = {}  # pair → its new id, in the order they were learnt
        self.pieces = [bytes([value]) for value in range(256)]  # the bytes of each id
        ### END SOLUTION

    def merge(self, ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
        """Replace each `pair` by `new_id`, from left to right. A helper: `train` and `encode` both need it.

        Args:
            ids: token ids.
            pair: the two adjacent tokens to merge.
            new_id: the token that replaces them.

        Returns:
            Token ids, as many or fewer; merging `(7, 7)` in `7 7 7` leaves the last 7.
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

        Each time, the most frequent pair of adjacent tokens in the text (`aaa` contains `a a` twice) becomes a token
        with the next free id, and every occurrence is merged, from left to right. Of equally frequent pairs the smaller
        pair is merged: the pair with the smaller first id, or with equal first ids the smaller second id.

        Args:
            text: the training text, as one long sequence of bytes; a `str` stands for its UTF-8.
            vocab_size: number of tokens to reach, the 256 bytes included.
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
        """Turn text into token ids by applying the merges in the order in which they were learnt.

        Args:
            text: any `str` (which stands for its UTF-8), or any bytes.

        Returns:
            Token ids.
        """
        ### BEGIN SOLUTION
        ids = list(text.encode() if isinstance(text, str) else text)
        for pair, new_id in self.merges.items():
            ids = self.merge(ids, pair, new_id)
        return ids
        ### END SOLUTION

    def decode(self, ids: Iterable[int]) -> bytes:
        """Turn token ids back into bytes: `decode(encode(text))` gives the bytes of any text.

        Args:
            ids: token ids.

        Returns:
            The bytes, a `bytes` object, which can end within a character.
        """
        ### BEGIN SOLUTION
        return b"".join(self.pieces[token] for token in ids)
        ### END SOLUTION
