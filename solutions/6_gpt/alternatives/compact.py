"""Stage 6 in short code: `apply` for the initialisation, a mask as a buffer, indexing instead of loops."""

import heapq
import itertools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from multihead import KeyValueCache
from torch import nn
from transformer import EncoderBlock


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


def cross_entropy(logits, targets, ignore_index=-100, reduction="mean"):
    logits, targets = logits.reshape(-1, logits.size(-1)), targets.reshape(-1)
    total = F.cross_entropy(logits, targets, ignore_index=ignore_index, reduction="sum")
    return total if reduction == "sum" else total / max((targets != ignore_index).sum(), 1)


def sample_batch(tokens, batch_size, context_length, generator, device="cpu"):
    if tokens.numel() - context_length < 1:
        raise ValueError("too short")
    ix = torch.randint(tokens.numel() - context_length, (batch_size, 1), generator=generator)
    ix = ix + torch.arange(context_length)
    return tokens.long()[ix].to(device), tokens.long()[ix + 1].to(device)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.context_length, config.d_model)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            EncoderBlock(config.d_model, config.num_heads, config.d_hidden, config.dropout, norm_first=True)
            for _ in range(config.num_blocks)
        )
        self.norm = nn.LayerNorm(config.d_model, eps=1e-5)
        mask = torch.ones(config.context_length, config.context_length).tril().bool()
        self.register_buffer("mask", mask, persistent=False)
        self.apply(self._start)
        for name, p in self.named_parameters():
            if name.endswith("output_proj.weight"):
                torch.nn.init.normal_(p, mean=0.0, std=config.init_std / math.sqrt(2 * config.num_blocks))

    def _start(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            torch.nn.init.normal_(module.weight, mean=0.0, std=self.config.init_std)
        if getattr(module, "bias", None) is not None and isinstance(module, nn.Linear):
            torch.nn.init.zeros_(module.bias)

    def forward(self, tokens, caches=None):
        t, past = tokens.size(1), len(caches[0]) if caches else 0
        if past + t > self.config.context_length:
            raise ValueError(f"cannot read {past + t} tokens, the context is {self.config.context_length}")
        pos = torch.arange(past, past + t, dtype=torch.long, device=tokens.device)
        x = self.drop(self.token_embedding(tokens) + self.position_embedding(pos).unsqueeze(0))
        for i, block in enumerate(self.blocks):
            x = block(x, mask=self.mask[None, past : past + t, : past + t], cache=caches[i] if caches else None)
        return F.linear(self.norm(x), self.token_embedding.weight)


def learning_rate(step, max_rate, min_rate, warmup, total):
    if step < warmup:
        return max_rate * (step + 1) / warmup
    if step > total:
        return min_rate
    ratio = (step - warmup) / (total - warmup)
    return min_rate + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (max_rate - min_rate)


def clip_gradients(parameters, max_norm):
    grads = [p.grad for p in parameters if p.grad is not None]
    if len(grads) == 0:
        return torch.tensor(0.0)
    total = torch.linalg.vector_norm(torch.cat([g.reshape(-1) for g in grads]))
    if total + 1e-6 > max_norm:
        torch._foreach_mul_(grads, max_norm / (total + 1e-6))
    return total


def parameter_groups(model, weight_decay):
    params = {name: p for name, p in model.named_parameters() if p.requires_grad}
    decay = [p for p in params.values() if p.dim() >= 2]
    rest = [p for p in params.values() if p.dim() < 2]
    return [{"params": decay, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


class AdamW(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                if "exp_avg" not in state:
                    state["step"] = torch.tensor(0.0)
                    state["exp_avg"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                    state["exp_avg_sq"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                state["step"] += 1
                t = state["step"].item()
                p.mul_(1 - group["lr"] * group["weight_decay"])
                state["exp_avg"].lerp_(p.grad, 1 - beta1)
                state["exp_avg_sq"].mul_(beta2).addcmul_(p.grad, p.grad.conj(), value=1 - beta2)
                denom = (state["exp_avg_sq"].sqrt() / math.sqrt(1 - beta2**t)).add_(group["eps"])
                p.addcdiv_(state["exp_avg"], denom, value=-group["lr"] / (1 - beta1**t))
        return loss


def train_step(model, optimizer, batches, max_norm):
    for p in model.parameters():
        p.grad = None
    n = max(1, sum((y != -100).sum().item() for _, y in batches))
    losses = []
    for x, y in batches:
        loss = cross_entropy(model(x), y, reduction="sum") / n
        loss.backward()
        losses.append(loss.detach())
    clip_gradients(model.parameters(), max_norm)
    optimizer.step()
    return torch.stack(losses).sum().item()


@torch.no_grad()
def evaluate(model, batches):
    training = model.training
    model.eval()
    loss = sum(cross_entropy(model(x), y, reduction="sum") for x, y in batches)
    n = sum((y != -100).sum() for _, y in batches)
    model.train(training)
    return (loss / max(n, 1)).item()


def next_token_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.size(-1)).type_as(logits)
    logits = logits / temperature
    if top_k is not None:
        v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
        logits = logits.clone()
        logits[logits < v[..., [-1]]] = -float("Inf")
    probs = F.softmax(logits, dim=-1)
    if top_p is not None:
        sorted_probs, index = torch.sort(probs, dim=-1, descending=True)
        remove = sorted_probs.cumsum(dim=-1) >= top_p
        remove[..., 1:] = remove[..., :-1].clone()
        remove[..., 0] = False
        sorted_probs = sorted_probs.masked_fill(remove, 0.0)
        sorted_probs = sorted_probs / sorted_probs.sum(dim=-1, keepdim=True)
        probs = torch.gather(sorted_probs, -1, index.argsort(dim=-1))
    return probs


@torch.no_grad()
def generate(model, prompt, max_new_tokens, temperature=1.0, top_k=None, top_p=None, generator=None, use_cache=True):
    training = model.training
    model.eval()
    idx, caches = prompt, [KeyValueCache() for _ in model.blocks]
    for _ in range(max_new_tokens):
        cond = idx if idx.size(1) <= model.config.context_length else idx[:, -model.config.context_length :]
        if use_cache:
            if idx.size(1) > model.config.context_length:
                caches = [KeyValueCache() for _ in model.blocks]  # all positions have moved
            logits = model(cond[:, len(caches[0]) :], caches)
        else:
            logits = model(cond)
        probs = next_token_probabilities(logits[:, -1, :], temperature, top_k, top_p)
        idx = torch.cat((idx, torch.multinomial(probs, num_samples=1, generator=generator)), dim=1)
    model.train(training)
    return idx


class ByteBPE:
    def __init__(self):
        self.merges = []

    @classmethod
    def train(cls, text, vocab_size):
        self = cls()
        ids = list(text.encode() if isinstance(text, str) else text)
        while 256 + len(self.merges) < vocab_size and len(ids) >= 2:
            counts = {}
            for pair in itertools.pairwise(ids):
                counts[pair] = counts.get(pair, 0) + 1
            pair = heapq.nsmallest(1, counts, key=lambda p: (-counts[p], p))[0]
            self.merges.append(pair)
            ids = self._merge(ids, len(self.merges) - 1)
        return self

    def _merge(self, ids, rank):
        out = []
        it = iter(ids)
        for x in it:
            while x == self.merges[rank][0]:
                y = next(it, None)
                if y == self.merges[rank][1]:
                    x = 256 + rank
                elif y is None:
                    break
                else:
                    out.append(x)
                    x = y
            out.append(x)
        return out

    def encode(self, text):
        ids = list(text.encode() if isinstance(text, str) else text)
        for rank in range(len(self.merges)):
            ids = self._merge(ids, rank)
        return ids

    def decode(self, ids):
        return b"".join(self._bytes(i) for i in ids)

    def _bytes(self, i):
        return bytes([i]) if i < 256 else b"".join(map(self._bytes, self.merges[i - 256]))
