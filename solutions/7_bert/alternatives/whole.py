"""Stage 7 on whole tensors: one draw decides everything, and random tokens never repeat the original."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from attention import padding_mask
from positions import LearnedPositions
from torch import nn
from transformer import EncoderBlock, LayerNorm, gelu


@dataclass(frozen=True)
class BertConfig:
    vocab_size: int
    max_length: int
    d_model: int
    num_heads: int
    num_blocks: int
    d_hidden: int
    num_segments: int = 2
    dropout: float = 0.0


def mask_tokens(tokens, vocab_size, mask_id, special_ids, generator, rate=0.15):
    special = torch.zeros(vocab_size, dtype=torch.long).index_fill(0, torch.tensor([*special_ids, mask_id]), 1).bool()
    draws = torch.rand(tokens.shape, generator=generator, dtype=torch.float64)
    draws = torch.where(special[tokens], torch.inf, draws / rate)  # below 1 where chosen
    weights = (~special).double().expand(tokens.numel(), -1).scatter(1, tokens.reshape(-1, 1), 0.0)
    weights[weights.sum(1) == 0] = 1.0
    other = torch.multinomial(weights, 1, generator=generator).view_as(tokens)
    inputs = torch.where(draws < 0.8, mask_id, torch.where(draws < 0.9, other, tokens))
    return inputs, torch.where(draws < 1, tokens, -100)


def pack_pair(first, second, cls_id, sep_id, pad_id, length):
    room = length - 3
    if room < 0:
        raise ValueError(f"{length} < 3")
    n, m = len(first), len(second)
    if n + m > room:
        small = min(n, m, room // 2)
        n, m = (min(n, room - small), small) if m <= small else (min(n, room - min(m, room // 2)), min(m, room // 2))
        n = min(len(first), max(n, room - min(len(second), room // 2)))
        m = min(len(second), room - n)
    place = torch.arange(length, device=first.device)
    table = torch.cat([first[:n], second[:m], first.new_tensor([cls_id, sep_id, pad_id])])
    index = torch.where(place <= n, place - 1, place - 2)
    index = index.masked_fill(place == 0, n + m).masked_fill((place == n + 1) | (place == n + m + 2), n + m + 1)
    index = index.masked_fill(place > n + m + 2, n + m + 2)
    mask = padding_mask(torch.tensor([n + m + 3], device=first.device), length)[0]
    return table[index], ((place > n + 1) & mask).to(first.dtype), mask


def sentence_pairs(documents, generator):
    if len(documents) < 2:
        raise ValueError(len(documents))
    pairs = []
    for number, document in enumerate(documents):
        for first, second in pairwise(document):
            pairs.append((first, second, 1))
            others = [*documents[:number], *documents[number + 1 :]]
            other = others[int(torch.rand((), generator=generator) * len(others))]
            pairs.append((first, other[int(torch.rand((), generator=generator) * len(other))], 0))
    return pairs


class BertEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        for name, size in (("token", config.vocab_size), ("segment", config.num_segments)):
            self.add_module(name, nn.Embedding(size, config.d_model))
        self.position = LearnedPositions(config.max_length, config.d_model)
        self.norm = LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens, segments=None):
        x = self.token(tokens) + self.segment(tokens * 0 if segments is None else segments)
        return self.dropout(self.norm(self.position(x)))


class Bert(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embeddings, self.pooler = BertEmbeddings(config), nn.Linear(config.d_model, config.d_model)
        arguments = (config.d_model, config.num_heads, config.d_hidden, config.dropout, False)
        self.blocks = nn.Sequential(*(EncoderBlock(*arguments) for _ in range(config.num_blocks)))

    def forward(self, tokens, segments=None, mask=None):
        x = self.embeddings(tokens, segments)
        for block in self.blocks:
            x = block(x, None if mask is None else mask[:, None, None])  # (batch, 1, 1, key)
        return x, self.pooler(x.select(1, 0)).tanh()


class MaskedLanguageHead(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.dense = nn.Linear(embedding.embedding_dim, embedding.embedding_dim)
        self.norm = LayerNorm(embedding.embedding_dim)
        self.weight = embedding.weight
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    def forward(self, hidden):
        return torch.einsum("...d,vd->...v", self.norm(gelu(self.dense(hidden))), self.weight) + self.bias


def masked_language_loss(logits, labels):
    chosen = labels >= 0
    picked = logits[chosen]
    largest = picked.amax(dim=-1, keepdim=True).detach()
    surprise = (picked - largest).logsumexp(-1) - (picked - largest).gather(-1, labels[chosen, None]).squeeze(-1)
    return surprise.sum() / max(len(surprise), 1)


def fill_mask(bert, head, tokens, mask_id, k):
    hidden = bert(tokens.view(1, -1))[0].squeeze(0)[tokens.eq(mask_id)]
    log_probabilities, ids = head(hidden).log_softmax(dim=-1).topk(k, dim=-1, sorted=True)
    return ids, log_probabilities.exp()


class SequenceClassifier(nn.Module):
    def __init__(self, bert, num_classes):
        super().__init__()
        self.bert = bert
        self.output_proj = nn.Linear(math.prod(bert.pooler.bias.shape), num_classes)

    def forward(self, *inputs, **options):
        return self.output_proj(self.bert(*inputs, **options)[1])
