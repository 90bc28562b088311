"""Stage 6 with checks first, gradients by `torch.autograd.grad`, and tokens as bytes until they get ids."""

import itertools
import math
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from attention import causal_mask, softmax
from multihead import KeyValueCache
from torch import nn
from transformer import EncoderBlock, LayerNorm


@dataclass(frozen=True)
class GPTConfig:
    vocab_size: int
    context_length: int
    d_model: int
    num_heads: int
    num_blocks: int
    d_hidden: int
    dropout: float = 0.0
    init_std: float = 0.02


@contextmanager
def evaluation_mode(model):
    mode = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(mode)


def cross_entropy(logits, targets, ignore_index=-100):
    keep = (targets != ignore_index).flatten()
    rows = logits.flatten(0, -2) if logits.dim() > 1 else logits.unsqueeze(0)
    rows, classes = rows[keep], targets.flatten()[keep]
    if rows.shape[0] == 0:
        return rows.sum()
    picked = rows[torch.arange(len(classes), device=rows.device), classes]
    return (torch.logsumexp(rows, dim=-1) - picked).mean()


def sample_batch(tokens, batch_size, context_length, generator, device="cpu"):
    number_of_windows = len(tokens) - context_length
    if number_of_windows < 1:
        raise ValueError(f"need at least {context_length + 1} tokens, got {len(tokens)}")
    starts = torch.randint(0, number_of_windows, size=(batch_size,), generator=generator)
    inputs = [tokens[start : start + context_length] for start in starts]
    targets = [tokens[start + 1 : start + context_length + 1] for start in starts]
    as_batch = lambda rows: torch.stack([row.to(torch.int64) for row in rows]).to(device)  # noqa: E731
    return as_batch(inputs), as_batch(targets)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.context_length, config.d_model)
        self.blocks = nn.ModuleList(
            [
                EncoderBlock(config.d_model, config.num_heads, config.d_hidden, config.dropout, True)
                for _ in range(config.num_blocks)
            ]
        )
        self.norm = LayerNorm(config.d_model)
        self.dropout = nn.Dropout(p=config.dropout)
        self.initialise()

    def initialise(self):
        std = self.config.init_std
        residual_std = std / math.sqrt(2.0 * self.config.num_blocks)
        for module_name, module in self.named_modules():
            weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
            if isinstance(weight, nn.Parameter) and weight.ndim == 2:
                deviation = residual_std if module_name.endswith("output_proj") else std
                nn.init.trunc_normal_(weight, mean=0.0, std=deviation, a=-6 * deviation, b=6 * deviation)
            if isinstance(bias, nn.Parameter):
                nn.init.constant_(bias, 0.0)

    def embed(self, tokens, start):
        end = start + tokens.shape[1]
        if end > self.config.context_length:
            raise ValueError(f"position {end} is outside the context of {self.config.context_length}")
        positions = torch.arange(self.config.context_length, device=tokens.device)[start:end]
        return self.dropout(self.token_embedding(tokens) + self.position_embedding(positions)[None])

    def forward(self, tokens, caches=None):
        start = 0 if caches is None else len(caches[0])
        x = self.embed(tokens, start)
        mask = causal_mask(start + tokens.shape[1], device=tokens.device)[start:]
        mask = mask.expand(tokens.shape[0], -1, -1)
        for index, block in enumerate(self.blocks):
            x = block(x, mask=mask) if caches is None else block(x, mask=mask, cache=caches[index])
        return self.norm(x) @ self.token_embedding.weight.mT


def learning_rate(step, max_rate, min_rate, warmup, total):
    if warmup > 0 and step + 1 <= warmup:
        return max_rate * (step + 1) / warmup
    if step >= total:
        return min_rate
    progress = (step - warmup) / (total - warmup)
    cosine = math.sin(math.pi / 2 * (1 - progress)) ** 2
    return min_rate + (max_rate - min_rate) * cosine


def clip_gradients(parameters, max_norm):
    with_gradient = [parameter for parameter in parameters if parameter.grad is not None]
    squares = [(parameter.grad**2).sum() for parameter in with_gradient]
    norm = sum(squares, torch.tensor(0.0)).sqrt()
    factor = max_norm / (norm + 1e-6)
    if factor < 1:
        for parameter in with_gradient:
            parameter.grad.mul_(factor)
    return norm


def parameter_groups(model, weight_decay):
    by_identity = {id(parameter): parameter for parameter in model.parameters()}
    decayed = [parameter for parameter in by_identity.values() if parameter.ndim != 1 and parameter.ndim != 0]
    chosen = {id(parameter) for parameter in decayed}
    spared = [parameter for key, parameter in by_identity.items() if key not in chosen]
    return [
        {"params": decayed, "weight_decay": weight_decay, "name": "decayed"},
        {"params": spared, "weight_decay": 0.0, "name": "spared"},
    ]


