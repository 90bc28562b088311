"""Stage 5 with its own attention: one matrix for query, key and value, and PyTorch's fused attention."""

import copy
import math

import torch
from positions import sinusoidal_encoding
from torch import nn
from torch.nn import functional


class _Attention(nn.Module):
    """Attention with the four linears under their names, and masks of two to four axes."""

    def __init__(self, d_model, num_heads, dropout):
        super().__init__()
        self.heads, self.rate = num_heads, dropout
        for name in ("query_proj", "key_proj", "value_proj", "output_proj"):
            setattr(self, name, nn.Linear(d_model, d_model, bias=False))

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, memory=None, mask=None, cache=None):
        if memory is None:
            fused = torch.cat([self.query_proj.weight, self.key_proj.weight, self.value_proj.weight])
            query, key, value = (self.split(part) for part in functional.linear(x, fused).chunk(3, dim=-1))
            if cache is not None:
                key, value = cache.append(key, value)
        else:
            query, key, value = (
                self.split(self.query_proj(x)),
                self.split(self.key_proj(memory)),
                self.split(self.value_proj(memory)),
            )
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]
        rate = self.rate if self.training else 0.0
        heads = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate)
        if mask is not None:
            heads = heads.masked_fill(~mask.any(dim=-1, keepdim=True), 0.0)
        return self.output_proj(heads.transpose(1, 2).flatten(2))


class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return torch.addcmul(self.bias, (x - mean) * torch.rsqrt(variance + self.eps), self.weight)


class RMSNorm(nn.Module):
    def __init__(self, d_model, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.eps = eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3)))
    return x * torch.special.ndtr(x)


class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.input_proj = nn.Linear(d_model, d_hidden)
        self.output_proj = nn.Linear(d_hidden, d_model)
        self.act = nn.Sequential(nn.GELU(), nn.Dropout(dropout))

    def forward(self, x):
        return self.output_proj(self.act(self.input_proj(x)))


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.attention = _Attention(d_model, num_heads, dropout)
        self.attention_norm = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward_norm = LayerNorm(d_model)
        self.drop = nn.Dropout(dropout)
        self.forward = self.pre_norm if norm_first else self.post_norm

    def pre_norm(self, x, mask=None, cache=None):
        x = self.drop(self.attention(self.attention_norm(x), mask=mask, cache=cache)) + x
        return self.drop(self.feed_forward(self.feed_forward_norm(x))) + x

    def post_norm(self, x, mask=None, cache=None):
        x = self.attention_norm(self.drop(self.attention(x, mask=mask, cache=cache)) + x)
        return self.feed_forward_norm(self.drop(self.feed_forward(x)) + x)


class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = _Attention(d_model, num_heads, dropout)
        self.cross_attention = _Attention(d_model, num_heads, dropout)
        self.self_attention_norm = LayerNorm(d_model)
        self.cross_attention_norm = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward_norm = LayerNorm(d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None, cache=None):
        length = x.size(1)
        seen = len(cache) if cache is not None else 0
        position = torch.arange(seen + length, device=x.device)
        allowed = position[seen:, None] >= position
        if mask is not None:
            allowed = allowed & mask
        before = (lambda norm, y: norm(y)) if self.norm_first else (lambda _, y: y)
        after = (lambda _, y: y) if self.norm_first else (lambda norm, y: norm(y))
        found = self.self_attention(before(self.self_attention_norm, x), mask=allowed, cache=cache)
        x = after(self.self_attention_norm, x + self.drop(found))
        found = self.cross_attention(before(self.cross_attention_norm, x), memory, memory_mask)
        x = after(self.cross_attention_norm, x + self.drop(found))
        found = self.feed_forward(before(self.feed_forward_norm, x))
        return after(self.feed_forward_norm, x + self.drop(found))


