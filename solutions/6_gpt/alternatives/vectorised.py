"""Stage 6 without loops over parameters or rows; sampling by racing exponentials; targets as one-hot rows."""

import math
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import torch
from multihead import KeyValueCache
from torch import nn
from transformer import EncoderBlock, LayerNorm


@dataclass(frozen=True, kw_only=False)
class GPTConfig:
    vocab_size: int
    context_length: int
    d_model: int
    num_heads: int
    num_blocks: int
    d_hidden: int
    dropout: float = 0.0
    init_std: float = 0.02

    def smaller(self, **changes):
        return replace(self, **changes)


def cross_entropy(logits, targets, ignore_index=-100):
    counted = targets.ne(ignore_index)
    shifted = logits - logits.detach().amax(-1, keepdim=True)
    log_total = shifted.exp().sum(-1).log()
    classes = torch.arange(logits.shape[-1], device=logits.device)
    right = (classes == targets.unsqueeze(-1)) & counted.unsqueeze(-1)
    score = torch.where(right, shifted, torch.zeros_like(shifted)).sum(-1)
    weights = counted.to(logits.dtype) / counted.sum().clamp_min(1)
    return ((log_total - score) * weights).sum()


def sample_batch(tokens, batch_size, context_length, generator, device="cpu"):
    num_starts = tokens.shape[0] - context_length
    if num_starts <= 0:
        raise ValueError(f"{tokens.shape[0]} tokens hold no window of {context_length} and its targets")
    starts = (torch.rand(batch_size, generator=generator, dtype=torch.float64) * num_starts).floor().long()
    index = starts.unsqueeze(1) + torch.arange(context_length + 1)
    both = torch.take_along_dim(tokens.long(), index.flatten()).view(index.shape).to(device=device)
    return both[:, :context_length].contiguous(), both[:, 1:].contiguous()


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.context_length = config.context_length
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.context_length, config.d_model)
        self.embedding_dropout = nn.Dropout(config.dropout)
        make = lambda _: EncoderBlock(config.d_model, config.num_heads, config.d_hidden, config.dropout)  # noqa: E731
        self.blocks = nn.ModuleList(map(make, range(config.num_blocks)))
        self.norm = LayerNorm(config.d_model)
        self.reset(config)

    @torch.no_grad()
    def reset(self, config):
        for name, tensor in self.state_dict().items():
            if tensor.ndim > 1:
                tensor.copy_(torch.randn_like(tensor) * config.init_std)
                if "output_proj" in name:
                    tensor.div_((2 * config.num_blocks) ** 0.5)
            else:
                tensor.fill_(float(name.endswith("norm.weight")))

    def forward(self, tokens, caches=None):
        old = 0 if caches is None else len(caches[-1])
        all_places = old + tokens.shape[-1]
        if all_places > self.context_length:
            raise ValueError(f"{all_places} > {self.context_length}")
        key = torch.arange(all_places, device=tokens.device)
        query = key[old:]
        x = self.embedding_dropout(self.token_embedding(tokens) + self.position_embedding(query))
        mask = (query[:, None] >= key[None, :])[None, None]
        for block, cache in zip(self.blocks, [None] * len(self.blocks) if caches is None else caches, strict=True):
            x = block(x, mask, cache)
        return torch.matmul(self.norm(x), self.token_embedding.weight.t())


def learning_rate(step, max_rate, min_rate, warmup, total):
    rising = max_rate * (step + 1) / max(warmup, 1)
    angle = math.pi * min(max((step - warmup) / (total - warmup), 0.0), 1.0)
    falling = (max_rate + min_rate) / 2 + (max_rate - min_rate) / 2 * math.cos(angle)
    return rising if step < warmup else falling


def clip_gradients(parameters, max_norm):
    found = list(filter(lambda gradient: gradient is not None, (parameter.grad for parameter in parameters)))
    if not found:
        return torch.zeros(())
    norm = torch.linalg.norm(torch.stack(torch._foreach_norm(found)))
    torch._foreach_mul_(found, torch.minimum(torch.ones_like(norm), max_norm / (norm + 1e-6)))
    return norm


def parameter_groups(model, weight_decay):
    ordered = sorted(model.parameters(), key=lambda parameter: parameter.ndim < 2)
    groups = {flat: list(group) for flat, group in groupby(ordered, key=lambda parameter: parameter.ndim < 2)}
    return [
        {"weight_decay": float(weight_decay), "params": groups.get(False, [])},
        {"weight_decay": 0.0, "params": groups.get(True, [])},
    ]


