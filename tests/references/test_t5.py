"""Compare the reference of stage 8 with the Hugging Face T5, and its spans with T5's own algorithm."""

import random
import runpy
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from autograder.course.lab import Lab

LAB = Lab.find(Path(__file__).parent)
EXACT = {"rtol": 1e-9, "atol": 1e-9}
VOCAB, D_MODEL, HEADS, BLOCKS, D_HIDDEN, BUCKETS, DISTANCE = 17, 12, 3, 3, 20, 8, 10
# Our name of each attention and each linear → Hugging Face's name.
LINEARS = {"query_proj": "q", "key_proj": "k", "value_proj": "v", "output_proj": "o"}


@pytest.fixture(scope="module")
def t5():
    """The reference; it imports the references of earlier stages."""
    with pytest.MonkeyPatch.context() as patch:
        for stage in ("2_attention", "3_multihead", "4_positions", "5_transformer"):
            found = SimpleNamespace(**runpy.run_path(str(LAB.stage(stage).reference)))
            patch.setitem(sys.modules, LAB.stage(stage).spec.module, found)
        yield SimpleNamespace(**runpy.run_path(str(LAB.stage("8_t5").reference)), transformer=found)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def randomised(module):
    """Return the module in float64; a separate seed draws each parameter."""
    module = module.double()
    for seed, parameter in enumerate(module.parameters()):
        parameter.data = normal(*parameter.shape, seed=100 + seed) / 2
    return module


def gradients_of(module):
    return {name: parameter.grad for name, parameter in module.named_parameters()}


# --- Spans -----------------------------------------------------------------------------------------------------------


def spans_of_t5(length, generator, rate, mean_span):
    """Draw a mask with T5's algorithm: shuffled marks divide the tokens of each kind into segments."""
    noise = min(max(round(length * rate), 1), length - 1)
    count = max(round(noise / mean_span), 1)

    def segments(items):
        marks = [True] * (count - 1) + [False] * (items - count)
        generator.shuffle(marks)
        lengths = [1]
        for mark in marks:
            lengths = [*lengths, 1] if mark else [*lengths[:-1], lengths[-1] + 1]
        return lengths

    mask = []
    for kept, masked in zip(segments(length - noise), segments(noise), strict=True):
        mask += [False] * kept + [True] * masked
    return mask


@pytest.mark.parametrize(("length", "rate", "mean_span"), [(9, 0.5, 2.0), (11, 0.3, 1.5), (12, 0.15, 3.0)])
def test_spans_have_the_distribution_of_t5(t5, length, rate, mean_span):
    """Every mask is as frequent as with T5's algorithm: a two-sample chi-squared statistic."""
    draws = 2000
    generator, other = torch.Generator().manual_seed(1), random.Random(1)
    ours = Counter(tuple(t5.random_spans(length, generator, rate, mean_span).tolist()) for _ in range(draws))
    theirs = Counter(tuple(spans_of_t5(length, other, rate, mean_span)) for _ in range(draws))
    assert ours.keys() == theirs.keys()
    statistic = sum((ours[mask] - theirs[mask]) ** 2 / (ours[mask] + theirs[mask]) for mask in ours)
    freedom = len(ours) - 1
    assert statistic < freedom + 7 * (2 * freedom) ** 0.5 + 7


@pytest.mark.parametrize("mean_span", [1.0, 2.3, 3.0, 10.0])
@pytest.mark.parametrize("rate", [0.0, 0.15, 0.5, 0.8, 1.0])
def test_spans_have_the_statistics_of_t5(t5, rate, mean_span):
    generator = torch.Generator().manual_seed(2)
    for length in (2, 3, 10, 57, 114, 512):
        mask = t5.random_spans(length, generator, rate, mean_span)
        masked = min(max(round(length * rate), 1), length - 1)
        starts = mask & ~torch.cat((torch.tensor([False]), mask[:-1]))
        assert mask.dtype is torch.bool
        assert int(mask.sum()) == masked
        assert int(starts.sum()) == min(max(round(masked / mean_span), 1), masked, length - masked)
        assert not mask[0]


def test_restoring_inverts_corruption_in_10_000_cases(t5):
    """Texts of any length with any mask; they contain the end and 0, but no sentinel."""
    draw = random.Random(3)
    for _ in range(10_000):
        length, vocab = draw.randrange(0, 25), draw.choice([2, 3, 60])
        sentinels = draw.sample(range(100, 200), 14)
        tokens = torch.tensor([draw.randrange(vocab) for _ in range(length)], dtype=torch.int64)
        share = draw.random()
        spans = torch.tensor([draw.random() < share for _ in range(length)], dtype=torch.bool)
        end = draw.randrange(3)
        inputs, targets = t5.corrupt_spans(tokens, spans, sentinels, end)
        assert t5.restore_spans(inputs, targets, sentinels, end).tolist() == tokens.tolist()
        assert len(inputs) + len(targets) == length + 2 * sum(token in sentinels for token in inputs.tolist()) + 3


