"""Stage 5 with einsum: its own attention, masked with the dtype's minimum, and norms by formula."""

import math

import torch
from positions import sinusoidal_encoding
from torch import nn


class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.full((d_model,), 1.0)))
        self.register_parameter("bias", nn.Parameter(torch.full((d_model,), 0.0)))
        self.eps = eps

    def forward(self, x):
        count = x.shape[-1]
        centred = x - torch.einsum("...d->...", x)[..., None] / count
        variance = torch.einsum("...d,...d->...", centred, centred)[..., None] / count
        return torch.einsum("...d,d->...d", centred * (variance + self.eps) ** -0.5, self.weight) + self.bias


class RMSNorm(nn.Module):
    def __init__(self, d_model, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.eps = eps

    def forward(self, x):
        # |(x, √(d·eps))| / √d equals the root with eps inside.
        count = x.shape[-1]
        rest = torch.full_like(x[..., :1], math.sqrt(count * self.eps))
        length = torch.linalg.vector_norm(torch.cat([x, rest], dim=-1), dim=-1, keepdim=True)
        return self.weight * (x / length * math.sqrt(count))


def gelu(x, approximate="none"):
    match approximate:
        case "none":
            return x / 2 * torch.erfc(-x / math.sqrt(2))
        case "tanh":
            cube = torch.einsum("...,...,...->...", x, x, x)
            return x / 2 + x / 2 * torch.tanh(0.7978845608028654 * (x + 0.044715 * cube))
    raise ValueError(approximate)


def linear(x, layer):
    result = torch.einsum("...i,oi->...o", x, layer.weight)
    return result if layer.bias is None else result + layer.bias


class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.input_proj, self.output_proj = nn.Linear(d_model, d_hidden), nn.Linear(d_hidden, d_model)
        self.hidden_dropout = nn.Dropout(dropout)

    def forward(self, x):
        return linear(self.hidden_dropout(gelu(linear(x, self.input_proj))), self.output_proj)


class Attention(nn.Module):
    def __init__(self, d_model, heads, dropout):
        super().__init__()
        self.heads = heads
        self.query_proj = nn.Linear(d_model, d_model, bias=False)
        self.key_proj = nn.Linear(d_model, d_model, bias=False)
        self.value_proj = nn.Linear(d_model, d_model, bias=False)
        self.output_proj = nn.Linear(d_model, d_model, bias=False)
        self.weight_dropout = nn.Dropout(dropout)

    def project(self, x, layer):
        weight = layer.weight.unflatten(0, (self.heads, -1))
        return torch.einsum("bli,hoi->bhlo", x, weight)

    def forward(self, x, source, mask, cache=None):
        query = self.project(x, self.query_proj)
        key, value = self.project(source, self.key_proj), self.project(source, self.value_proj)
        if cache is not None:
            key, value = cache.append(key, value)
        scores = torch.einsum("bhqd,bhkd->bhqk", query, key) / query.shape[-1] ** 0.5
        if mask is not None:
            mask = mask if mask.ndim != 3 else mask.unsqueeze(1)
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        if mask is not None:
            weights = weights * mask
        heads = torch.einsum("bhqk,bhkd->bqhd", self.weight_dropout(weights), value)
        return linear(heads.flatten(2), self.output_proj)


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.norm_first = norm_first
        self.attention = Attention(d_model, num_heads, dropout)
        self.attention_norm = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward_norm = LayerNorm(d_model)
        self.branch_dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None, cache=None):
        drop = self.branch_dropout
        if not self.norm_first:
            x = self.attention_norm(x + drop(self.attention(x, x, mask, cache)))
            return self.feed_forward_norm(x + drop(self.feed_forward(x)))
        read = self.attention_norm(x)
        after = x + drop(self.attention(read, read, mask, cache))
        return after + drop(self.feed_forward(self.feed_forward_norm(after)))


