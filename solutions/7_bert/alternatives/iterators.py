"""Stage 7 with classes and generators of Python: iterators, a lookup of ways, and a model built from a function."""

from dataclasses import dataclass
from functools import reduce
from itertools import chain, repeat

import torch
from torch import nn
from torch.nn.functional import dropout, embedding, gelu, layer_norm, linear, log_softmax
from transformer import EncoderBlock, LayerNorm


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


class Dice:
    def __init__(self, generator):
        self.generator = generator

    def below(self, count):
        return torch.randint(count, (1,), generator=self.generator).item()

    def numbers(self, shape):
        return torch.empty(shape).uniform_(generator=self.generator)


def mask_tokens(tokens, vocab_size, mask_id, special_ids, generator, rate=0.15):
    dice = Dice(generator)
    special = set(special_ids) | {mask_id}
    words = torch.tensor(sorted(set(range(vocab_size)) - special))
    protected = reduce(torch.logical_or, [tokens == number for number in special])
    chosen = (dice.numbers(tokens.shape) < rate) & ~protected
    # Ten equally likely ways: eight are the mask, one a random token, one the token itself.
    way = torch.randint(10, tokens.shape, generator=generator)
    random = words[(dice.numbers(tokens.shape) * len(words)).long().clamp(max=len(words) - 1)]
    ways = torch.stack([torch.full_like(tokens, mask_id), random, tokens])
    replaced = ways.gather(0, (way - 7).clamp(min=0)[None])[0]
    return torch.where(chosen, replaced, tokens), torch.where(chosen, tokens, torch.full_like(tokens, -100))


def pack_pair(first, second, cls_id, sep_id, pad_id, length):
    if length < 3:
        raise ValueError("length")
    kept = [0, 0]
    sizes = (len(first), len(second))
    for _ in range(min(length - 3, sum(sizes))):  # give room in turn, first to the first
        open_texts = [number for number in (0, 1) if kept[number] < sizes[number]]
        kept[min(open_texts, key=lambda number: (kept[number], number))] += 1
    texts = [text[:size].tolist() for text, size in zip((first, second), kept, strict=True)]
    real = [(cls_id, 0), *zip(texts[0], repeat(0)), (sep_id, 0), *zip(texts[1], repeat(1)), (sep_id, 1)]
    rows = [(token, segment, 1) for token, segment in real]
    rows += repeat((pad_id, 0, 0), length - len(rows))
    tokens, segments, mask = torch.tensor(rows, dtype=torch.int64, device=first.device).unbind(1)
    return tokens, segments, mask == 1


def sentence_pairs(documents, generator):
    if len(documents) < 2:
        raise ValueError("two documents at least")
    dice = Dice(generator)

    def of_document(number):
        document = documents[number]
        for place, sentence in enumerate(document[:-1]):
            if dice.below(1000) < 500:
                yield sentence, document[place + 1], 1
                continue
            other = dice.below(len(documents) - 1)
            other += other >= number
            yield sentence, documents[other][dice.below(len(documents[other]))], 0

    return list(chain.from_iterable(map(of_document, range(len(documents)))))


class BertEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.token, self.position, self.segment = (
            nn.Embedding(size, config.d_model) for size in (config.vocab_size, config.max_length, config.num_segments)
        )
        self.norm = LayerNorm(config.d_model)
        self.rate = config.dropout

    def forward(self, tokens, segments=None):
        x = embedding(tokens, self.token.weight)
        x = x + self.position.weight.narrow(0, 0, tokens.size(-1))
        x = x + (self.segment.weight[:1] if segments is None else embedding(segments, self.segment.weight))
        x = layer_norm(x, x.shape[-1:], self.norm.weight, self.norm.bias)
        return dropout(x, self.rate, training=self.training)


class Bert(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.sizes = config
        self.embeddings = BertEmbeddings(config)
        sizes = (config.d_model, config.num_heads, config.d_hidden, config.dropout, False)
        self.blocks = nn.ModuleList(EncoderBlock(*sizes) for _ in range(config.num_blocks))
        self.pooler = nn.Linear(config.d_model, config.d_model)

    def forward(self, tokens, segments=None, mask=None):
        readable = tokens.new_ones(tokens.shape).bool() if mask is None else mask
        hidden = reduce(
            lambda x, block: block(x, mask=readable[:, None, :]), self.blocks, self.embeddings(tokens, segments)
        )
        cls, *_ = hidden.unbind(1)
        return hidden, torch.tanh(linear(cls, self.pooler.weight, self.pooler.bias))


class MaskedLanguageHead(nn.Module):
    def __init__(self, token_embedding):
        super().__init__()
        size = token_embedding.weight.size(1)
        self.dense = nn.Linear(size, size)
        self.norm = LayerNorm(size)
        self.bias = nn.Parameter(token_embedding.weight.new_zeros(token_embedding.weight.size(0)))
        self.weight_of = lambda: token_embedding.weight

    def forward(self, hidden):
        return linear(self.norm(gelu(self.dense(hidden))), self.weight_of(), self.bias)


def masked_language_loss(logits, labels):
    places = (labels != -100).nonzero()
    if not len(places):
        return torch.zeros((), dtype=logits.dtype, device=logits.device)
    rows, columns = places.T
    return -log_softmax(logits[rows, columns], -1)[range(len(places)), labels[rows, columns]].mean()


def fill_mask(bert, head, tokens, mask_id, k):
    with torch.inference_mode():
        probabilities = (
            head(bert(tokens[None, :])[0])[0]
            .double()
            .softmax(1)
            .to(head.bias.dtype if hasattr(head, "bias") else torch.float64)
        )
        best = probabilities[tokens == mask_id].topk(k)
    return best.indices.clone(), best.values.clone()


class SequenceClassifier(nn.Module):
    def __init__(self, bert, num_classes):
        super().__init__()
        self.bert, self.output_proj = bert, nn.Linear(bert.sizes.d_model, num_classes)

    def forward(self, tokens, segments=None, mask=None):
        return linear(self.bert(tokens, segments, mask)[1], self.output_proj.weight, self.output_proj.bias)