def test_the_example_of_the_docstring(t5):
    inputs, targets = t5.corrupt_spans(torch.arange(2, 7), torch.tensor([0, 1, 1, 0, 0]).bool(), [9, 8], 1)
    assert (inputs.tolist(), targets.tolist()) == ([2, 9, 5, 6, 1], [9, 3, 4, 8, 1])


# --- Positions -------------------------------------------------------------------------------------------------------


@pytest.mark.slow  # the import of transformers takes seconds
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (16, 64), (64, 256), (8, 20), (10, 13), (32, 40)])
def test_buckets_are_those_of_hugging_face(t5, bidirectional, num_buckets, max_distance):
    from transformers.models.t5.modeling_t5 import T5Attention

    positions = torch.arange(300)[None, :] - torch.arange(300)[:, None]
    options = {"bidirectional": bidirectional, "num_buckets": num_buckets, "max_distance": max_distance}
    expected = T5Attention._relative_position_bucket(positions, **options)
    assert torch.equal(t5.relative_position_bucket(positions, **options), expected)


@pytest.mark.slow  # the import of transformers takes seconds
@pytest.mark.parametrize("is_decoder", [True, False])
def test_the_bias_is_that_of_hugging_face(t5, is_decoder):
    from transformers.models.t5.configuration_t5 import T5Config
    from transformers.models.t5.modeling_t5 import T5Attention

    config = T5Config(
        d_model=D_MODEL, d_kv=4, num_heads=HEADS, is_decoder=is_decoder,
        relative_attention_num_buckets=BUCKETS, relative_attention_max_distance=DISTANCE,
    )  # fmt: skip
    theirs = T5Attention(config, has_relative_attention_bias=True).double()
    ours = randomised(t5.RelativePositionBias(HEADS, BUCKETS, DISTANCE, bidirectional=not is_decoder))
    theirs.relative_attention_bias.weight.data = ours.weight.data.clone()
    assert_close(ours(13, 17), theirs.compute_bias(13, 17)[0], **EXACT)


# --- The model -------------------------------------------------------------------------------------------------------


def hugging_face(t5, ours):
    """Return a Hugging Face T5 with our weights.

    Stage 5's feed-forward layers replace its own, which have no biases, and PyTorch's norms its own, which compute in
    float32.
    """
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=VOCAB, d_model=D_MODEL, d_kv=D_MODEL // HEADS, d_ff=D_HIDDEN, num_layers=BLOCKS, num_heads=HEADS,
        relative_attention_num_buckets=BUCKETS, relative_attention_max_distance=DISTANCE, dropout_rate=0.0,
        tie_word_embeddings=True, use_cache=False, attn_implementation="eager",
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).double().eval()
    for stack in (model.encoder, model.decoder):
        stack.final_layer_norm = nn.RMSNorm(D_MODEL, 1e-6, dtype=torch.float64)
        for block in stack.block:
            for layer in block.layer:
                layer.layer_norm = nn.RMSNorm(D_MODEL, 1e-6, dtype=torch.float64)
            block.layer[-1].DenseReluDense = t5.transformer.FeedForward(D_MODEL, D_HIDDEN).double()
    state = renamed(ours.state_dict())
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert set(missing) <= {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}
    model.tie_weights()
    return model


def renamed(tensors):
    """Return our tensors by Hugging Face's names."""
    found = {"shared.weight": tensors["embedding.weight"]}
    for stack, parts in (("encoder", ["attention"]), ("decoder", ["self_attention", "cross_attention"])):
        bias = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        found[bias] = tensors[f"{stack}.position_bias.weight"]
        found[f"{stack}.final_layer_norm.weight"] = tensors[f"{stack}.norm.weight"]
        for block in range(BLOCKS):
            for layer, part in enumerate([*parts, "feed_forward"]):
                ours, theirs = f"{stack}.blocks.{block}", f"{stack}.block.{block}.layer.{layer}"
                found[f"{theirs}.layer_norm.weight"] = tensors[f"{ours}.{part}_norm.weight"]
                kind = "EncDecAttention" if part == "cross_attention" else "SelfAttention"
                for linear, name in LINEARS.items() if part != "feed_forward" else ():
                    found[f"{theirs}.{kind}.{name}.weight"] = tensors[f"{ours}.{part}.{linear}.weight"]
                for name in tensors:
                    if part == "feed_forward" and name.startswith(f"{ours}.feed_forward."):
                        found[name.replace(f"{ours}.feed_forward", f"{theirs}.DenseReluDense")] = tensors[name]
    return found


