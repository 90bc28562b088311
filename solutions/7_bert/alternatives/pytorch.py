"""Stage 7 on PyTorch's norms and losses: replaces a module that does not work yet."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from transformer import EncoderBlock


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
    inputs, labels = tokens.clone(), tokens.clone()
    special = torch.zeros(vocab_size, dtype=torch.bool)
    special[list(special_ids)] = True
    special[mask_id] = True
    probabilities = torch.full(tokens.shape, rate).masked_fill(special[tokens], 0.0)
    chosen = torch.bernoulli(probabilities, generator=generator).bool()
    labels[~chosen] = -100
    replaced = torch.bernoulli(torch.full(tokens.shape, 0.8), generator=generator).bool() & chosen
    inputs[replaced] = mask_id
    random = torch.bernoulli(torch.full(tokens.shape, 0.5), generator=generator).bool() & chosen & ~replaced
    words = (~special).nonzero().squeeze(1)
    drawn = torch.multinomial(torch.ones(len(words)), tokens.numel(), replacement=True, generator=generator)
    inputs[random] = words[drawn].reshape(tokens.shape)[random]
    return inputs, labels


def pack_pair(first, second, cls_id, sep_id, pad_id, length):
    room = length - 3
    if room < 0:
        raise ValueError(f"length is {length}, but three tokens always stay")
    excess = max(0, len(first) + len(second) - room)
    difference = len(first) - len(second)
    level = min(excess, abs(difference))  # only the longer text loses these
    rest = excess - level
    of_second = (rest + 1) // 2 + (level if difference < 0 else 0)
    of_first = rest // 2 + (level if difference > 0 else 0)
    first, second = first[: len(first) - of_first], second[: len(second) - of_second]
    tokens = first.new_full((length,), pad_id)
    segments, mask = torch.zeros_like(tokens), torch.zeros_like(tokens, dtype=torch.bool)
    end = len(first) + len(second) + 3
    tokens[0] = cls_id
    tokens[1 : len(first) + 1] = first
    tokens[len(first) + 1] = sep_id
    tokens[len(first) + 2 : end - 1] = second
    tokens[end - 1] = sep_id
    segments[len(first) + 2 : end] = 1
    mask[:end] = True
    return tokens, segments, mask


def sentence_pairs(documents, generator):
    if len(documents) < 2:
        raise ValueError("at least two documents are needed")
    pairs = []
    for number, document in enumerate(documents):
        elsewhere = [sentence for other, text in enumerate(documents) if other != number for sentence in text]
        for place in range(len(document) - 1):
            if torch.rand(1, generator=generator).item() < 0.5:
                pairs.append((document[place], document[place + 1], 1))
            else:
                drawn = torch.randint(len(elsewhere), (1,), generator=generator).item()
                pairs.append((document[place], elsewhere[drawn], 0))
    return pairs


class BertEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.token = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_length, config.d_model)
        self.segment = nn.Embedding(config.num_segments, config.d_model)
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens, segments=None):
        if segments is None:
            segments = torch.zeros_like(tokens)
        x = self.token(tokens) + self.segment(segments) + self.position.weight[: tokens.shape[1]]
        return self.dropout(self.norm(x))


class Bert(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embeddings = BertEmbeddings(config)
        sizes = (config.d_model, config.num_heads, config.d_hidden, config.dropout, False)
        self.blocks = nn.ModuleList([EncoderBlock(*sizes) for _ in range(config.num_blocks)])
        self.pooler = nn.Linear(config.d_model, config.d_model)

    def forward(self, tokens, segments=None, mask=None):
        hidden = self.embeddings(tokens, segments)
        mask = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        for block in self.blocks:
            hidden = block(hidden, mask.unsqueeze(1))
        return hidden, self.pooler(hidden[:, 0]).tanh()


class MaskedLanguageHead(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.dense = nn.Linear(embedding.embedding_dim, embedding.embedding_dim)
        self.norm = nn.LayerNorm(embedding.embedding_dim)
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))
        self.embedding = embedding

    def forward(self, hidden):
        hidden = self.norm(functional.gelu(self.dense(hidden)))
        return functional.linear(hidden, self.embedding.weight, self.bias)


def masked_language_loss(logits, labels):
    if (labels == -100).all():
        return logits.sum() * 0.0
    return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))


def fill_mask(bert, head, tokens, mask_id, k):
    with torch.no_grad():
        hidden, _ = bert(tokens[None])
        probabilities = head(hidden)[0].softmax(-1)[tokens == mask_id]
    top = probabilities.topk(k, dim=-1)
    return top.indices, top.values


class SequenceClassifier(nn.Module):
    def __init__(self, bert, num_classes):
        super().__init__()
        self.bert = bert
        self.output_proj = nn.Linear(bert.pooler.in_features, num_classes)

    def forward(self, tokens, segments=None, mask=None):
        return self.output_proj(self.bert(tokens, segments, mask)[1])