class Encoder(nn.Module):
    def __init__(self, num_blocks, *sizes, norm_first=True, **options):
        super().__init__()
        if len(sizes) == 5:
            *sizes, norm_first = sizes
        block = EncoderBlock(*sizes, norm_first=norm_first, **options)
        self.blocks = nn.ModuleList(copy.deepcopy(block) for _ in range(num_blocks))
        self.norm = LayerNorm(sizes[0]) if norm_first else nn.Identity()

    def forward(self, x, mask=None):
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)


class Decoder(nn.Module):
    def __init__(self, num_blocks, *sizes, norm_first=True, **options):
        super().__init__()
        if len(sizes) == 5:
            *sizes, norm_first = sizes
        block = DecoderBlock(*sizes, norm_first=norm_first, **options)
        self.blocks = nn.ModuleList(copy.deepcopy(block) for _ in range(num_blocks))
        self.norm = LayerNorm(sizes[0]) if norm_first else nn.Identity()

    def forward(self, x, memory, mask=None, memory_mask=None, caches=None):
        for number, block in enumerate(self.blocks):
            x = block(x, memory, mask, memory_mask, caches and caches[number])
        return self.norm(x)


class Transformer(nn.Module):
    def __init__(
        self,
        source_vocab,
        target_vocab,
        d_model,
        num_heads,
        num_blocks,
        d_hidden,
        max_length,
        dropout=0.0,
        pad_id=0,
    ):
        super().__init__()
        self.pad_id = pad_id
        self.source_embedding = nn.Embedding(source_vocab, d_model)
        self.target_embedding = nn.Embedding(target_vocab, d_model)
        self.encoder = Encoder(num_blocks, d_model, num_heads, d_hidden, dropout=dropout)
        self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout=dropout)
        self.output_proj = nn.Linear(d_model, target_vocab)
        self.drop = nn.Dropout(dropout)
        self.register_buffer("sinusoids", sinusoidal_encoding(max_length, d_model), persistent=False)

    def _read(self, embedding, tokens):
        if tokens.shape[1] > len(self.sinusoids):
            raise ValueError(f"at most {len(self.sinusoids)} tokens")
        x = embedding(tokens)
        return self.drop(x * x.shape[-1] ** 0.5 + self.sinusoids[: tokens.shape[1]].to(x))

    def encode(self, source):
        return self.encoder(self._read(self.source_embedding, source), source.ne(self.pad_id)[:, None, None, :])

    def decode(self, target, memory, source):
        x = self._read(self.target_embedding, target)
        return self.output_proj(self.decoder(x, memory, memory_mask=source.ne(self.pad_id)[:, None, None, :]))

    def forward(self, source, target):
        return self.decode(target, self.encode(source), source)


def shift_right(tokens, start_id):
    shifted = torch.empty_like(tokens)
    shifted[:, 0] = start_id
    shifted[:, 1:] = tokens[:, :-1]
    return shifted


def label_smoothed_loss(logits, targets, smoothing, pad_id):
    vocab = logits.shape[-1]
    kept = targets.ne(pad_id) & targets.ne(-100)
    wanted = functional.one_hot(targets.masked_fill(~kept, 0), vocab) * (1 - smoothing) + smoothing / vocab
    losses = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(0, 1).to(logits.dtype), reduction="none")
    losses = losses * kept.flatten()
    return losses.sum() / kept.sum() if kept.any() else losses.sum() * 0.0


def greedy_decode(model, source, start_id, end_id, max_length):
    training = model.training
    model.eval()
    with torch.inference_mode():
        memory = model.encode(source)
        target = torch.full((source.shape[0], max_length + 1), model.pad_id, device=source.device)
        target[:, 0] = start_id
        alive = torch.ones(source.shape[0], dtype=torch.bool, device=source.device)
        length = 0
        while length < max_length and bool(alive.any()):
            logits = model.decode(target[:, : length + 1], memory, source)
            length += 1
            target[alive, length] = logits[alive, -1].argmax(-1)
            alive &= target[:, length] != end_id
    model.train(training)
    return target[:, 1 : length + 1].clone()


def warmup_rate(step, d_model, warmup):
    return 1 / math.sqrt(d_model * max(step, warmup)) * min(1.0, step / warmup)
