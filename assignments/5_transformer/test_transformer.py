"""Public tests: small cases computed by hand. Change them and add your own."""

import math

import pytest
import torch
import transformer
from torch import nn

ALMOST_ALL = 1 - 1e-6  # a dropout that leaves nothing in a small test, and does not divide by zero


def close(actual, expected, atol=1e-5):
    return torch.allclose(actual, torch.as_tensor(expected, dtype=actual.dtype), atol=atol)


def tokens(*rows):
    return torch.tensor(rows)


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- LayerNorm and RMSNorm


def test_layer_norm_by_hand():
    # Mean 3, variance (4 + 4)/2 = 4: one standard deviation below and above.
    result = transformer.LayerNorm(2)(torch.tensor([[[1.0, 5.0]]]))
    assert close(result, [[[-1, 1]]]), (
        f"(1, 5) has mean 3 and variance 4, so it becomes (-1, 1); it is {result.tolist()}"
    )


def test_layer_norm_weight_and_bias():
    norm = transformer.LayerNorm(2)
    norm.load_state_dict({"weight": torch.tensor([2.0, 3.0]), "bias": torch.tensor([10.0, 20.0])})
    assert close(norm(torch.tensor([[1.0, 5.0]])), [[8, 23]]), "(-1, 1) times the weight (2, 3) plus the bias (10, 20)"


def test_layer_norm_of_a_constant_vector():
    result = transformer.LayerNorm(3)(torch.full((1, 2, 3), 7.0))
    assert close(result, torch.zeros(1, 2, 3)), "a vector of equal numbers minus its mean is zero"


def test_layer_norm_eps_is_under_the_root():
    # The variance is 1, and eps adds 3 under the root: √4 = 2.
    result = transformer.LayerNorm(2, eps=3.0)(torch.tensor([[-1.0, 1.0]]))
    assert close(result, [[-0.5, 0.5]]), "with variance 1 and eps 3 the root is √(1 + 3) = 2"


def test_layer_norm_of_many_vectors():
    x = 1e-2 * numbers(2, 3, 20)
    result = transformer.LayerNorm(20)(x)
    assert close(result, nn.functional.layer_norm(x, (20,)), atol=1e-4), "each vector is normalised, with eps 1e-5"
    half = transformer.LayerNorm(20).bfloat16()(x.bfloat16())
    assert half.dtype == torch.bfloat16, "bfloat16 stays bfloat16"


def test_rms_norm_by_hand():
    # The mean square is (1 + 49)/2 = 25.
    result = transformer.RMSNorm(2)(torch.tensor([[[1.0, 7.0]]]))
    assert close(result, [[[0.2, 1.4]]]), "(1, 7) has the root mean square 5, and no mean is subtracted"
    norm = transformer.RMSNorm(2, eps=3.0)
    norm.load_state_dict({"weight": torch.tensor([2.0, 4.0])})
    result = norm(torch.tensor([[-1.0, 1.0]]))
    assert close(result, [[-1, 2]]), "the root is √(mean square 1 + eps 3) = 2, and each feature has its own weight"
    assert close(transformer.RMSNorm(2)(torch.zeros(1, 2, 3, 2)), torch.zeros(1, 2, 3, 2)), "zeros stay zeros"


def test_rms_norm_has_one_parameter():
    assert list(transformer.RMSNorm(4).state_dict()) == ["weight"], "the only parameter is the weight"


# --- gelu and FeedForward


def test_gelu_by_hand():
    result = transformer.gelu(torch.tensor([0.0, 1.0, -1.0]))
    assert close(result, [0, 0.841345, -0.158655]), (
        "84.13 % of a standard normal distribution is below 1, 15.87 % is below -1"
    )


def test_gelu_tanh_by_hand():
    result = transformer.gelu(torch.tensor([1.0]), approximate="tanh")
    assert close(result, [0.841192]), "the tanh formula gives 0.841192 at 1, not 0.841345"


def test_feed_forward_by_hand():
    module = transformer.FeedForward(1, 2)
    state = {
        "input_proj.weight": torch.tensor([[1.0], [-1.0]]),
        "input_proj.bias": torch.zeros(2),
        "output_proj.weight": torch.tensor([[1.0, 1.0]]),
        "output_proj.bias": torch.tensor([10.0]),
    }
    module.load_state_dict(state)
    result = module(torch.tensor([[[1.0]]]))
    assert close(result, [[[10 + 0.841345 - 0.158655]]]), "gelu(1) + gelu(-1) + 10"
    dropping = transformer.FeedForward(1, 2, dropout=ALMOST_ALL)
    dropping.load_state_dict(state)
    assert close(dropping(torch.ones(1, 1, 1)), [[[10]]]), "dropout acts on the hidden layer: the output's bias is left"