@pytest.mark.slow  # the import of transformers takes seconds
def test_the_model_is_that_of_hugging_face(t5):
    """Hidden states, logits and the gradient of every parameter agree, with padding in the source."""
    config = t5.T5Config(VOCAB, D_MODEL, HEADS, BLOCKS, D_HIDDEN, BUCKETS, DISTANCE, pad_id=0)
    ours = randomised(t5.T5(config))
    theirs = hugging_face(t5, ours)
    generator = torch.Generator().manual_seed(4)
    source = torch.randint(1, VOCAB, (3, 14), generator=generator)
    source[0, 9:] = source[1, 4:] = 0
    target = torch.randint(0, VOCAB, (3, 11), generator=generator)  # it contains the id of the padding
    target[:, 0] = 0
    hidden = []
    for module in (ours.encoder.norm, ours.decoder.norm):
        module.register_forward_hook(lambda module, inputs, output: hidden.append(output))
    logits = ours(source, target)
    mask = (source != 0).long()
    expected = theirs(input_ids=source, attention_mask=mask, decoder_input_ids=target, output_hidden_states=True)
    real = source != 0
    assert_close(hidden[0][real], expected.encoder_last_hidden_state[real], **EXACT)
    assert_close(hidden[1], expected.decoder_hidden_states[-1], **EXACT)
    assert_close(logits, expected.logits, **EXACT)
    upstream = normal(*logits.shape, seed=5)
    logits.backward(upstream)
    expected.logits.backward(upstream)
    found = gradients_of(theirs)
    for name, gradient in renamed(gradients_of(ours)).items():
        assert_close(gradient, found[name], **EXACT, msg=lambda text, name=name: f"{name}: {text}")


def test_the_attention_is_that_of_hugging_face_where_nothing_may_be_seen(t5):
    """A source of nothing but padding gives zeros in cross-attention, and so the decoder's own words only."""
    config = t5.T5Config(VOCAB, D_MODEL, HEADS, BLOCKS, D_HIDDEN, BUCKETS, DISTANCE, pad_id=0)
    ours = randomised(t5.T5(config))
    target = torch.randint(0, VOCAB, (2, 5), generator=torch.Generator().manual_seed(6))
    empty, other = (
        ours(torch.zeros(2, 4, dtype=torch.int64), target),
        ours(torch.zeros(2, 9, dtype=torch.int64), target),
    )
    assert torch.isfinite(empty).all()
    assert_close(empty, other, **EXACT)


# --- The inflections -------------------------------------------------------------------------------------------------

INFLECTIONS = LAB.root / "data" / "inflections"


def rows_of(part):
    lines = (INFLECTIONS / f"{part}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]


def test_inflections_are_split_by_lemma():
    train, unseen = rows_of("train"), rows_of("unseen")
    readme = (INFLECTIONS / "README.md").read_text(encoding="utf-8")
    irregular = sum(regular == "0" for *_, regular in unseen)
    assert f"{len(train):,} inflections".replace(",", " ") in readme
    assert f"{len(unseen):,} for evaluation".replace(",", " ") in readme
    assert f"{irregular} are\nirregular" in readme
    assert not {lemma for _, lemma, *_ in train} & {lemma for _, lemma, *_ in unseen}
    assert set("".join(form for _, _, form, _ in unseen)) <= set("".join(form for _, _, form, _ in train))


def test_an_inflection_is_regular_if_its_ending_is():
    prepare = SimpleNamespace(**runpy.run_path(str(INFLECTIONS / "prepare.py")))
    for part in ("train", "unseen"):
        for task, lemma, form, regular in rows_of(part):
            assert prepare.is_regular(task, lemma, form) == (regular == "1")
    for regular in ("plural baby babies", "plural box boxes", "past stop stopped", "past love loved", "past try tried"):
        assert prepare.is_regular(*regular.split())
    for irregular in ("plural knife knives", "plural man men", "past go went", "past send sent", "past pay paid"):
        assert not prepare.is_regular(*irregular.split())


def test_inflections_are_chosen_from_a_dictionary():
    prepare = SimpleNamespace(**runpy.run_path(str(INFLECTIONS / "prepare.py")))
    rows = [
        ["cat", "noun", "cats"], ["Ann", "noun", "Anns"], ["sheep", "noun", "sheep"], ["fish", "noun", "fishes/fish"],
        ["go", "verb", "went", "gone"], ["stop", "verb", "stopped", "", "stopping"], ["big", "adj", "bigger"],
    ]  # fmt: skip
    assert prepare.inflections(rows) == [("plural", "cat", "cats"), ("past", "stop", "stopped")]
