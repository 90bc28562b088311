"""Public tests: small cases computed by hand. Change them and add your own."""

import math

import pytest
import t5
import torch
from torch import nn

END, SENTINELS = 1, [99, 98, 97, 96]
TEXT = torch.tensor([10, 11, 12, 13, 14])


def close(actual, expected, atol=1e-5):
    return torch.allclose(actual, torch.as_tensor(expected, dtype=actual.dtype), atol=atol)


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def mask(pattern):
    """`.##.` as a mask."""
    return torch.tensor([character == "#" for character in pattern], dtype=torch.bool)


# --- random_spans


def runs(spans):
    """How many runs of True there are."""
    return sum(now and not before for before, now in zip([False, *spans.tolist()], spans.tolist(), strict=False))


@pytest.mark.parametrize(
    ("length", "options", "masked", "count"),
    [
        (20, {}, 3, 1),  # 15 % of 20 is 3, and 3 / 3 is 1
        (100, {}, 15, 5),
        (512, {}, 77, 26),
        (12, {"rate": 0.5, "mean_span": 2.0}, 6, 3),
        (10, {"rate": 0.0}, 1, 1),  # at least one token is masked
        (10, {"rate": 1.0}, 9, 1),  # and one is kept
        (10, {"rate": 0.8, "mean_span": 1.0}, 8, 2),  # two kept tokens leave room for two spans
        (10, {"rate": 0.25}, 2, 1),  # round(2.5) is 2
        (2, {}, 1, 1),
    ],
)
def test_random_spans_have_exact_numbers(length, options, masked, count):
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        spans = t5.random_spans(length, generator, **options)
        assert spans.dtype == torch.bool, "the mask holds bools"
        assert spans.shape == (length,), "the mask has one entry for each token"
        assert int(spans.sum()) == masked, f"{masked} of {length} tokens are masked, in every draw"
        assert runs(spans) == count, f"there are {count} spans, in every draw: they are neither empty nor do they touch"
        assert not spans[0], "the first token is never masked"


def test_random_spans_are_random():
    generator = torch.Generator().manual_seed(0)
    drawn = {tuple(t5.random_spans(40, generator, rate=0.3, mean_span=4.0).tolist()) for _ in range(50)}
    assert len(drawn) > 25, "two draws are hardly ever equal"
    longest = {max(map(len, "".join(".#"[hidden] for hidden in draw).split("."))) for draw in drawn}
    assert len(longest) > 2, "spans have different lengths"


def test_random_spans_repeat_with_the_generator():
    first, again = (t5.random_spans(60, torch.Generator().manual_seed(5), rate=0.4) for _ in range(2))
    assert first.equal(again), "a generator with the same seed gives the same spans"


def test_random_spans_refuse_a_single_token():
    with pytest.raises(ValueError):
        t5.random_spans(1, None)


# --- corrupt_spans and restore_spans


def test_corrupt_spans_by_hand():
    inputs, targets = t5.corrupt_spans(TEXT, mask(".##.."), SENTINELS, END)
    assert inputs.tolist() == [10, 99, 13, 14, END], "the first sentinel stands for the span, and the end comes last"
    assert targets.tolist() == [99, 11, 12, 98, END], "the sentinel, its span, the next sentinel, the end"


def test_corrupt_spans_with_two_spans():
    inputs, targets = t5.corrupt_spans(TEXT, mask("#.#.#"), SENTINELS, END)
    assert inputs.tolist() == [99, 11, 98, 13, 97, END], "each span has its own sentinel, in their order"
    assert targets.tolist() == [99, 10, 98, 12, 97, 14, 96, END], "each sentinel is followed by its span"


def test_corrupt_spans_uses_the_given_sentinels():
    inputs, _ = t5.corrupt_spans(TEXT, mask(".#.#."), [50, 70, 60], END)
    assert inputs.tolist() == [10, 50, 12, 70, 14, END], "sentinels come in the order of the list"


def test_corrupt_spans_without_spans():
    inputs, targets = t5.corrupt_spans(TEXT, mask("....."), SENTINELS, END)
    assert inputs.tolist() == [*TEXT.tolist(), END], "nothing is replaced"
    assert targets.tolist() == [99, END], "one sentinel and the end"


def test_corrupt_spans_refuses_sentinels_in_the_text():
    with pytest.raises(ValueError):
        t5.corrupt_spans(torch.tensor([10, 98]), mask(".#"), SENTINELS, END)


def test_corrupt_spans_refuses_too_few_sentinels():
    with pytest.raises(ValueError):
        t5.corrupt_spans(TEXT, mask("#.#.#"), SENTINELS[:3], END)