# --- The two blocks


def silent(block):
    """Set all output projections to zero, so that the branches add nothing."""
    state = block.state_dict()
    block.load_state_dict({name: tensor * ("output_proj" not in name) for name, tensor in state.items()})
    return block


def simple(block):
    """Give a block with two features weights that can be followed by hand.

    With one position, an attention returns its values: (a, b) becomes (2a, b), and (a, 2b) in the cross-attention.
    The feed-forward layer returns its input: gelu(100 + a) is 100 + a. The first norm multiplies by -5, that of the
    cross-attention by 2 and the last by 3; the norm of any two numbers is (-1, 1) or (1, -1).
    """
    state = {name: torch.eye(2) if tensor.ndim == 2 else 0 * tensor for name, tensor in block.state_dict().items()}
    factors = {
        "attention_norm": -5.0,
        "self_attention_norm": -5.0,
        "cross_attention_norm": 2.0,
        "feed_forward_norm": 3.0,
    }
    for name, factor in factors.items():
        if f"{name}.weight" in state:
            state[f"{name}.weight"] = torch.full((2,), factor)
    values = {"attention": [2.0, 1.0], "self_attention": [2.0, 1.0], "cross_attention": [1.0, 2.0]}
    for name, factor in values.items():
        if f"{name}.value_proj.weight" in state:
            state[f"{name}.value_proj.weight"] = torch.tensor(factor).diag()
    state["feed_forward.input_proj.bias"] += 100
    state["feed_forward.output_proj.bias"] -= 100
    block.load_state_dict(state)
    return block


def test_encoder_block_by_hand():
    x = torch.tensor([[[1.0, 5.0]]])
    # norm(x) is (5, -5), its attention (10, -5), and the sum (11, 0); its norm is (3, -3).
    result = simple(transformer.EncoderBlock(2, 2, 2))(x)
    assert close(result, [[[14, -3]]], atol=1e-3), "pre-norm: x + attention(norm(x)), then the same with feed_forward"
    # x + attention(x) is (3, 10), its norm (5, -5); doubled by the feed-forward layer, its norm is (3, -3).
    result = simple(transformer.EncoderBlock(2, 2, 2, norm_first=False))(x)
    assert close(result, [[[3, -3]]], atol=1e-3), "post-norm: norm(x + attention(x)), then the same with feed_forward"


def test_encoder_block_options():
    x = numbers(1, 3, 8)
    whole, split = transformer.EncoderBlock(8, 1, 16), transformer.EncoderBlock(8, 4, 16)
    split.load_state_dict(whole.state_dict())
    assert not close(whole(x), split(x)), "four heads give another result than one head"
    assert close(transformer.EncoderBlock(8, 2, 16, dropout=ALMOST_ALL)(x), x), (
        "dropout acts on each branch before the sum"
    )
    mask = torch.ones(3, 3, dtype=torch.bool).tril()
    assert close(whole(x, mask)[:, :1], whole(x[:, :1])), (
        "a mask is (query, key): the first query sees the first key only"
    )


def test_encoder_block_with_a_cache():
    from multihead import KeyValueCache

    block, x, cache = transformer.EncoderBlock(8, 2, 16), numbers(1, 3, 8), KeyValueCache()
    block(x[:, :2], cache=cache)
    assert close(block(x[:, 2:], cache=cache), block(x)[:, 2:]), (
        "the attention reads the earlier positions in the cache"
    )


def test_encoder_block_adds_to_its_input():
    x = numbers(2, 3, 8)
    result = silent(transformer.EncoderBlock(8, 2, 16))(x)
    assert result.shape == x.shape, "the result has the shape of x"
    assert close(result, x), "branches that give zero do not change x: each is added to x itself"


def test_encoder_block_post_norm_normalises_the_sum():
    x = numbers(2, 3, 8)
    result = silent(transformer.EncoderBlock(8, 2, 16, norm_first=False))(x)
    expected = nn.functional.layer_norm(x, (8,))
    assert close(result, expected, atol=1e-3), "the result is norm(x + 0), and a second norm does not change it"


def test_encoder_block_positions_see_each_other():
    block, x = transformer.EncoderBlock(8, 2, 16), numbers(1, 3, 8)
    changed = x.clone()
    changed[0, 2] = numbers(8, seed=1)
    assert not close(block(changed)[0, 0], block(x)[0, 0]), "position 0 should see that position 2 has changed"


