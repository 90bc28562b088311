"""Compare the reference of stage 7 with Hugging Face's BERT, its training code, and its data with their sources."""

import importlib
import runpy
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from autograder.course.lab import Lab

LAB = Lab.find(Path(__file__).parent)
STAGE = LAB.stage("7_bert")
GIVEN = STAGE.folder / "given"
VOCAB, LENGTH, D_MODEL, HEADS, BLOCKS, D_HIDDEN, SEGMENTS = 17, 9, 12, 3, 2, 20, 3
EXACT = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(scope="module")
def bert():
    """The reference; it imports the references of earlier stages."""
    with pytest.MonkeyPatch.context() as patch:
        for stage in map(LAB.stage, STAGE.spec.needs):
            patch.setitem(sys.modules, stage.spec.module, SimpleNamespace(**runpy.run_path(str(stage.reference))))
        return SimpleNamespace(**runpy.run_path(str(STAGE.reference)))


@pytest.fixture(scope="module")
def given(bert):
    """The given modules on the reference."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "bert", bert)
        patch.syspath_prepend(GIVEN)
        names = ("bert_words", "bert_training")
        modules = [importlib.import_module(name) for name in names]
        yield SimpleNamespace(**{name: getattr(module, name) for module in modules for name in dir(module)})
        for name in names:
            sys.modules.pop(name)


@pytest.fixture(scope="module")
def words(given):
    training, unseen = given.read_sentences(LAB.root / "data" / "translation")
    return SimpleNamespace(training=training, unseen=unseen, vocabulary=given.Words(training))


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def draw(module):
    """Draw each parameter with a seed of its own, in float64."""
    for seed, parameter in enumerate(module.double().parameters()):
        parameter.data = normal(*parameter.shape, seed=100 + seed) / 2
    return module


def their_names(tensors):
    """Return the tensors of a model with its head by Hugging Face's names. Their attention has biases, here zero."""
    found = {}
    renamed = {"embeddings.norm": "embeddings.LayerNorm", "pooler": "pooler.dense"}
    renamed |= {f"embeddings.{ours}": f"embeddings.{theirs}_embeddings" for ours, theirs in
                (("token", "word"), ("position", "position"), ("segment", "token_type"))}  # fmt: skip
    for number in range(BLOCKS):
        ours, theirs = f"blocks.{number}", f"encoder.layer.{number}"
        for name in ("query", "key", "value"):
            renamed[f"{ours}.attention.{name}_proj"] = f"{theirs}.attention.self.{name}"
            found[f"bert.{theirs}.attention.self.{name}.bias"] = torch.zeros(D_MODEL, dtype=torch.float64)
        renamed[f"{ours}.attention.output_proj"] = f"{theirs}.attention.output.dense"
        found[f"bert.{theirs}.attention.output.dense.bias"] = torch.zeros(D_MODEL, dtype=torch.float64)
        renamed[f"{ours}.attention_norm"] = f"{theirs}.attention.output.LayerNorm"
        renamed[f"{ours}.feed_forward.input_proj"] = f"{theirs}.intermediate.dense"
        renamed[f"{ours}.feed_forward.output_proj"] = f"{theirs}.output.dense"
        renamed[f"{ours}.feed_forward_norm"] = f"{theirs}.output.LayerNorm"
    for ours, theirs in renamed.items():
        found |= {
            f"bert.{theirs}.{kind}": tensors[f"{ours}.{kind}"]
            for kind in ("weight", "bias")
            if f"{ours}.{kind}" in tensors
        }
    head = {"dense": "transform.dense", "norm": "transform.LayerNorm"}
    for ours, theirs in head.items():
        found |= {f"cls.predictions.{theirs}.{kind}": tensors[f"head.{ours}.{kind}"] for kind in ("weight", "bias")}
    return found | {"cls.predictions.bias": tensors["head.bias"]}


def their_bert(tensors):
    """Make Hugging Face's model with a pooler and a masked-language head, with these weights and our epsilon."""
    from transformers import BertConfig, BertForPreTraining

    sizes = {"vocab_size": VOCAB, "hidden_size": D_MODEL, "num_hidden_layers": BLOCKS, "num_attention_heads": HEADS}
    config = BertConfig(
        **sizes,
        intermediate_size=D_HIDDEN,
        max_position_embeddings=LENGTH,
        type_vocab_size=SEGMENTS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        layer_norm_eps=1e-5,
        pad_token_id=None,  # the embedding of a padding token would not learn
        attn_implementation="eager",
    )
    model = BertForPreTraining(config).double()
    missing = model.load_state_dict(their_names(tensors), strict=False).missing_keys
    ours_to_make = ("seq_relationship", "decoder", "position_ids")
    assert not [name for name in missing if not any(part in name for part in ours_to_make)]
    return model