@pytest.mark.parametrize("pattern", [".##..", "#####", ".....", "#.#.#", "##..#"])
@pytest.mark.parametrize("text", [[10, 11, 12, 13, 14], [0, 1, 1, 0, 1], [1, 1, 1, 1, 1]])
def test_restore_spans_puts_everything_back(pattern, text):
    spans = [hidden == "#" for hidden in pattern]
    starts = [now and not before for before, now in zip([False, *spans], spans, strict=False)]
    inputs, targets, used = [], [], -1
    for token, hidden, starts_here in zip(text, spans, starts, strict=False):
        if starts_here:
            used += 1
            inputs.append(SENTINELS[used])
            targets.append(SENTINELS[used])
        (targets if hidden else inputs).append(token)
    inputs, targets = torch.tensor([*inputs, END]), torch.tensor([*targets, SENTINELS[used + 1], END])
    restored = t5.restore_spans(inputs, targets, SENTINELS, END)
    assert restored.tolist() == text, "the text itself may contain 0 and the end"


# --- Positions


def test_relative_position_bucket_near():
    found = t5.relative_position_bucket(torch.tensor([0, -1, -7, 1, 7]))
    assert found.tolist() == [0, 1, 7, 17, 23], "16 buckets for the past and 16 for the future, 8 of each exact"


def test_relative_position_bucket_far():
    found = t5.relative_position_bucket(torch.tensor([-8, -15, -16, -100, -128, -5000, 5000]))
    assert found.tolist() == [8, 9, 10, 15, 15, 15, 31], "from distance 8 on, distances share 8 buckets"


def test_relative_position_bucket_in_one_direction():
    found = t5.relative_position_bucket(torch.tensor([3, 0, -1, -15, -16, -128]), bidirectional=False)
    assert found.tolist() == [0, 0, 1, 15, 16, 31], "the future has bucket 0, the past has all 32"


def test_relative_position_bucket_with_few_buckets():
    found = t5.relative_position_bucket(torch.tensor([-1, -2, -5, -20, 2]), num_buckets=8, max_distance=20)
    assert found.tolist() == [1, 2, 2, 3, 6], "4 buckets for each direction, 2 of them exact"


def test_relative_position_bias_by_hand():
    module = t5.RelativePositionBias(1, 4, 8, bidirectional=True)
    module.load_state_dict({"weight": torch.tensor([[0.0], [1.0], [2.0], [3.0]])})
    expected = [[[0, 3, 3], [1, 0, 3]]]
    assert close(module(2, 3), expected), "bucket 0 is here, bucket 1 is the past, bucket 3 is the future"


def test_relative_position_bias_in_one_direction():
    module = t5.RelativePositionBias(1, 4, 8, bidirectional=False)
    module.load_state_dict({"weight": torch.tensor([[0.0], [1.0], [2.0], [3.0]])})
    assert close(module(3, 3), [[[0, 0, 0], [1, 0, 0], [2, 1, 0]]]), "keys after the query have bucket 0"


# --- T5Attention


def plain_attention():
    """An attention with one head whose four matrices are the identity."""
    module = t5.T5Attention(2, 1)
    module.load_state_dict({name: torch.eye(2) for name in module.state_dict()})
    return module


def test_t5_attention_by_hand():
    _, weights = plain_attention()(torch.tensor([[[2.0, 0.0], [1.0, 0.0]]]))
    share = 1 / (1 + math.exp(2 * 1 - 2 * 2))
    assert close(weights[0, 0, 0], [share, 1 - share]), "the scores of the first query are 4 and 2, not divided by √2"


def test_t5_attention_adds_the_bias():
    bias = torch.tensor([[[0.0, math.log(3.0)], [0.0, 0.0]]])
    _, weights = plain_attention()(torch.zeros(1, 2, 2), bias=bias)
    assert close(weights[0, 0], [[0.25, 0.75], [0.5, 0.5]]), "with scores of zero, the bias alone decides"


def test_t5_attention_obeys_masks():
    module, x = t5.T5Attention(8, 2), numbers(2, 3, 8)
    real = torch.tensor([[True, True, False], [True, True, True]])
    output, weights = module(x, mask=real[:, None, :])
    assert close(weights[0, :, :, 2], torch.zeros(2, 3)), "a blocked key has weight 0, for every head and query"
    assert close(output[0, :2], module(x[:1, :2])[0][0]), "the blocked position has no influence"


def test_t5_attention_of_nothing_is_zero():
    output, weights = t5.T5Attention(8, 2)(numbers(1, 3, 8), mask=torch.zeros(3, 3, dtype=torch.bool))
    assert close(weights, torch.zeros(1, 2, 3, 3)), "the weights are zero, and never NaN"
    assert close(output, torch.zeros(1, 3, 8)), "the output is zero as well"


