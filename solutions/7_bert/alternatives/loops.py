"""Stage 7 in loops over rows and tokens: an exact share of each row is chosen, as in the authors' code for data."""

from dataclasses import dataclass

import torch
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


def shuffled(count, generator):
    return torch.randperm(count, generator=generator).tolist()


def mask_tokens(tokens, vocab_size, mask_id, special_ids, generator, rate=0.15):
    special = {mask_id, *special_ids}
    words = [word for word in range(vocab_size) if word not in special]
    inputs, labels = tokens.tolist(), [[-100] * tokens.shape[1] for _ in tokens]
    for row, row_labels in zip(inputs, labels, strict=True):
        candidates = [place for place, token in enumerate(row) if token not in special]
        order = shuffled(len(candidates), generator)
        for place in (candidates[number] for number in order[: round(rate * len(candidates))]):
            row_labels[place] = row[place]
            share = torch.rand((), generator=generator).item()
            if share < 0.8:
                row[place] = mask_id
            elif share < 0.9:
                row[place] = words[int(torch.randint(len(words), (), generator=generator))]
    return torch.tensor(inputs), torch.tensor(labels)


def pack_pair(first, second, cls_id, sep_id, pad_id, length):
    if length < 3:
        raise ValueError(f"no pair fits into {length} tokens")
    left, right = list(first), list(second)
    while len(left) + len(right) > length - 3:
        if len(right) >= len(left):
            del right[-1]
        else:
            del left[-1]
    constant = first.new_tensor
    tokens = [constant(cls_id), *left, constant(sep_id)]
    border = len(tokens)
    tokens += [*right, constant(sep_id)]
    real = len(tokens)
    tokens += [constant(pad_id)] * (length - real)
    segments = [constant(int(border <= place < real)) for place in range(length)]
    mask = [constant(place < real, dtype=torch.bool) for place in range(length)]
    return torch.stack(tokens), torch.stack(segments), torch.stack(mask)


def sentence_pairs(documents, generator):
    if len(documents) < 2:
        raise ValueError(f"{len(documents)} documents are too few")
    pairs = []
    for document in documents:
        for number in range(len(document) - 1):
            following = torch.rand(1, generator=generator).item() > 0.5
            second = document[number + 1]
            if not following:
                other = document
                while other is document:
                    other = documents[shuffled(len(documents), generator)[0]]
                second = other[shuffled(len(other), generator)[0]]
            pairs.append([document[number], second, int(following)])
    return pairs


class BertEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.token = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_length, config.d_model)
        self.segment = nn.Embedding(config.num_segments, config.d_model)
        self.norm = LayerNorm(config.d_model)
        self.rate = config.dropout

    def forward(self, tokens, segments=None):
        rows = []
        for number, row in enumerate(tokens):
            of_row = torch.zeros_like(row) if segments is None else segments[number]
            places = torch.arange(len(row), device=row.device)
            rows.append(self.token(row) + self.position(places) + self.segment(of_row))
        return nn.functional.dropout(self.norm(torch.stack(rows)), self.rate, self.training)


class Bert(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.d_model = config.d_model
        self.embeddings = BertEmbeddings(config)
        self.blocks = nn.ModuleList()
        for _ in range(config.num_blocks):
            block = EncoderBlock(
                config.d_model, config.num_heads, config.d_hidden, dropout=config.dropout, norm_first=False
            )
            self.blocks.append(block)
        self.pooler = nn.Linear(config.d_model, config.d_model)

    def forward(self, tokens, segments=None, mask=None):
        x = self.embeddings(tokens, segments)
        if mask is not None:  # padding neither reads nor is read
            mask = mask[:, :, None] & mask[:, None, :]
        for block in self.blocks:
            x = block(x, mask=mask)
        return x, torch.tanh(self.pooler(x[:, 0, :]))


class MaskedLanguageHead(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        size = embedding.weight.shape[1]
        self.dense, self.norm = nn.Linear(size, size), LayerNorm(size)
        self.bias = nn.Parameter(torch.zeros(len(embedding.weight)))
        object.__setattr__(self, "embedding", embedding)

    def forward(self, hidden):
        x = self.norm(gelu(self.dense(hidden)))
        return x @ self.embedding.weight.T + self.bias


def masked_language_loss(logits, labels):
    losses = []
    for row, row_labels in zip(logits, labels, strict=True):
        chosen = row_labels != -100
        picked = row[chosen].log_softmax(-1)
        losses.append(-picked[torch.arange(len(picked), device=picked.device), row_labels[chosen]])
    losses = torch.cat(losses)
    return losses.mean() if len(losses) else logits.new_zeros(())


def fill_mask(bert, head, tokens, mask_id, k):
    hidden, _ = bert(tokens.unsqueeze(0))
    ids, probabilities = [], []
    for place, token in enumerate(tokens.tolist()):
        if token == mask_id:
            row = head(hidden)[0, place].softmax(0)
            order = row.argsort(descending=True)[:k]
            ids.append(order)
            probabilities.append(row[order])
    return torch.stack(ids), torch.stack(probabilities)


class SequenceClassifier(nn.Module):
    def __init__(self, bert, num_classes):
        super().__init__()
        self.bert = bert
        self.output_proj = nn.Linear(bert.d_model, num_classes)

    def forward(self, tokens, segments=None, mask=None):
        pooled = self.bert(tokens, segments, mask)[-1]
        return self.output_proj(pooled)
