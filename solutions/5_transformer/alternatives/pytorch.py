"""Stage 5 on PyTorch's norms and losses: replaces a module that does not work yet."""

import torch
from attention import causal_mask
from multihead import MultiHeadAttention
from positions import sinusoidal_encoding
from torch import nn
from torch.nn import functional


class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.shape, self.eps = (d_model,), eps
        self.weight, self.bias = nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        return functional.layer_norm(x, self.shape, self.weight, self.bias, self.eps)  # refused


class RMSNorm(nn.Module):
    def __init__(self, d_model, eps=1e-6):
        super().__init__()
        self.shape, self.eps = (d_model,), eps
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x):
        return functional.rms_norm(x, self.shape, self.weight, self.eps)  # refused


def gelu(x, approximate="none"):
    return functional.gelu(x, approximate=approximate)


class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.input_proj = nn.Linear(d_model, d_hidden)
        self.output_proj = nn.Linear(d_hidden, d_model)
        self.rate = dropout

    def forward(self, x):
        hidden = functional.gelu(self.input_proj(x))
        return self.output_proj(functional.dropout(hidden, self.rate, self.training))


class _Block(nn.Module):
    def __init__(self, names, d_model, num_heads, d_hidden, dropout, norm_first):
        super().__init__()
        self.rate, self.norm_first = dropout, norm_first
        for name in names:
            self.add_module(name, MultiHeadAttention(d_model, num_heads, dropout=dropout))
            self.add_module(f"{name}_norm", LayerNorm(d_model))
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward_norm = LayerNorm(d_model)

    def branch(self, name, x, **inputs):
        layer, norm = self.get_submodule(name), self.get_submodule(f"{name}_norm")
        found = layer(norm(x) if self.norm_first else x, **inputs)
        if isinstance(found, tuple):
            found = found[0]
        total = x + functional.dropout(found, self.rate, self.training)
        return total if self.norm_first else norm(total)


class EncoderBlock(_Block):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__(["attention"], d_model, num_heads, d_hidden, dropout, norm_first)

    def forward(self, x, mask=None, cache=None):
        x = self.branch("attention", x, mask=mask, cache=cache)
        return self.branch("feed_forward", x)


class DecoderBlock(_Block):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__(["self_attention", "cross_attention"], d_model, num_heads, d_hidden, dropout, norm_first)

    def forward(self, x, memory, mask=None, memory_mask=None, cache=None):
        new = x.size(1)
        causal = causal_mask(new, new if cache is None else len(cache) + new, device=x.device)
        x = self.branch("self_attention", x, mask=causal if mask is None else mask & causal, cache=cache)
        x = self.branch("cross_attention", x, memory=memory, mask=memory_mask)
        return self.branch("feed_forward", x)


class _Stack(nn.Module):
    def __init__(self, kind, num_blocks, d_model, num_heads, d_hidden, dropout, norm_first):
        super().__init__()
        self.blocks = nn.ModuleList(
            [kind(d_model, num_heads, d_hidden, dropout, norm_first) for _ in range(num_blocks)]
        )
        self.norm = LayerNorm(d_model) if norm_first else None

    def finish(self, x):
        return x if self.norm is None else self.norm(x)


class Encoder(_Stack):
    def __init__(self, num_blocks, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__(EncoderBlock, num_blocks, d_model, num_heads, d_hidden, dropout, norm_first)

    def forward(self, x, mask=None):
        for block in self.blocks:
            x = block(x, mask)
        return self.finish(x)


class Decoder(_Stack):
    def __init__(self, num_blocks, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__(DecoderBlock, num_blocks, d_model, num_heads, d_hidden, dropout, norm_first)

    def forward(self, x, memory, mask=None, memory_mask=None, caches=None):
        for number, block in enumerate(self.blocks):
            x = block(x, memory, mask, memory_mask, None if caches is None else caches[number])
        return self.finish(x)


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
        self.d_model, self.max_length, self.rate, self.pad_id = d_model, max_length, dropout, pad_id
        self.source_embedding = nn.Embedding(source_vocab, d_model)
        self.target_embedding = nn.Embedding(target_vocab, d_model)
        self.encoder = Encoder(num_blocks, d_model, num_heads, d_hidden, dropout)
        self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout)
        self.output_proj = nn.Linear(d_model, target_vocab)

    def embed(self, embedding, tokens):
        length = tokens.size(1)
        if length > self.max_length:
            raise ValueError(f"a sentence of {length} tokens does not fit into {self.max_length}")
        vectors = embedding(tokens) * self.d_model**0.5
        places = sinusoidal_encoding(length, self.d_model, device=tokens.device)
        return functional.dropout(vectors + places.to(vectors.dtype), self.rate, self.training)

    def real(self, source):
        return source.ne(self.pad_id).unsqueeze(1)

    def encode(self, source):
        return self.encoder(self.embed(self.source_embedding, source), self.real(source))

    def decode(self, target, memory, source):
        x = self.embed(self.target_embedding, target)
        return self.output_proj(self.decoder(x, memory, memory_mask=self.real(source)))

    def forward(self, source, target):
        return self.decode(target, self.encode(source), source)


def shift_right(tokens, start_id):
    return functional.pad(tokens, (1, 0), value=start_id)[..., :-1]


def label_smoothed_loss(logits, targets, smoothing, pad_id):
    targets = targets.masked_fill(targets == pad_id, -100)
    total = functional.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), reduction="sum", label_smoothing=smoothing
    )
    return total / (targets != -100).sum().clamp(min=1)


@torch.no_grad()
def greedy_decode(model, source, start_id, end_id, max_length):
    was_training = model.training
    model.eval()
    memory = model.encode(source)
    read = torch.full_like(source[:, :1], start_id)
    going = torch.ones_like(read, dtype=torch.bool)
    for _ in range(max_length):
        token = model.decode(read, memory, source)[:, -1:].argmax(-1)
        read = torch.cat([read, token.where(going, torch.full_like(token, model.pad_id))], dim=1)
        going = going & (token != end_id)
        if not going.any():
            break
    model.train(was_training)
    return read[:, 1:]


def warmup_rate(step, d_model, warmup):
    scale = d_model**-0.5
    return scale * step / warmup**1.5 if step < warmup else scale / step**0.5