def test_t5_attention_reads_a_memory():
    module, x = t5.T5Attention(8, 2), numbers(1, 3, 8)
    output, weights = module(x, numbers(1, 5, 8, seed=1))
    assert output.shape == (1, 3, 8), "one output for each query, from x"
    assert weights.shape == (1, 2, 3, 5), "one weight for each key, from the memory"
    assert not close(output, module(x, numbers(1, 5, 8, seed=2))[0]), "another memory gives another output"


# --- T5


def small_t5(**options):
    torch.manual_seed(0)
    model = t5.T5(t5.T5Config(20, 8, 2, 2, 16, num_buckets=8, max_distance=10, **options))
    for name, parameter in model.named_parameters():
        if "position_bias" in name:
            nn.init.normal_(parameter)
    return model


def tokens(*rows):
    return torch.tensor(rows)


def test_t5_has_the_modules_listed():
    names = set(small_t5().state_dict())
    assert {name.split(".")[0] for name in names} == {"embedding", "encoder", "decoder"}, "three modules"
    biases = {name for name in names if "position_bias" in name}
    assert biases == {"encoder.position_bias.weight", "decoder.position_bias.weight"}, "one bias for each stack"
    assert "encoder.blocks.1.attention_norm.weight" in names
    assert "decoder.blocks.1.cross_attention.query_proj.weight" in names


def test_t5_shape():
    assert small_t5()(tokens([3, 4, 5]), tokens([0, 6])).shape == (1, 2, 20), "logits of every target position"


def test_t5_does_not_see_the_future():
    model, source = small_t5(), tokens([3, 4, 5])
    first, other = model(source, tokens([0, 6, 7])), model(source, tokens([0, 6, 8]))
    assert close(first[:, :2], other[:, :2]), "the last target token does not change the logits before it"


def test_t5_passes_over_padding():
    model, target = small_t5(), tokens([0, 6])
    assert close(model(tokens([3, 4]), target), model(tokens([3, 4, 0, 0]), target)), "padding changes nothing"


def test_t5_reads_a_start_token_that_is_padding():
    model, source = small_t5(), tokens([3, 4])
    assert not close(model(source, tokens([0, 6]))[:, 1], model(source, tokens([9, 6]))[:, 1]), (
        "the token 0 at the start of the target is read: the target is not masked"
    )


def test_t5_knows_positions():
    model, target = small_t5(), tokens([0, 6])
    assert not close(model(tokens([3, 4]), target), model(tokens([4, 3]), target)), "the order of the source matters"


def test_t5_decoder_is_unidirectional():
    model = small_t5()
    assert model.encoder.position_bias(1, 3)[0, 0].unique().numel() > 1, "the encoder tells later keys apart"
    assert model.decoder.position_bias(1, 3)[0, 0].unique().numel() == 1, "the decoder puts later keys into bucket 0"


def test_t5_every_block_uses_the_bias():
    model, source, target = small_t5(), tokens([3, 4, 5]), tokens([0, 6, 7])
    for stack in (model.encoder, model.decoder):
        # Only the second block attends, so only there the bias can matter.
        for name, module in stack.blocks[0].named_modules():
            if name.endswith("output_proj"):
                nn.init.zeros_(module.weight)
        before = model(source, target)
        nn.init.normal_(stack.position_bias.weight, std=5.0)
        assert not close(model(source, target), before), "the second block of each stack adds the bias too"


def test_t5_cross_attention_has_no_bias():
    model, source, target = small_t5(), tokens([3, 4, 5]), tokens([0])
    before = model(source, target)
    nn.init.normal_(model.decoder.position_bias.weight, std=5.0)
    assert close(model(source, target), before), "with one target token, the decoder's bias changes nothing"


def test_t5_output_is_tied_and_scaled():
    model = small_t5()
    seen = []
    model.decoder.norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    logits = model(tokens([3, 4, 5]), tokens([0, 6]))
    assert close(logits, seen[0] @ model.embedding.weight.T / math.sqrt(8)), "the norm's output / √d_model · Eᵀ"


def test_t5_dropout_is_off_in_eval():
    model = small_t5(dropout=0.5)
    source, target = tokens([3, 4, 5]), tokens([0, 6])
    assert not close(model(source, target), model(source, target)), "in training, dropout changes the logits"
    model.eval()
    assert close(model(source, target), model(source, target)), "in eval mode, nothing is random"


# --- text_to_text


def test_text_to_text_by_hand():
    assert t5.text_to_text("mnli", premise="a", hypothesis="b") == "mnli premise: a hypothesis: b"
    assert t5.text_to_text("translate English to German", text="a") == "translate English to German: a"
    assert t5.text_to_text("sst2", sentence="a") == "sst2 sentence: a"