def test_encoder_block_obeys_the_mask():
    block, x = transformer.EncoderBlock(8, 2, 16), numbers(1, 3, 8)
    mask = torch.tensor([[[True, True, False]]])  # (batch, 1, key): position 2 is padding
    assert close(block(x, mask)[:, :2], block(x[:, :2])), (
        "with position 2 blocked, the result is that without position 2"
    )


def test_decoder_block_by_hand():
    x, memory = torch.tensor([[[1.0, 5.0]]]), torch.tensor([[[3.0, 4.0]]])
    # As in the encoder block, x becomes (11, 0). The memory adds (3, 8); the norm of (14, 8) is (3, -3).
    result = simple(transformer.DecoderBlock(2, 2, 2))(x, memory)
    assert close(result, [[[17, 5]]], atol=1e-3), (
        "three branches, each added to its input; the memory is not normalised"
    )
    # As in the encoder block, x becomes (5, -5). The norm of (8, 3) is (2, -2); doubled, its norm is (3, -3).
    result = simple(transformer.DecoderBlock(2, 2, 2, norm_first=False))(x, memory)
    assert close(result, [[[3, -3]]], atol=1e-3), "post-norm: the sum of each branch and its input is normalised"


def test_decoder_block_combines_its_mask_with_the_causal_mask():
    block, memory, x = transformer.DecoderBlock(8, 2, 16), numbers(1, 4, 8), numbers(1, 3, 8, seed=1)
    everything = torch.ones(3, 3, dtype=torch.bool)
    assert close(block(x, memory, everything), block(x, memory)), "no mask lets a position see later positions"
    first_blocked = torch.tensor([[True, False, False], [False, True, True], [False, True, True]])
    expected = block(x[:, 1:], memory)
    assert close(block(x, memory, first_blocked)[:, 1:], expected), "what `mask` blocks is blocked too"
    longer = torch.cat([memory, numbers(1, 1, 8, seed=2)], dim=1)
    assert not close(block(x, longer)[:, 0], block(x, memory)[:, 0]), "the first position reads the whole memory"
    assert close(transformer.DecoderBlock(8, 2, 16, dropout=ALMOST_ALL)(x, memory), x), (
        "dropout acts on each of the branches"
    )


def test_decoder_block_shape():
    block = transformer.DecoderBlock(8, 2, 16)
    assert block(numbers(2, 3, 8), numbers(2, 5, 8)).shape == (2, 3, 8), (
        "the result has the shape of x, whatever the length of the memory"
    )


def test_decoder_block_does_not_see_the_future():
    block, memory, x = transformer.DecoderBlock(8, 2, 16), numbers(1, 4, 8), numbers(1, 3, 8, seed=1)
    assert close(block(x, memory)[:, :2], block(x[:, :2], memory)), "position 2 does not change the positions before it"


def test_decoder_block_reads_the_memory():
    block, x = transformer.DecoderBlock(8, 2, 16), numbers(1, 3, 8)
    first, second = block(x, numbers(1, 4, 8, seed=1)), block(x, numbers(1, 4, 8, seed=2))
    assert not close(first, second), "different memories should give different results"


def test_decoder_block_masks_the_memory():
    block, x, memory = transformer.DecoderBlock(8, 2, 16), numbers(1, 3, 8), numbers(1, 4, 8, seed=1)
    mask = torch.tensor([[[True, True, True, False]]])
    result = block(x, memory, memory_mask=mask)
    assert close(result, block(x, memory[:, :3])), "with memory position 3 blocked, the result is that without it"


def test_decoder_block_with_a_cache():
    from multihead import KeyValueCache

    block, memory, x = transformer.DecoderBlock(8, 2, 16), numbers(1, 4, 8), numbers(1, 3, 8, seed=1)
    cache = KeyValueCache()
    steps = [block(x[:, [index]], memory, cache=cache) for index in range(3)]
    assert close(torch.cat(steps, dim=1), block(x, memory)), "token by token should give the same as one pass"


# --- The two stacks


def test_encoder_blocks_are_independent():
    encoder = transformer.Encoder(3, 8, 2, 16)
    assert len(encoder.blocks) == 3, "the encoder has three blocks"
    assert len({id(block) for block in encoder.blocks}) == 3, (
        "the blocks are three different modules, not the same module three times"
    )
    names = [name for name, _ in encoder.named_parameters()]
    assert "blocks.2.attention_norm.weight" in names, "the parameters of all blocks should be registered"
    hidden = encoder.blocks[0].feed_forward.input_proj.weight
    assert hidden.shape == (16, 8), "d_hidden reaches the blocks"


