"""Stage 6 with loops over numbers and rows, and an optimizer with its own state."""

import itertools
import math
from dataclasses import dataclass

import torch
from multihead import KeyValueCache
from torch import nn
from transformer import EncoderBlock, LayerNorm


@dataclass
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
    rows = logits.reshape(-1, logits.shape[-1])
    total, count = 0.0 * logits.sum(), 0
    for row, target in zip(rows, targets.reshape(-1), strict=True):
        if target != ignore_index:
            total = total + torch.logsumexp(row, 0) - row[target]
            count += 1
    return total / max(count, 1)


def sample_batch(tokens, batch_size, context_length, generator, device="cpu"):
    last = len(tokens) - context_length - 1
    if last < 0:
        raise ValueError("the text is too short")
    inputs = torch.empty(batch_size, context_length, dtype=torch.long)
    targets = torch.empty_like(inputs)
    for row in range(batch_size):
        start = int(torch.randint(0, last + 1, (1,), generator=generator))
        inputs[row] = tokens[start : start + context_length].long()
        targets[row] = tokens[start + 1 : start + 1 + context_length].long()
    return inputs.to(device), targets.to(device)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.context_length, config.d_model)
        self.blocks = nn.ModuleList()
        for _ in range(config.num_blocks):
            self.blocks.append(EncoderBlock(config.d_model, config.num_heads, config.d_hidden, dropout=config.dropout))
        self.order = tuple(self.blocks)  # the same modules, in a container that does not register them
        self.norm = LayerNorm(config.d_model)
        self.drop = nn.Dropout(config.dropout)
        with torch.no_grad():
            self.token_embedding.weight.normal_(std=config.init_std)
            self.position_embedding.weight.normal_(std=config.init_std)
            for block in self.blocks:
                attention, feed_forward = block.attention, block.feed_forward
                for linear in (attention.query_proj, attention.key_proj, attention.value_proj, feed_forward.input_proj):
                    linear.weight.normal_(std=config.init_std)
                for linear in (attention.output_proj, feed_forward.output_proj):
                    linear.weight.normal_(std=config.init_std / (2 * config.num_blocks) ** 0.5)
                for linear in (feed_forward.input_proj, feed_forward.output_proj):
                    linear.bias.zero_()

    def forward(self, tokens, caches=None):
        batch, length = tokens.shape
        start = len(caches[0]) if caches is not None else 0
        if start + length > self.position_embedding.num_embeddings:
            raise ValueError("more tokens than the context has")
        positions = self.position_embedding.weight[start : start + length].expand(batch, -1, -1)
        x = self.drop(self.token_embedding.weight[tokens] + positions)
        mask = torch.zeros(length, start + length, dtype=torch.bool, device=tokens.device)
        for query in range(length):
            mask[query, : start + query + 1] = True
        for number in range(len(self.order)):
            x = self.order[number](x, mask=mask, cache=caches[number] if caches is not None else None)
        return torch.einsum("bld,vd->blv", self.norm(x), self.token_embedding.weight)


def learning_rate(step, max_rate, min_rate, warmup, total):
    if step < warmup:
        return max_rate * ((step + 1) / warmup)
    step = min(step, total)
    share = math.cos(math.pi / 2 * (step - warmup) / (total - warmup)) ** 2
    return share * max_rate + (1 - share) * min_rate


def clip_gradients(parameters, max_norm):
    parameters = [parameter for parameter in parameters if parameter.grad is not None]
    square = 0.0
    for parameter in parameters:
        for number in parameter.grad.flatten():
            square = square + number**2
    norm = torch.as_tensor(square) ** 0.5
    if norm > 0 and max_norm / (norm + 1e-6) < 1:
        for parameter in parameters:
            parameter.grad = parameter.grad * (max_norm / (norm + 1e-6))
    return norm


def parameter_groups(model, weight_decay):
    seen, groups = set(), [{"params": [], "weight_decay": weight_decay}, {"params": [], "weight_decay": 0}]
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                groups[0 if len(parameter.shape) >= 2 else 1]["params"].append(parameter)
    return groups


class AdamW(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))
        self.notes = {}

    def step(self, closure=None):
        loss = closure() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                t, m, v = self.notes.get(p, (0, torch.zeros_like(p.data), torch.zeros_like(p.data)))
                t = t + 1
                m = group["betas"][0] * m + (1 - group["betas"][0]) * p.grad
                v = group["betas"][1] * v + (1 - group["betas"][1]) * p.grad**2
                self.notes[p] = (t, m, v)
                m_hat = m / (1 - group["betas"][0] ** t)
                v_hat = v / (1 - group["betas"][1] ** t)
                step = m_hat / (v_hat**0.5 + group["eps"]) + group["weight_decay"] * p.data
                p.data = p.data - group["lr"] * step
        return loss


