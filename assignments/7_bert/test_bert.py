"""Public tests: small cases computed by hand. Change them and add your own."""

import math

import bert
import pytest
import torch
from torch import nn
from torch.nn import functional

PAD, CLS, SEP, MASK = 0, 1, 2, 3
TOKENS = torch.tensor([[1, 5, 7, 6, 2], [1, 8, 2, 0, 0]])


def close(actual, expected, tolerance=1e-5):
    actual = torch.as_tensor(actual)
    return torch.allclose(actual, torch.as_tensor(expected, dtype=actual.dtype), atol=tolerance)


def tiny(**options):
    """Make a model with 9 tokens, at most 6 positions and two blocks."""
    torch.manual_seed(0)
    return bert.Bert(bert.BertConfig(9, 6, 8, 2, 2, 16, **options)).eval()


def hide(rate=0.15, seed=0, vocab=9, rows=200):
    """Hide tokens of a large batch: [CLS], ten words from 4 on, [SEP], [PAD]."""
    words = torch.randint(4, vocab, (rows, 10), generator=torch.Generator().manual_seed(1))
    ends = [torch.full((rows, 1), token) for token in (CLS, SEP, PAD)]
    tokens = torch.cat([ends[0], words, *ends[1:]], dim=1)
    generator = torch.Generator().manual_seed(seed)
    inputs, labels = bert.mask_tokens(tokens, vocab, MASK, [PAD, CLS, SEP], generator, rate)
    return tokens, inputs, labels


def test_mask_tokens_rate():
    _, _, labels = hide(rate=0.3)
    share = (labels != -100).float().sum() / (200 * 10)
    assert 0.24 < share < 0.36, f"30 % of the words must have a label, not {share:.0%}"


def test_mask_tokens_labels():
    tokens, inputs, labels = hide(rate=0.5)
    chosen = labels != -100
    assert torch.equal(labels[chosen], tokens[chosen]), "a label is the token before it was hidden"
    assert torch.equal(inputs[~chosen], tokens[~chosen]), "a token without a label stays as it is"
    assert (inputs[chosen] == tokens[chosen]).any(), "some chosen tokens stay as they are, and still have a label"


def test_mask_tokens_special():
    tokens, inputs, labels = hide(rate=0.9)
    special = tokens <= MASK
    assert (labels[special] == -100).all(), "special tokens are never chosen"
    assert torch.equal(inputs[special], tokens[special]), "special tokens stay as they are"


def test_mask_tokens_divides():
    tokens, inputs, labels = hide(rate=0.9, vocab=60, rows=400)
    chosen = labels != -100
    masked = (inputs == MASK)[chosen].float().mean()
    same = (inputs == tokens)[chosen].float().mean()
    assert 0.75 < masked < 0.85, f"80 % of the chosen become the mask, not {masked:.0%}"
    assert 0.06 < same < 0.16, f"10 % of the chosen stay as they are, not {same:.0%}"
    assert 0.06 < 1 - masked - same < 0.14, f"10 % become another token, not {1 - masked - same:.0%}"
    assert (inputs[chosen] >= MASK).all(), "a random token is a word, not a special token"


def test_mask_tokens_generator():
    torch.manual_seed(0)
    first = hide(seed=5)[1]
    torch.manual_seed(1)
    assert torch.equal(first, hide(seed=5)[1]), "the same generator gives the same result"
    assert not torch.equal(first, hide(seed=6)[1]), "another generator gives another result"


def test_pack_pair_with_padding():
    tokens, segments, mask = bert.pack_pair(torch.tensor([5, 6]), torch.tensor([7]), CLS, SEP, PAD, 8)
    assert tokens.tolist() == [1, 5, 6, 2, 7, 2, 0, 0]
    assert segments.tolist() == [0, 0, 0, 0, 1, 1, 0, 0], "the first [SEP] belongs to the first text"
    assert mask.tolist() == [True] * 6 + [False] * 2


def test_pack_pair_cuts():
    tokens, segments, _ = bert.pack_pair(torch.tensor([4, 5, 6, 7]), torch.tensor([8, 7]), CLS, SEP, PAD, 6)
    assert tokens.tolist() == [1, 4, 5, 2, 8, 2], "4 + 2 tokens, room for 3: first 4 → 2, then 2 → 1"
    assert segments.tolist() == [0, 0, 0, 0, 1, 1]


def test_pack_pair_refuses():
    with pytest.raises(ValueError):
        bert.pack_pair(torch.tensor([5]), torch.tensor([6]), CLS, SEP, PAD, 2)


def test_sentence_pairs():
    documents = [[(number, place) for place in range(40)] for number in range(4)]
    pairs = bert.sentence_pairs(documents, torch.Generator().manual_seed(0))
    for first, second, label in pairs:
        if label == 1:
            assert second == (first[0], first[1] + 1), "label 1: the second follows the first"
        else:
            assert second[0] != first[0], "label 0: the second is from another document"
    share = sum(label for *_, label in pairs) / len(pairs)
    assert 0.3 < share < 0.7, f"about half of the pairs are true, not {share:.0%}"