def test_encoder_ends_with_a_norm():
    encoder, x = transformer.Encoder(2, 8, 2, 16), 100 * numbers(2, 3, 8)
    assert close(encoder(x).mean(dim=-1), torch.zeros(2, 3)), "the output of a pre-norm stack is normalised"
    mask = torch.tensor([[True, True, False]])
    by_hand = encoder.norm(encoder.blocks[1](encoder.blocks[0](x, mask), mask))
    assert close(encoder(x, mask), by_hand), "the first block, then the second, each with the mask; the norm comes once"


def test_post_norm_stack_has_no_norm_of_its_own():
    names = transformer.Encoder(2, 8, 2, 16, norm_first=False).state_dict()
    assert not any(name.startswith("norm.") for name in names), (
        "a post-norm stack has no `norm`: its last block normalises already"
    )
    result = transformer.Encoder(2, 8, 2, 16, norm_first=False)(100 * numbers(2, 3, 8))
    assert close(result.mean(dim=-1), torch.zeros(2, 3)), "the blocks of a post-norm stack are post-norm too"


def test_decoder_with_masks():
    decoder, memory, x = transformer.Decoder(2, 8, 2, 16), numbers(1, 4, 8), numbers(1, 3, 8, seed=1)
    mask = torch.tensor([[[True, True, True], [False, True, True], [False, True, True]]])
    memory_mask = torch.tensor([[[True, True, True, False]]])
    first, second = decoder.blocks
    expected = decoder.norm(second(first(x, memory, mask, memory_mask), memory, mask, memory_mask))
    assert close(decoder(x, memory, mask, memory_mask), expected), "both masks reach both blocks; then comes the norm"
    names = transformer.Decoder(1, 8, 2, 16, norm_first=False).state_dict()
    assert not any(name.startswith("norm.") for name in names), "a post-norm stack has no `norm` of its own"


def test_decoder_with_caches():
    from multihead import KeyValueCache

    decoder, memory, x = transformer.Decoder(2, 8, 2, 16), numbers(1, 4, 8), numbers(1, 3, 8, seed=1)
    caches = [KeyValueCache(), KeyValueCache()]
    steps = [decoder(x[:, [index]], memory, caches=caches) for index in range(3)]
    assert close(torch.cat(steps, dim=1), decoder(x, memory)), "each block has its own cache"


# --- Transformer


def small_transformer(**options):
    torch.manual_seed(0)
    return transformer.Transformer(7, 9, 8, 2, 1, 16, max_length=5, **options)


def test_transformer_shape():
    model = small_transformer()
    logits = model(tokens([1, 2, 3], [4, 5, 6]), tokens([1, 2, 3, 4], [5, 6, 7, 8]))
    assert logits.shape == (2, 4, 9), "each target token gets a row of logits over the target's vocabulary"


def test_transformer_passes_over_padding():
    model, target = small_transformer(), tokens([1, 2])
    alone, padded = model(tokens([3, 4]), target), model(tokens([3, 4, 0, 0]), target)
    assert close(alone, padded), "padding after the source does not change the result"


def test_transformer_knows_places():
    model, target = small_transformer(), tokens([1, 2])
    assert not close(model(tokens([3, 4]), target), model(tokens([4, 3]), target)), "the order of words matters"


def test_transformer_knows_places_by_hand():
    model = small_transformer()
    silent(model.encoder)
    expected = nn.functional.layer_norm(
        model.source_embedding.weight[3] * math.sqrt(8) + torch.tensor([0.0, 1.0] * 4), (8,)
    )
    assert close(model.encode(tokens([3]))[0, 0], expected, atol=1e-4), (
        "the embedding times √d_model, plus the sinusoids of position 0: 0, 1, 0, 1, …"
    )


def test_transformer_shape_of_its_parts():
    model = transformer.Transformer(7, 9, 8, 2, 2, 16, max_length=5, pad_id=1)
    assert (len(model.encoder.blocks), len(model.decoder.blocks)) == (2, 2), "num_blocks counts for both stacks"
    assert model.encoder.blocks[0].feed_forward.input_proj.weight.shape == (16, 8), "d_hidden reaches the blocks"
    assert model.output_proj.bias.shape == (9,), "the output projection has a bias"
    assert model.pad_id == 1, "`pad_id` is kept as an attribute"
    source, target = tokens([2, 3]), tokens([4, 5])
    read = numbers(1, 2, 8)
    logits = model.decode(target, read, source)
    assert not close(model.decode(target, 2 * read, source), logits), "`decode` reads the memory that it gets"
    model.source_embedding.weight.data.zero_()
    assert close(model.decode(target, read, source), logits), "the target has an embedding of its own"


