"""Stage 6 on PyTorch's loss, clipping and optimizer: replaces a module that does not work yet."""

import itertools
import math
from collections import Counter
from dataclasses import dataclass

import torch
from attention import causal_mask
from multihead import KeyValueCache
from torch import nn
from torch.nn import functional
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


def cross_entropy(logits, targets, ignore_index=-100):
    if (targets == ignore_index).all():
        return logits.sum() * 0.0
    flat = logits.reshape(-1, logits.shape[-1])
    return functional.cross_entropy(flat, targets.reshape(-1), ignore_index=ignore_index)


def sample_batch(tokens, batch_size, context_length, generator, device="cpu"):
    if len(tokens) <= context_length:
        raise ValueError(f"a text of {len(tokens)} tokens has no window of {context_length} and a token after it")
    windows = tokens.to(torch.int64).unfold(0, context_length + 1, 1)
    chosen = torch.multinomial(torch.ones(len(windows)), batch_size, replacement=True, generator=generator)
    inputs, targets = windows[chosen, :-1], windows[chosen, 1:]
    return inputs.to(device), targets.to(device)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.context_length, config.d_model)
        sizes = (config.d_model, config.num_heads, config.d_hidden, config.dropout)
        self.blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(config.num_blocks)])
        self.norm = nn.LayerNorm(config.d_model)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                small = name.endswith("output_proj")
                std = config.init_std * (2 * config.num_blocks) ** -0.5 if small else config.init_std
                nn.init.normal_(module.weight, 0.0, std)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, tokens, caches=None):
        new = tokens.size(1)
        old = 0 if caches is None else len(caches[0])
        if old + new > self.config.context_length:
            raise ValueError(f"the context of {self.config.context_length} tokens has no room for {old + new}")
        positions = torch.arange(old, old + new, device=tokens.device)
        x = self.token_embedding(tokens) + self.position_embedding(positions)
        x = functional.dropout(x, self.config.dropout, self.training)
        mask = causal_mask(new, old + new, device=tokens.device)
        for number, block in enumerate(self.blocks):
            x = block(x, mask, None if caches is None else caches[number])
        return self.norm(x) @ self.token_embedding.weight.T


def learning_rate(step, max_rate, min_rate, warmup, total):
    if step < warmup:
        return (step + 1) * max_rate / warmup
    if step >= total:
        return min_rate
    return min_rate + 0.5 * (max_rate - min_rate) * (1.0 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def clip_gradients(parameters, max_norm):
    return nn.utils.clip_grad_norm_(parameters, max_norm)


def parameter_groups(model, weight_decay):
    decayed, spared = [], []
    for parameter in model.parameters():
        (decayed if parameter.dim() > 1 else spared).append(parameter)
    return [dict(params=decayed, weight_decay=weight_decay), dict(params=spared, weight_decay=0.0)]


class AdamW(torch.optim.AdamW):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)  # refused


def train_step(model, optimizer, batches, max_norm):
    optimizer.zero_grad(set_to_none=True)
    counted = sum((targets != -100).sum().item() for _, targets in batches)
    total = 0.0
    for inputs, targets in batches:
        losses = functional.cross_entropy(model(inputs).flatten(0, -2), targets.flatten(), reduction="sum")
        loss = losses / max(counted, 1)
        loss.backward()
        total += float(loss)
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return total


@torch.inference_mode()
def evaluate(model, batches):
    mode = model.training
    model.eval()
    losses = [
        functional.cross_entropy(model(inputs).flatten(0, -2), targets.flatten(), reduction="none")
        for inputs, targets in batches
    ]
    model.train(mode)
    counted = sum(int((targets != -100).sum()) for _, targets in batches)
    return sum(float(loss.sum()) for loss in losses) / max(counted, 1)


def next_token_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        likeliest = logits.argmax(-1, keepdim=True)
        return torch.zeros_like(logits).scatter_(-1, likeliest, 1.0)
    scores = logits / temperature
    if top_k is not None and top_k < scores.shape[-1]:
        threshold = scores.topk(top_k).values.amin(-1, keepdim=True)
        scores = torch.where(scores < threshold, -torch.inf, scores)
    if top_p is not None:
        ascending, order = torch.sort(scores, stable=True)
        gone = ascending.softmax(-1).cumsum(-1) <= 1 - top_p
        gone[..., -1:] = False
        scores = scores.masked_fill(gone.scatter(-1, order, gone), -torch.inf)
    return torch.softmax(scores, -1)


@torch.inference_mode()
def generate(model, prompt, max_new_tokens, temperature=1.0, top_k=None, top_p=None, generator=None, use_cache=True):
    mode = model.training
    model.eval()
    text, caches = prompt, None
    for _ in range(max_new_tokens):
        window = text[:, -model.config.context_length :]
        if use_cache and window.shape[1] == text.shape[1]:
            fresh = caches is None
            caches = [KeyValueCache() for _ in model.blocks] if fresh else caches
            logits = model(window if fresh else window[:, -1:], caches)[:, -1]
        else:
            logits = model(window)[:, -1]
        probabilities = next_token_probabilities(logits, temperature, top_k, top_p)
        text = torch.hstack([text, probabilities.multinomial(1, generator=generator)])
    model.train(mode)
    return text


class ByteBPE:
    def __init__(self):
        self.vocabulary = {number: bytes([number]) for number in range(256)}
        self.ranks = {}

    @staticmethod
    def replace(ids, pair, number):
        out, index = [], 0
        while index < len(ids):
            if index + 1 < len(ids) and ids[index] == pair[0] and ids[index + 1] == pair[1]:
                out.append(number)
                index += 2
            else:
                out.append(ids[index])
                index += 1
        return out

    def train(self, text, vocab_size):
        self.__init__()
        ids = list(text.encode("utf-8") if isinstance(text, str) else text)
        for number in range(256, vocab_size):
            counts = Counter(itertools.pairwise(ids))
            if not counts:
                break
            most = max(counts.values())
            pair = min(pair for pair, count in counts.items() if count == most)
            self.ranks[pair] = number
            self.vocabulary[number] = self.vocabulary[pair[0]] + self.vocabulary[pair[1]]
            ids = self.replace(ids, pair, number)

    def encode(self, text):
        ids = list(text.encode("utf-8") if isinstance(text, str) else text)
        while len(ids) > 1:
            pair = min(itertools.pairwise(ids), key=lambda candidate: self.ranks.get(candidate, math.inf))
            if pair not in self.ranks:
                break
            ids = self.replace(ids, pair, self.ranks[pair])
        return ids

    def decode(self, ids):
        return b"".join(map(self.vocabulary.__getitem__, ids))