def test_the_model_equals_hugging_faces(bert):
    """Hidden states, pooled states, logits, and the gradients of all parameters, to 1e-9 in float64."""
    config = bert.BertConfig(VOCAB, LENGTH, D_MODEL, HEADS, BLOCKS, D_HIDDEN, num_segments=SEGMENTS)
    model = draw(bert.Bert(config))
    head = draw(bert.MaskedLanguageHead(model.embeddings.token))
    tensors = dict(model.named_parameters()) | {f"head.{name}": tensor for name, tensor in head.named_parameters()}
    theirs = their_bert({name: tensor.detach() for name, tensor in tensors.items()})
    tokens = torch.randint(VOCAB, (4, 7), generator=torch.Generator().manual_seed(1))
    segments = torch.randint(SEGMENTS, (4, 7), generator=torch.Generator().manual_seed(2))
    mask = torch.arange(7) < torch.tensor([[7], [5], [1], [6]])
    hidden, pooled = model(tokens, segments, mask)
    logits = head(hidden)
    found = theirs(tokens, mask.long(), segments, output_hidden_states=True)
    assert_close(hidden[mask], found.hidden_states[-1][mask], **EXACT)
    assert_close(logits[mask], found.prediction_logits[mask], **EXACT)
    _, their_pooled = theirs.bert(tokens, mask.long(), segments)[:2]
    assert_close(pooled, their_pooled, **EXACT)
    towards = normal(*logits.shape, seed=5) * mask.unsqueeze(-1), normal(*pooled.shape, seed=6)
    ((logits * towards[0]).sum() + (pooled * towards[1]).sum()).backward()
    ((found.prediction_logits * towards[0]).sum() + (their_pooled * towards[1]).sum()).backward()
    reached = dict(theirs.named_parameters())
    for name, gradient in their_names({name: tensor.grad for name, tensor in tensors.items()}).items():
        if name in reached and not name.endswith(
            ("query.bias", "key.bias", "value.bias", "attention.output.dense.bias")
        ):
            assert_close(gradient, reached[name].grad, **EXACT, msg=name)


def test_the_loss_equals_pytorchs(bert):
    logits = normal(3, 5, VOCAB, seed=1).requires_grad_()
    labels = torch.randint(VOCAB, (3, 5), generator=torch.Generator().manual_seed(2))
    labels[:, ::2] = -100
    expected = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels)
    assert_close(bert.masked_language_loss(logits, labels), expected, **EXACT)


def test_masking_has_the_shares_of_the_paper(bert):
    """On 400,000 tokens each share is within 6 standard deviations."""
    tokens = torch.randint(5, 105, (4000, 100), generator=torch.Generator().manual_seed(1))
    inputs, labels = bert.mask_tokens(tokens, 105, 4, [0, 1, 2, 3], torch.Generator().manual_seed(2))
    chosen = labels != -100
    count = int(chosen.sum())
    assert abs(count / tokens.numel() - 0.15) < 6 * (0.15 * 0.85 / tokens.numel()) ** 0.5
    shares = {"masked": (inputs == 4)[chosen], "same": (inputs == tokens)[chosen]}
    for name, expected in (("masked", 0.8), ("same", 0.1 + 0.1 / 100)):
        assert abs(shares[name].double().mean() - expected) < 6 * (expected * (1 - expected) / count) ** 0.5


def test_each_noun_of_the_grammar_has_a_kind(given):
    lexicon = runpy.run_path(str(LAB.root / "data" / "translation" / "lexicon.py"))
    kinds = {"adult": "person", "child": "person", "food": "thing", "tree": "thing"}
    expected = {f"{noun.english} {noun.english_plural}": kinds.get(noun.kind, noun.kind) for noun in lexicon["NOUNS"]}
    assert {noun: kind for kind, nouns in given.KINDS.items() for noun in nouns} == expected


def test_the_classification_task_shares_no_noun_and_is_balanced(given, words):
    sentences = words.training + words.unseen
    known, others = given.kind_task(sentences, words.vocabulary, 200, torch.Generator().manual_seed(3))
    nouns = {word: noun for pairs in given.KINDS.values() for noun in pairs for word in noun.split()}
    found = []
    for tokens, classes in (known, others):
        assert len(set(Counter(classes.tolist()).values())) == 1
        texts = [words.vocabulary.decode(row).replace("'s", "") for row in tokens]
        found.append({nouns[word] for text in texts for word in text.split() if word in nouns})
    assert len(known[0]) == 200
    assert len(others[0]) > 500
    assert not found[0] & found[1]


def test_counting_fills_masks_by_both_neighbours(given, words):
    tokens = words.vocabulary.encode(["the cat sees the dog", "the cat sees a dog", "the cat sees the dog"])
    counts = given.NeighbourCounts(tokens)
    hidden = tokens[:1].clone()
    hidden[0, 4] = given.MASK
    assert words.vocabulary.decode(counts.predict(hidden)[0]) == "the cat sees the dog"


def test_the_checkpoint_fills_masks_and_belongs_to_the_code(bert, given, words):
    """The bundled weights load by name, without a name too many, and fill masks as the sheet says."""
    model, head = given.pre_trained(len(words.vocabulary))
    weights = load_file(GIVEN / "bert.safetensors")
    for part, module in (("bert", model), ("head", head)):
        module.load_state_dict(
            {name[len(part) + 1 :]: tensor for name, tensor in weights.items() if name.startswith(part)}
        )
    tokens = words.vocabulary.encode(words.unseen)
    reached = given.masked_accuracy(given.most_likely(model, head), tokens, repeats=1)
    assert reached >= STAGE.spec.targets["least_masks_filled"]
    assert (GIVEN / "bert.safetensors").stat().st_size < 5_000_000


@pytest.mark.slow
def test_pre_training_learns_from_the_first_steps(bert, given, words):
    """60 steps bring the loss from ln(vocabulary) to well below it."""
    torch.manual_seed(0)
    model, head = given.new_model(len(words.vocabulary))
    tokens = words.vocabulary.encode(words.training)
    losses = list(given.pre_train(model, head, tokens, torch.Generator().manual_seed(0), steps=60))
    assert abs(losses[0] - torch.tensor(float(len(words.vocabulary))).log()) < 0.3
    assert sum(losses[-10:]) / 10 < losses[0] - 0.8
