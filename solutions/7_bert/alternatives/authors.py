"""Stage 7 with an exact share of the whole batch, a decoder layer with a shared weight, and a tiny epsilon."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
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
    blocked = sorted({*special_ids, mask_id})
    allowed = torch.tensor([i for i in range(vocab_size) if i not in blocked])
    flat = tokens.flatten()
    candidates = (flat.unsqueeze(1) != torch.tensor(blocked)).all(1).nonzero().flatten()
    chosen = candidates[torch.randperm(len(candidates), generator=generator)][: int(rate * len(candidates) + 0.5)]
    masked, random = int(0.8 * len(chosen)), int(0.9 * len(chosen))  # an exact division too
    inputs = flat.clone()
    inputs[chosen[:masked]] = mask_id
    drawn = torch.randint(0, len(allowed), (random - masked,), generator=generator)
    inputs[chosen[masked:random]] = allowed[drawn]
    labels = torch.full_like(flat, -100).scatter(0, chosen, flat[chosen])
    return inputs.view_as(tokens), labels.view_as(tokens)


def pack_pair(first, second, cls_id, sep_id, pad_id, length):
    if length < 3:
        raise ValueError(f"length must be at least 3, not {length}")
    lengths = [len(first), len(second)]
    while sum(lengths) > length - 3:
        lengths[int(lengths[1] >= lengths[0])] -= 1
    parts = []
    for number, (text, kept) in enumerate(zip((first, second), lengths, strict=True)):
        body = F.pad(text[:kept], (0, 1), value=sep_id)
        parts.append((body if number else F.pad(body, (1, 0), value=cls_id), number))
    tokens = torch.cat([part for part, _ in parts])
    segments = torch.cat([torch.full_like(part, number) for part, number in parts])
    padding = (0, length - len(tokens))
    mask = F.pad(torch.ones_like(tokens).bool(), padding, value=False)
    return F.pad(tokens, padding, value=pad_id), F.pad(segments, padding), mask


def sentence_pairs(documents, generator):
    if not documents or len(documents) == 1:
        raise ValueError("one document has no others")
    found = [(n, i) for n, document in enumerate(documents) for i in range(len(document) - 1)]
    labels = torch.arange(len(found))[torch.randperm(len(found), generator=generator)] % 2  # exactly a half
    pairs = []
    for (n, i), label in zip(found, labels.tolist(), strict=True):
        if label:
            second = documents[n][i + 1]
        else:
            m = (n + 1 + int(torch.randint(len(documents) - 1, (1,), generator=generator))) % len(documents)
            second = documents[m][int(torch.randint(len(documents[m]), (1,), generator=generator))]
        pairs.append((documents[n][i], second, label))
    return [pairs[i] for i in torch.randperm(len(pairs), generator=generator)]


class BertEmbeddings(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.token = nn.Embedding(config.vocab_size, config.d_model, padding_idx=0)
        self.position = nn.Embedding(config.max_length, config.d_model)
        self.segment = nn.Embedding(config.num_segments, config.d_model)
        self.norm = nn.LayerNorm(config.d_model, eps=1e-12)
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("positions", torch.arange(config.max_length).unsqueeze(0), persistent=False)

    def forward(self, tokens, segments=None):
        x = self.token(tokens) + self.position(self.positions[:, : tokens.size(1)])
        x = x + (self.segment.weight[0] if segments is None else self.segment(segments))
        return self.norm(self.dropout(x))


class Bert(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.config = config
        self.embeddings = BertEmbeddings(config)
        self.blocks = nn.ModuleList(
            [
                EncoderBlock(config.d_model, config.num_heads, config.d_hidden, config.dropout, norm_first=False)
                for _ in range(config.num_blocks)
            ]
        )
        self.pooler = nn.Linear(config.d_model, config.d_model)
        self.apply(self._initialise)

    @staticmethod
    def _initialise(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            module.weight.data.normal_(mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.data.zero_()

    def forward(self, tokens, segments=None, mask=None):
        hidden = self.embeddings(tokens, segments)
        if mask is not None:
            mask = mask[:, None, :].expand(-1, tokens.size(1), -1)
        for block in self.blocks:
            hidden = block(hidden, mask)
        return hidden, torch.tanh(self.pooler(hidden[:, 0]))


class MaskedLanguageHead(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        vocab, d_model = embedding.weight.shape
        self.dense = nn.Linear(d_model, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.decoder = nn.Linear(d_model, vocab, bias=False)
        self.decoder.weight = embedding.weight
        self.bias = nn.Parameter(torch.zeros(vocab))

    def forward(self, hidden):
        return self.decoder(self.norm(F.gelu(self.dense(hidden)))) + self.bias


def masked_language_loss(logits, labels):
    loss = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=-100, reduction="none")
    chosen = labels.ne(-100)
    return (loss * chosen).sum() / max(int(chosen.sum()), 1)


@torch.no_grad()
def fill_mask(bert, head, tokens, mask_id, k):
    training = bert.training, head.training
    bert.eval(), head.eval()
    segments, mask = torch.zeros_like(tokens)[None], torch.ones_like(tokens, dtype=torch.bool)[None]
    logits = head(bert(tokens[None], segments, mask)[0])
    bert.train(training[0]), head.train(training[1])
    places = (tokens == mask_id).nonzero(as_tuple=True)[0]
    probabilities, ids = F.softmax(logits[0].index_select(0, places), -1).sort(dim=-1, descending=True)
    return ids[:, :k], probabilities[:, :k]


class SequenceClassifier(nn.Module):
    def __init__(self, bert, num_classes):
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(bert.config.dropout)
        self.output_proj = nn.Linear(bert.config.d_model, num_classes)

    def forward(self, tokens, segments=None, mask=None):
        _, pooled = self.bert(tokens, segments=segments, mask=mask)
        return self.output_proj(self.dropout(pooled))