class AdamW(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        if lr < 0 or eps < 0 or weight_decay < 0 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError("a setting is out of its range")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            used = [parameter for parameter in group["params"] if parameter.grad is not None]
            torch._foreach_mul_(used, 1 - group["lr"] * group["weight_decay"])
            for parameter in used:
                self._move(parameter, *group["betas"], group["lr"], group["eps"])
        return loss

    def _move(self, parameter, beta1, beta2, rate, eps):
        state = self.state[parameter]
        t = state["t"] = state.get("t", 0) + 1
        old_mean = state.get("mean", torch.zeros_like(parameter))
        old_square = state.get("square", torch.zeros_like(parameter))
        state["mean"] = beta1 * old_mean + (1 - beta1) * parameter.grad
        state["square"] = beta2 * old_square + (1 - beta2) * parameter.grad.pow(2)
        # Kingma and Ba, section 2: both corrections are in the rate, and eps is scaled to match.
        correction = math.sqrt(1 - beta2**t)
        parameter -= rate * correction / (1 - beta1**t) * state["mean"] / (state["square"].sqrt() + eps * correction)


def train_step(model, optimizer, batches, max_norm):
    total = sum(int((targets != -100).sum()) for _, targets in batches)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    sums, loss = None, 0.0
    for inputs, targets in batches:
        part = cross_entropy(model(inputs), targets) * (int((targets != -100).sum()) / max(total, 1))
        found = torch.autograd.grad(part, parameters, allow_unused=True)
        found = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
        sums = found if sums is None else [a + b for a, b in zip(sums, found, strict=True)]
        loss += part.item()
    for parameter, gradient in zip(parameters, sums, strict=True):
        parameter.grad = gradient
    clip_gradients(parameters, max_norm)
    optimizer.step()
    return loss


def evaluate(model, batches):
    total, counted = torch.zeros((), dtype=torch.float64), 0
    with evaluation_mode(model):
        for inputs, targets in batches:
            number = int((targets != -100).sum())
            total += cross_entropy(model(inputs), targets).double() * number
            counted += number
    return float(total) / counted if counted else 0.0


def next_token_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    vocab = logits.shape[-1]
    if temperature == 0:
        return torch.eye(vocab, dtype=logits.dtype, device=logits.device)[logits.argmax(dim=-1)]
    scores = logits / temperature
    if top_k is not None:
        least = torch.sort(scores, dim=-1).values[..., max(vocab - top_k, 0)].unsqueeze(-1)
        scores = scores.masked_fill(scores < least, torch.finfo(scores.dtype).min)
    probabilities = softmax(scores, dim=-1)
    if top_p is not None:
        likelier = probabilities.unsqueeze(-2) > probabilities.unsqueeze(-1)  # (…, token, other)
        mass_before = (likelier * probabilities.unsqueeze(-2)).sum(dim=-1)
        is_top = probabilities == probabilities.amax(dim=-1, keepdim=True)
        probabilities = torch.where((mass_before < top_p) | is_top, probabilities, 0.0)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    return probabilities


def generate(model, prompt, max_new_tokens, temperature=1.0, top_k=None, top_p=None, generator=None, use_cache=True):
    context = model.config.context_length
    tokens = [prompt[:, index] for index in range(prompt.shape[1])]
    caches, waiting = None, []
    with evaluation_mode(model):
        for _ in range(max_new_tokens):
            if use_cache and len(tokens) <= context:
                if caches is None:
                    caches, waiting = [KeyValueCache() for _ in range(len(model.blocks))], list(tokens)
                logits = model(torch.stack(waiting, dim=1), caches)
            else:
                logits = model(torch.stack(tokens[-context:], dim=1))
            probabilities = next_token_probabilities(logits[:, -1, :], temperature, top_k, top_p)
            token = torch.multinomial(probabilities, num_samples=1, generator=generator)[:, 0]
            tokens.append(token)
            waiting = [token]
    return torch.stack(tokens, dim=1)


class ByteBPE:
    def __init__(self):
        self.vocabulary = [bytes([value]) for value in range(256)]
        self.merges = []

    def train(self, text, vocab_size):
        data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
        sequence = list(data)
        while len(self.vocabulary) < vocab_size:
            frequency = {}
            for left, right in itertools.pairwise(sequence):
                frequency[left, right] = frequency.get((left, right), 0) + 1
            if not frequency:
                break
            highest = max(frequency.values())
            pair = sorted(pair for pair in frequency if frequency[pair] == highest)[0]
            self.merges.append(pair)
            self.vocabulary.append(self.vocabulary[pair[0]] + self.vocabulary[pair[1]])
            sequence = self._merge(sequence, pair, len(self.vocabulary) - 1)

    def _merge(self, sequence, pair, number):
        result = []
        skip = False
        for index, token in enumerate(sequence):
            if skip:
                skip = False
            elif index + 1 < len(sequence) and (token, sequence[index + 1]) == pair:
                result.append(number)
                skip = True
            else:
                result.append(token)
        return result

    def encode(self, text):
        sequence = list(text.encode("utf-8") if isinstance(text, str) else bytes(text))
        for number, pair in enumerate(self.merges, start=256):
            sequence = self._merge(sequence, pair, number)
        return sequence

    def decode(self, ids):
        return b"".join([self.vocabulary[token] for token in ids])
