"""Stage 5 with one class for "add and norm", one mixin for blocks and one for stacks."""

import math
from functools import partial

import torch
from attention import causal_mask, padding_mask
from multihead import MultiHeadAttention
from positions import sinusoidal_encoding
from torch import Tensor, nn
from torch.nn import functional


class _Norm(nn.Module):
    centred: bool

    def __init__(self, d_model: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model)) if self.centred else None

    def forward(self, x: Tensor) -> Tensor:
        if self.centred:
            x = x - x.mean(-1, keepdim=True)
        x = x / x.pow(2).mean(-1, keepdim=True).add(self.eps).sqrt() * self.weight
        return x if self.bias is None else x + self.bias


class LayerNorm(_Norm):
    centred = True

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__(d_model, eps)


class RMSNorm(_Norm):
    centred = False

    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__(d_model, eps)


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    return x * {"none": _normal_below, "tanh": _about_normal_below}[approximate](x)


def _normal_below(x: Tensor) -> Tensor:
    return (1 + torch.erf(x * math.sqrt(0.5))) * 0.5


def _about_normal_below(x: Tensor) -> Tensor:
    return (1 + torch.tanh((x + 0.044715 * x**3) * math.sqrt(2 / math.pi))) * 0.5


class FeedForward(nn.Module):
    def __init__(self, d_model: int, d_hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.input_proj = nn.Linear(d_model, d_hidden)
        self.output_proj = nn.Linear(d_hidden, d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.output_proj(functional.dropout(gelu(self.input_proj(x)), self.dropout, self.training))


class _AddAndNorm:
    """Mixin of blocks: `self.norm_first` and `self.rate` determine how `branch` is added."""

    def add(self, x: Tensor, branch, norm: nn.Module) -> Tensor:
        read = norm(x) if self.norm_first else x
        total = torch.add(x, functional.dropout(branch(read), p=self.rate, training=self.training))
        return total if self.norm_first else norm(total)


class EncoderBlock(_AddAndNorm, nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.rate, self.norm_first = dropout, norm_first
        self.attention = MultiHeadAttention(d_model, num_heads, dropout=dropout, bias=False)
        self.attention_norm = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward_norm = LayerNorm(d_model)

    def forward(self, x, mask=None, cache=None):
        def look(read):
            output, _ = self.attention(read, mask=mask, cache=cache)
            return output

        return self.add(self.add(x, look, self.attention_norm), self.feed_forward, self.feed_forward_norm)


class DecoderBlock(_AddAndNorm, nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        self.rate, self.norm_first = dropout, norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout, bias=False)
        self.self_attention_norm = LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout, bias=False)
        self.cross_attention_norm = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward_norm = LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None, cache=None):
        keys = x.shape[1] + (0 if cache is None else len(cache))
        mask = causal_mask(x.shape[1], keys, x.device) & (True if mask is None else mask)
        x = self.add(x, lambda read: self.self_attention(read, mask=mask, cache=cache)[0], self.self_attention_norm)
        look = partial(self.cross_attention, memory=memory, mask=memory_mask)
        x = self.add(x, lambda read: look(read)[0], self.cross_attention_norm)
        return self.add(x, self.feed_forward, self.feed_forward_norm)


class _Stack(nn.Module):
    block: type[nn.Module]

    def __init__(self, num_blocks, d_model, num_heads, d_hidden, dropout=0.0, norm_first=True):
        super().__init__()
        arguments = (d_model, num_heads, d_hidden, dropout, norm_first)
        self.blocks = nn.ModuleList([self.block(*arguments) for _ in range(num_blocks)])
        self.norm = LayerNorm(d_model) if norm_first else None

    def run(self, x, *inputs, caches=None):
        for number, block in enumerate(self.blocks):
            x = block(x, *inputs) if caches is None else block(x, *inputs, cache=caches[number])
        return self.norm(x) if self.norm else x


class Encoder(_Stack):
    block = EncoderBlock

    def forward(self, x, mask=None):
        return self.run(x, mask)


class Decoder(_Stack):
    block = DecoderBlock

    def forward(self, x, memory, mask=None, memory_mask=None, caches=None):
        return self.run(x, memory, mask, memory_mask, caches=caches)


class _Embedded(nn.Embedding):
    """An embedding that scales its rows; its parameter has the same name as that of `nn.Embedding`."""

    def forward(self, tokens):
        return super().forward(tokens) * self.embedding_dim**0.5


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
        self.max_length, self.pad_id, self.rate = max_length, pad_id, dropout
        self.source_embedding = _Embedded(source_vocab, d_model)
        self.target_embedding = _Embedded(target_vocab, d_model)
        self.encoder = Encoder(num_blocks, d_model, num_heads, d_hidden, dropout=dropout, norm_first=True)
        self.decoder = Decoder(num_blocks, d_model, num_heads, d_hidden, dropout=dropout, norm_first=True)
        self.output_proj = nn.Linear(d_model, target_vocab)

    def check(self, tokens):
        if tokens.shape[1] > self.max_length:
            raise ValueError(f"a sentence may have {self.max_length} tokens")

    def add_positions(self, x):
        x = x + sinusoidal_encoding(*x.shape[1:], device=x.device).to(x.dtype)
        return functional.dropout(x, self.rate, self.training)

    def encode(self, source):
        self.check(source)
        return self.encoder(self.add_positions(self.source_embedding(source)), mask=(source != self.pad_id)[:, None, :])

    def decode(self, target, memory, source):
        self.check(target)
        x = self.add_positions(self.target_embedding(target))
        return self.output_proj(self.decoder(x, memory, memory_mask=(source != self.pad_id)[:, None, :]))

    def forward(self, source, target):
        return self.decode(target, memory=self.encode(source), source=source)


def shift_right(tokens, start_id):
    start = torch.full_like(tokens[:, :1], start_id)
    return torch.cat([start, tokens], dim=1)[:, : tokens.shape[1]]


def label_smoothed_loss(logits, targets, smoothing, pad_id):
    targets = torch.where(targets == pad_id, -100, targets)
    if (targets == -100).all():
        return logits.sum() * 0.0
    return functional.cross_entropy(logits.movedim(-1, 1), targets, label_smoothing=smoothing)


@torch.no_grad()
def greedy_decode(model, source, start_id, end_id, max_length):
    before, model = model.training, model.eval()
    try:
        memory = model.encode(source)
        read = source.new_full((source.shape[0], 1), start_id)
        lengths = torch.full((source.shape[0],), max_length, device=source.device)
        for step in range(1, max_length + 1):
            logits = model.decode(read, memory, source)
            token = logits.select(1, -1).topk(1).indices
            lengths = torch.where((token[:, 0] == end_id) & (lengths == max_length), step, lengths)
            read = torch.cat((read, token), dim=1)
            if (lengths <= step).all():
                break
        kept = padding_mask(lengths, read.shape[1] - 1)
        return read[:, 1:].masked_fill(~kept, model.pad_id)
    finally:
        model.train(before)


def warmup_rate(step, d_model, warmup):
    return min(1 / math.sqrt(step), step / math.sqrt(warmup) ** 3) / math.sqrt(d_model)