class AdamW(torch.optim.Optimizer):
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01):
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = {"t": 0, "both": torch.zeros(2, *parameter.shape, dtype=parameter.dtype)}

    def step(self, closure=None):
        loss = closure() if closure else None
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.sub_(group["lr"] * self.direction(parameter, group))
        return loss

    def direction(self, parameter, group):
        state = self.state[parameter]
        state["t"] += 1
        betas = torch.tensor(group["betas"], dtype=torch.float64).view(2, *[1] * parameter.ndim)
        moments = torch.stack((parameter.grad, parameter.grad.square()))
        both = state["both"].double() * betas + moments.double() * (1 - betas)
        state["both"] = both.to(parameter.dtype)
        mean, square = both / (1 - betas ** state["t"])
        return (mean / (square.sqrt() + group["eps"])).to(parameter.dtype) + group["weight_decay"] * parameter


def train_step(model, optimizer, batches, max_norm):
    optimizer.zero_grad()
    counts = torch.tensor([targets.ne(-100).sum() for _, targets in batches])
    shares = (counts / counts.sum().clamp(min=1).double()).tolist()
    losses = []
    for share, (inputs, targets) in zip(shares, batches, strict=True):
        loss = cross_entropy(model(inputs), targets)
        (share * loss).backward()
        losses.append(share * loss.detach().item())
    clip_gradients(model.parameters(), max_norm)
    optimizer.step()
    return math.fsum(losses)


def evaluate(model, batches):
    mode = model.training
    with torch.no_grad():
        model.train(False)
        pairs = [
            (cross_entropy(model(inputs), targets).item(), int(targets.ne(-100).sum())) for inputs, targets in batches
        ]
        model.train(mode)
    return math.fsum(loss * count for loss, count in pairs) / (sum(count for _, count in pairs) or 1)


def next_token_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    size = logits.shape[-1]
    if temperature == 0:
        classes = torch.arange(size, device=logits.device)
        return (classes == logits.argmax(-1, keepdim=True)).to(logits.dtype)
    ordered, order = logits.div(temperature).sort(-1, descending=True)
    if top_k is not None:
        ordered = ordered.masked_fill(ordered < ordered[..., min(top_k, size) - 1, None], float("-inf"))
    probabilities = ordered.softmax(-1)
    if top_p is not None:
        before = torch.nn.functional.pad(probabilities.cumsum(-1)[..., :-1], (1, 0))
        first = torch.arange(size, device=logits.device) == 0
        probabilities = probabilities * ((before < top_p) | first)
        probabilities = probabilities / probabilities.sum(-1, keepdim=True)
    return torch.empty_like(probabilities).scatter_(-1, order, probabilities)


def generate(model, prompt, max_new_tokens, temperature=1.0, top_k=None, top_p=None, generator=None, use_cache=True):
    mode, limit = model.training, model.context_length
    text = torch.cat((prompt, prompt.new_zeros(len(prompt), max_new_tokens)), dim=1)
    caches = [KeyValueCache() for _ in model.blocks] if use_cache else None
    with torch.no_grad():
        model.eval()
        for end in range(prompt.shape[1], text.shape[1]):
            if caches is not None and end <= limit:
                logits = model(text[:, len(caches[0]) : end], caches=caches)
            else:
                logits = model(text[:, max(0, end - limit) : end])
            probabilities = next_token_probabilities(logits[:, -1], temperature, top_k, top_p)
            race = torch.empty_like(probabilities).exponential_(generator=generator)  # the earliest arrival wins
            text[:, end] = (probabilities / race).argmax(-1)
        model.train(mode)
    return text


class ByteBPE:
    def __init__(self):
        self.rank = {}
        self.bytes_of = [bytes((value,)) for value in range(256)]

    def train(self, text, vocab_size):
        self.__init__()
        ids = torch.tensor(list(text.encode() if isinstance(text, str) else text), dtype=torch.int64)
        for number in range(256, vocab_size):
            if len(ids) < 2:
                return
            pairs, counts = torch.stack((ids[:-1], ids[1:]), dim=1).unique(dim=0, return_counts=True)
            first, second = pairs[counts == counts.max()][0].tolist()  # `unique` sorts: smaller pairs come first
            self.rank[first, second] = number
            self.bytes_of.append(self.bytes_of[first] + self.bytes_of[second])
            ids = torch.tensor(self.merged(ids.tolist(), (first, second), number))

    @staticmethod
    def merged(ids, pair, number):
        result = ids[:1]
        for token in ids[1:]:
            if result and result[-1] == pair[0] and token == pair[1]:
                result[-1] = number
            else:
                result.append(token)
        return result

    def encode(self, text):
        ids = list(text.encode() if isinstance(text, str) else text)
        while ranked := [self.rank[pair] for pair in pairwise(ids) if pair in self.rank]:
            number = min(ranked)
            pair = next(pair for pair, rank in self.rank.items() if rank == number)
            ids = self.merged(ids, pair, number)
        return ids

    def decode(self, ids):
        return b"".join([self.bytes_of[int(token)] for token in ids])