def test_sentence_pairs_refuse():
    with pytest.raises(ValueError):
        bert.sentence_pairs([[1, 2, 3]], torch.Generator())


def test_embeddings_by_hand():
    made = bert.BertEmbeddings(bert.BertConfig(9, 6, 2, 1, 1, 4))
    with torch.no_grad():
        made.token.weight.zero_()[5] = torch.tensor([3.0, 0.0])
        made.position.weight.zero_()[1] = torch.tensor([0.0, 9.0])
        made.segment.weight.zero_()[1] = torch.tensor([0.0, -8.0])
    found = made(torch.tensor([[5, 5]]), torch.tensor([[0, 1]]))
    assert close(found, [[[1.0, -1.0], [1.0, -1.0]]], 1e-3), "(3, 0) and (3, 9 − 8), both normalised"
    assert close(made(torch.tensor([[5, 5]])), [[[1.0, -1.0], [-1.0, 1.0]]], 1e-3), "(3, 0) and (3, 9), segment 0"


def test_model_shapes():
    hidden, pooled = tiny()(TOKENS)
    assert hidden.shape == (2, 5, 8)
    assert pooled.shape == (2, 8)


def test_model_is_post_norm():
    hidden, _ = tiny()(TOKENS)
    assert close(hidden.mean(-1), torch.zeros(2, 5), 1e-4), "the last operation of a post-norm block is its norm"


def test_model_pools_the_first_position():
    model = tiny()
    hidden, pooled = model(TOKENS)
    assert close(pooled, torch.tanh(model.pooler(hidden[:, 0])))


def test_model_reads_both_ways():
    model, other = tiny(), TOKENS.clone()
    other[0, 4] = 8
    assert not close(model(other)[0][0, 0], model(TOKENS)[0][0, 0]), "the last token must change the first position"


def test_model_passes_over_padding():
    model, other, mask = tiny(), TOKENS.clone(), TOKENS != PAD
    other[1, 3:] = 7
    assert close(model(other, mask=mask)[0][mask], model(TOKENS, mask=mask)[0][mask]), "padding changes nothing"


def test_model_reads_segments():
    segments = torch.tensor([[0, 0, 0, 1, 1]] * 2)
    assert not close(tiny()(TOKENS, segments)[0], tiny()(TOKENS)[0]), "the segments reach the embeddings"


def test_head_by_hand():
    embedding = nn.Embedding(9, 8)
    head, hidden = bert.MaskedLanguageHead(embedding), torch.randn(2, 5, 8)
    with torch.no_grad():
        head.bias += torch.arange(9.0)
    expected = head.norm(functional.gelu(head.dense(hidden))) @ embedding.weight.T + head.bias
    assert close(head(hidden), expected, 1e-4), "norm(gelu(dense(hidden))) times the embedding, plus the bias"


def test_head_is_tied():
    embedding = nn.Embedding(9, 8)
    head = bert.MaskedLanguageHead(embedding)
    with torch.no_grad():
        embedding.weight.zero_()
    assert close(head(torch.randn(1, 2, 8)), torch.zeros(1, 2, 9)), "the head uses the embedding itself, not a copy"


def test_loss_by_hand():
    logits = torch.tensor([[[math.log(3.0), 0.0], [5.0, 0.0]]])  # 3 : 1, and a row that was not chosen
    assert close(bert.masked_language_loss(logits, torch.tensor([[1, -100]])), math.log(4)), "−ln 1/4, and nothing else"


def test_loss_of_nothing():
    assert close(bert.masked_language_loss(torch.ones(1, 2, 3), torch.full((1, 2), -100)), 0.0)


def test_loss_of_large_logits():
    assert close(bert.masked_language_loss(torch.tensor([[[1000.0, 0.0]]]), torch.tensor([[1]])), 1000.0)


def test_fill_mask():
    model = tiny()
    head = bert.MaskedLanguageHead(model.embeddings.token).eval()
    tokens = torch.tensor([1, 3, 5, 3, 2])
    ids, probabilities = bert.fill_mask(model, head, tokens, MASK, 4)
    assert ids.shape == probabilities.shape == (2, 4), "two masks, four predictions each"
    every = head(model(tokens[None])[0])[0].softmax(-1)
    for row, place in enumerate((1, 3)):
        assert close(probabilities[row], every[place, ids[row]]), "the softmax is over the whole vocabulary"
        assert close(probabilities[row], every[place].sort(descending=True).values[:4]), "the most likely comes first"


def test_classifier():
    model = tiny()
    classifier = bert.SequenceClassifier(model, 3).eval()
    assert classifier.bert is model, "fine-tuning trains the model itself"
    mask = TOKENS != PAD
    logits = classifier(TOKENS, mask=mask)
    assert logits.shape == (2, 3)
    assert close(logits, classifier.output_proj(model(TOKENS, mask=mask)[1])), "the pooled state, with the mask"


def test_classifier_learns_in_the_model():
    model = tiny()
    bert.SequenceClassifier(model, 3)(TOKENS).sum().backward()
    assert model.embeddings.token.weight.grad is not None, "the gradient must reach the model"