def test_transformer_refuses_long_sentences():
    model = small_transformer()
    assert model(tokens([1, 2, 3, 4, 5]), tokens([1, 2, 3, 4, 5])).shape == (1, 5, 9), "five tokens are allowed"
    long, short = tokens([1, 2, 3, 4, 5, 6]), tokens([1, 2])
    with pytest.raises(ValueError):
        model(long, short)
    with pytest.raises(ValueError):
        model(short, long)


def test_transformer_state_has_no_sinusoids():
    parts = {name.split(".")[0] for name in small_transformer().state_dict()}
    expected = {"source_embedding", "target_embedding", "encoder", "decoder", "output_proj"}
    assert parts == expected, "the state dict holds the listed modules and nothing else"


# --- Training and writing


def test_shift_right_by_hand():
    assert transformer.shift_right(tokens([5, 6, 7]), 1).tolist() == [[1, 5, 6]], (
        "the start token, then all tokens except the last"
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_of_equal_logits(smoothing):
    loss = transformer.label_smoothed_loss(torch.zeros(1, 2, 10), tokens([3, 4]), smoothing, pad_id=0)
    assert close(loss, math.log(10)), "with ten equally likely tokens the loss is ln 10, smoothed or not"


def test_loss_by_hand():
    logits = torch.tensor([[[math.log(3.0), 0.0]]])  # probabilities 3/4 and 1/4
    loss = transformer.label_smoothed_loss(logits, tokens([0]), 0.2, pad_id=9)
    expected = -0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4)
    assert close(loss, expected), "0.2 is divided among both classes: the target gets 0.8 + 0.1"


def test_loss_ignores_padding():
    logits = numbers(1, 3, 5)
    expected = transformer.label_smoothed_loss(logits[:, :2], tokens([1, 2]), 0.1, pad_id=0)
    for ignored in (0, -100):
        whole = transformer.label_smoothed_loss(logits, tokens([1, 2, ignored]), 0.1, pad_id=0)
        assert close(whole, expected), f"a target of {ignored} counts neither in the sum nor in the number of targets"
    assert transformer.label_smoothed_loss(logits, tokens([0, 0, 0]), 0.1, pad_id=0).item() == 0, (
        "the loss is 0 when no target counts"
    )


class CountingModel(nn.Module):
    """Predicts that the token after n is n + 1."""

    pad_id = 0

    def encode(self, source):
        return source

    def decode(self, target, memory, source):
        return nn.functional.one_hot(target + 1, 20).float()


def test_greedy_decode_by_hand():
    written = transformer.greedy_decode(CountingModel(), tokens([1]), start_id=5, end_id=8, max_length=10)
    assert written.tolist() == [[6, 7, 8]], "6, 7 and 8 follow 5; 8 is the end, and the start token is not returned"


def test_greedy_decode_stops_at_max_length():
    written = transformer.greedy_decode(CountingModel(), tokens([1], [1]), start_id=5, end_id=19, max_length=2)
    assert written.tolist() == [[6, 7], [6, 7]], "two tokens are written, although no row has ended"


def test_greedy_decode_of_rows_that_end_apart():
    class Leaps(CountingModel):
        """Predicts that the token after n is n plus the source's first token."""

        pad_id = 2

        def decode(self, target, memory, source):
            assert target[0, 0] == 5, "the model reads all tokens so far, the start token first"
            return nn.functional.one_hot(target + source[:, :1], 20).float()

    written = transformer.greedy_decode(Leaps(), tokens([1], [3]), start_id=5, end_id=8, max_length=10)
    assert written.tolist() == [[6, 7, 8], [8, 2, 2]], "after its end, a row is filled with pad_id; the other goes on"


def test_greedy_decode_leaves_the_mode():
    model = CountingModel().train()
    transformer.greedy_decode(model, tokens([1]), start_id=5, end_id=8, max_length=2)
    assert model.training, "a model that was training is still training"


def test_warmup_rate_by_hand():
    rates = [transformer.warmup_rate(step, d_model=4, warmup=4) for step in (1, 4, 16)]
    assert rates == pytest.approx([1 / 16, 1 / 4, 1 / 8]), "the rate rises linearly up to step 4, then falls as 1/√step"