class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = Attention(d_model, num_heads, dropout)
        self.self_attention_norm = LayerNorm(d_model)
        self.cross_attention = Attention(d_model, num_heads, dropout)
        self.cross_attention_norm = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward_norm = LayerNorm(d_model)
        self.branch_dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None, cache=None):
        drop, length = self.branch_dropout, x.shape[1]
        total = length + (len(cache) if cache is not None else 0)
        later = torch.ones(length, total, device=x.device).triu(total - length + 1).bool()
        allowed = ~later if mask is None else mask & ~later
        if not self.norm_first:
            x = self.self_attention_norm(x + drop(self.self_attention(x, x, allowed, cache)))
            x = self.cross_attention_norm(x + drop(self.cross_attention(x, memory, memory_mask)))
            return self.feed_forward_norm(x + drop(self.feed_forward(x)))
        read = self.self_attention_norm(x)
        x = x + drop(self.self_attention(read, read, allowed, cache))
        x = x + drop(self.cross_attention(self.cross_attention_norm(x), memory, memory_mask))
        return x + drop(self.feed_forward(self.feed_forward_norm(x)))


class Encoder(nn.Module):
    def __init__(self, num_blocks, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        blocks = [EncoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in range(num_blocks)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = LayerNorm(d_model) if norm_first else nn.Sequential()

    def forward(self, x, mask=None):
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)


class Decoder(nn.Module):
    def __init__(self, num_blocks, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        blocks = [DecoderBlock(d_model, num_heads, d_hidden, dropout, norm_first) for _ in range(num_blocks)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = LayerNorm(d_model) if norm_first else nn.Sequential()

    def forward(self, x, memory, mask=None, memory_mask=None, caches=None):
        caches = caches if caches is not None else (None,) * len(self.blocks)
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block(x, memory, mask=mask, memory_mask=memory_mask, cache=cache)
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
        self.max_length = max_length
        self.source_embedding = nn.Embedding(source_vocab, d_model)
        self.target_embedding = nn.Embedding(target_vocab, d_model)
        self.encoder = Encoder(num_blocks, d_model, num_heads, d_hidden, dropout)
        self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout)
        self.output_proj = nn.Linear(d_model, target_vocab)
        self.embedding_dropout = nn.Dropout(dropout)

    def embedded(self, tokens, embedding):
        length, d_model = tokens.shape[-1], embedding.embedding_dim
        if not length <= self.max_length:
            raise ValueError(f"{length} is more than {self.max_length}")
        onehot = nn.functional.one_hot(tokens, embedding.num_embeddings).to(embedding.weight.dtype)
        x = torch.einsum("blv,vd->bld", onehot, embedding.weight) * d_model**0.5
        places = sinusoidal_encoding(self.max_length, d_model, device=tokens.device)
        return self.embedding_dropout(x + places[:length].to(x.dtype))

    def encode(self, source):
        real = source.not_equal(self.pad_id)
        return self.encoder(self.embedded(source, self.source_embedding), real[:, None])

    def decode(self, target, memory, source):
        real = source.not_equal(self.pad_id)
        hidden = self.decoder(self.embedded(target, self.target_embedding), memory, memory_mask=real[:, None])
        return linear(hidden, self.output_proj)

    def forward(self, source, target):
        return self.decode(target, self.encode(source), source)


def shift_right(tokens, start_id):
    shifted = tokens.roll(1, dims=1)
    shifted[:, 0] = start_id
    return shifted


def label_smoothed_loss(logits, targets, smoothing, pad_id):
    vocab = logits.shape[-1]
    real = (targets != pad_id) & (targets >= 0)
    log_p = logits - logits.logsumexp(-1, keepdim=True)
    right = nn.functional.one_hot(targets.where(real, 0), vocab).to(log_p.dtype)
    wanted = torch.lerp(right, torch.full_like(right, 1 / vocab), smoothing)
    total = -torch.einsum("blv,blv,bl->", wanted, log_p, real.to(log_p.dtype))
    return total / max(int(real.sum()), 1)


def greedy_decode(model, source, start_id, end_id, max_length):
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        written = source.new_empty((len(source), 0))
        start = source.new_full((len(source), 1), start_id)
        for _ in range(max_length):
            logits = model.decode(torch.cat([start, written], 1), memory, source)
            written = torch.cat([written, logits[:, -1].max(-1).indices[:, None]], 1)
            ends = written == end_id
            after = ends.cumsum(1) - ends.long() > 0  # an end token comes before this position
            written = written.masked_fill(after, model.pad_id)
            if ends.any(1).all():
                break
    model.train(was)
    return written


def warmup_rate(step, d_model, warmup):
    return math.exp(-0.5 * math.log(d_model) + min(-0.5 * math.log(step), math.log(step) - 1.5 * math.log(warmup)))