def train_step(model, optimizer, batches, max_norm):
    model.zero_grad()
    rows = [int(torch.count_nonzero(targets != -100)) for _, targets in batches]
    reported = 0.0
    for count, (inputs, targets) in zip(rows, batches, strict=True):
        if count:
            loss = cross_entropy(model(inputs), targets)
            loss.backward(torch.full_like(loss, count / sum(rows)))
            reported += loss.item() * count / sum(rows)
    clip_gradients(model.parameters(), max_norm)
    optimizer.step()
    return reported


def evaluate(model, batches):
    mode = model.training
    model.eval()
    weighted, total = 0.0, 0
    try:
        with torch.no_grad():
            for inputs, targets in batches:
                count = (targets != -100).sum().item()
                weighted += count * cross_entropy(model(inputs), targets).item()
                total += count
    finally:
        model.train(mode)
    return weighted / total if total else 0.0


def next_token_probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    rows = [one_row(row, temperature, top_k, top_p) for row in logits.reshape(-1, logits.shape[-1])]
    return torch.stack(rows).reshape(logits.shape)


def one_row(row, temperature, top_k, top_p):
    result = torch.zeros_like(row)
    if temperature == 0:
        result[row.argmax()] = 1
        return result
    order = sorted(range(len(row)), key=lambda token: -row[token].item())
    if top_k is not None:
        least = row[order[min(top_k, len(row)) - 1]]
        order = [token for token in order if row[token] >= least]
    probabilities = torch.softmax(row[order] / temperature, 0)
    if top_p is not None:
        kept, mass = 0, 0.0
        while kept == 0 or (kept < len(order) and mass < top_p):
            mass += probabilities[kept].item()
            kept += 1
        order, probabilities = order[:kept], probabilities[:kept] / probabilities[:kept].sum()
    result[order] = probabilities
    return result


def generate(model, prompt, max_new_tokens, temperature=1.0, top_k=None, top_p=None, generator=None, use_cache=True):
    mode = model.training
    model.eval()
    limit = model.position_embedding.num_embeddings
    text = prompt.clone()
    caches = None
    with torch.no_grad():
        for _ in range(max_new_tokens):
            if not use_cache or text.shape[1] > limit:
                logits = model(text[:, max(0, text.shape[1] - limit) :])
            elif caches is None:
                caches = [KeyValueCache() for _ in model.blocks]
                logits = model(text, caches)
            else:
                logits = model(text[:, -1:], caches)
            probabilities = next_token_probabilities(logits[:, -1], temperature, top_k, top_p)
            if temperature == 0:
                new = probabilities.argmax(dim=-1, keepdim=True)
            else:
                draws = torch.rand(len(text), 1, generator=generator, dtype=probabilities.dtype)
                new = (probabilities.cumsum(-1) / probabilities.sum(-1, keepdim=True) <= draws).sum(-1, keepdim=True)
            text = torch.cat([text, new], dim=1)
    model.train(mode)
    return text


class ByteBPE:
    """Represents each token by its bytes while it merges."""

    def __init__(self):
        self.tokens = [bytes([value]) for value in range(256)]
        self.rules = []

    def train(self, text, vocab_size):
        if isinstance(text, str):
            text = text.encode()
        self.tokens, self.rules = self.tokens[:256], []
        ids = [*text]
        while len(self.tokens) < vocab_size and len(ids) > 1:
            counts = {}
            for pair in itertools.pairwise(ids):
                counts[pair] = counts.get(pair, 0) + 1
            best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[0][0]
            self.rules.append(best)
            self.tokens.append(self.tokens[best[0]] + self.tokens[best[1]])
            ids = self.apply(ids, best, len(self.tokens) - 1)
        return self

    def apply(self, ids, rule, number):
        ids, index = list(ids), 0
        while index < len(ids) - 1:
            if (ids[index], ids[index + 1]) == rule:
                ids[index : index + 2] = [number]
            index += 1
        return ids

    def encode(self, text):
        ids = [*(text.encode() if isinstance(text, str) else text)]
        for number, rule in enumerate(self.rules):
            ids = self.apply(ids, rule, 256 + number)
        return ids

    def decode(self, ids):
        result = bytearray()
        for token in ids:
            result += self.tokens[token]
        return bytes(result)
