"""Public tests of stage 3: small examples, computed by hand.

Run all tests with `pytest 3_multihead`, or the tests of one exercise with `pytest 3_multihead -k split_heads`.
"""

import math

import multihead
import pytest
import torch
from torch import Tensor, tensor

LN3 = math.log(3)
ALMOST_ALL = 1 - 1e-6  # a dropout that leaves nothing in a small test, and does not divide by zero


def close(found: Tensor, expected: Tensor) -> bool:
    return found.shape == expected.shape and torch.allclose(found, expected, atol=1e-6)


# split_heads and merge_heads


def test_split_heads_of_two_positions():
    x = tensor([[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]])  # one sequence, two positions, four features
    heads = multihead.split_heads(x, 2)
    assert heads.shape == (1, 2, 2, 2), "the result is (batch, heads, length, d_head)"
    assert close(heads[0, 0], tensor([[1.0, 2.0], [5.0, 6.0]])), "the first head has each position's first features"
    assert close(heads[0, 1], tensor([[3.0, 4.0], [7.0, 8.0]])), "the second head has each position's last features"


def test_split_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="5") as error:
        multihead.split_heads(torch.ones(1, 2, 5), 2)
    assert "2" in str(error.value), "the message should name both numbers"


def test_merge_heads_of_two_heads():
    heads = tensor([[[[1.0], [2.0], [3.0]], [[10.0], [20.0], [30.0]]]])  # two heads, three positions
    expected = tensor([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])
    assert close(multihead.merge_heads(heads), expected), "each position has the features of its heads side by side"


def test_merge_heads_undoes_split_heads():
    x = torch.arange(24.0).reshape(1, 4, 6)
    for heads in (1, 2, 3, 6):
        assert close(multihead.merge_heads(multihead.split_heads(x, heads)), x), (
            f"splitting {heads} heads and merging them gives x back"
        )


# repeat_kv


def test_repeat_kv_of_two_heads():
    x = tensor([[[[1.0]], [[2.0]]]])
    expected = tensor([[[[1.0]], [[1.0]], [[1.0]], [[2.0]], [[2.0]], [[2.0]]]])
    assert close(multihead.repeat_kv(x, 3), expected), "the copies of a head are neighbours: 1 1 1 2 2 2"
    assert close(multihead.repeat_kv(x, 1), x), "with one repeat, the result is the input"


# MultiHeadAttention


def attention_of(d_model: int, num_heads: int, **options: object) -> "multihead.MultiHeadAttention":
    """A module whose four projections have identity matrices as weights."""
    module = multihead.MultiHeadAttention(d_model, num_heads, **options)
    with torch.no_grad():
        for linear in (module.query_proj, module.key_proj, module.value_proj, module.output_proj):
            linear.weight.copy_(torch.eye(*linear.weight.shape))
    return module


# With two heads d_head is 1, so the scale is 1. The keys are the features: 0 and ln 3 in the first head, ln 3 and 0
# in the second head.
TOKENS = tensor([[[0.0, LN3], [LN3, 0.0]]])


def test_multi_head_attention_by_hand():
    query = tensor([[[1.0, 1.0]]])
    output, weights = attention_of(2, 2)(query, memory=TOKENS)
    assert weights.shape == (1, 2, 1, 2), "weights are (batch, heads, query, key)"
    assert close(weights[0, 0], tensor([[1 / 4, 3 / 4]])), "the first head compares first features: e⁰ to e^(ln 3)"
    assert close(weights[0, 1], tensor([[3 / 4, 1 / 4]])), "the second head compares second features"
    assert close(output, tensor([[[3 / 4 * LN3, 3 / 4 * LN3]]])), "each head averages its own feature"


def test_multi_head_attention_scale_and_values():
    # With one head d_head is 4: the scores are divided by 2. The values are ten times the memory.
    module = attention_of(4, 1)
    with torch.no_grad():
        module.value_proj.weight.mul_(10)
    memory = tensor([[[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]])
    query = tensor([[[2 * LN3, 0.0, 0.0, 0.0]]])
    output, weights = module(query, memory=memory)
    assert close(weights, tensor([[[[1 / 4, 3 / 4]]]])), "the scores q·k are divided by √d_head"
    assert close(output, tensor([[[7.5, 0.0, 0.0, 0.0]]])), "the weights average the projected values"
    output, _ = module(query, memory=memory, mask=tensor([[True, False]]))
    assert close(output, torch.zeros(1, 1, 4)), "the mask applies to the memory too"
    output, _ = module(1000 * query, memory=memory)
    assert close(output, tensor([[[10.0, 0.0, 0.0, 0.0]]])), "exp(1000) overflows: use the stable softmax of stage 2"


def test_multi_head_attention_with_dropout():
    module = attention_of(2, 2, bias=True, dropout=ALMOST_ALL)
    with torch.no_grad():
        module.output_proj.bias.copy_(tensor([5.0, 6.0]))
    output, weights = module(TOKENS)
    assert close(output[0, 0], tensor([5.0, 6.0])), "dropout acts on the weights: only the output's bias is left"
    assert close(weights.sum(dim=-1), torch.ones(1, 2, 2)), "the weights are returned without dropout"
    assert not close(module.eval()(TOKENS)[0], output), "in eval mode nothing is dropped"


def test_multi_head_attention_in_half_precision():
    module = attention_of(2, 2).half()
    _, weights = module(TOKENS.half(), mask=tensor([[True, False], [True, True]]))
    assert weights.dtype == torch.float16, "float16 stays float16"
    assert close(weights[0, :, 0].float(), tensor([[1.0, 0.0], [1.0, 0.0]])), "-1e9 does not fit into float16"


def test_multi_head_attention_to_itself():
    module = attention_of(2, 2)
    output, weights = module(TOKENS)
    again, _ = module(TOKENS, memory=TOKENS)
    assert output.shape == (1, 2, 2), "the output is (batch, query, d_model)"
    assert close(output, again), "without a memory, x is its own memory"
    assert close(weights[0, 0, 0], tensor([1 / 2, 1 / 2])), "a query of 0 gives all keys the same weight"


def test_multi_head_attention_with_masks():
    module = attention_of(2, 2)
    batch = torch.cat([TOKENS, TOKENS])  # as many sequences as heads
    causal = tensor([[True, False], [True, True]])
    first_key, both_keys = tensor([[True, False]]), tensor([[True, True]])
    _, weights = module(batch, mask=causal)
    assert close(weights[:, :, 0, 1], torch.zeros(2, 2)), "a mask (query, key) applies to all sequences and heads"
    _, weights = module(batch, mask=torch.stack([first_key, both_keys]))
    assert close(weights[0, :, :, 1], torch.zeros(2, 2)), "the first sequence must not attend to its second position"
    assert (weights[1] > 0).all(), "the second sequence may attend to both positions in every head"


def test_multi_head_attention_with_nothing_to_see():
    module = attention_of(2, 2, bias=True)
    with torch.no_grad():
        module.output_proj.bias.copy_(tensor([5.0, 6.0]))
    output, weights = module(TOKENS, mask=tensor([[True, True], [False, False]]))
    assert close(weights[0, :, 1], torch.zeros(2, 2)), "where every key is blocked, all weights are 0"
    assert close(output[0, 1], tensor([5.0, 6.0])), "the output projection gets zeros and adds its bias"


def test_multi_head_attention_with_shared_keys_and_values():
    module = multihead.MultiHeadAttention(8, 4, num_kv_heads=2)
    assert module.key_proj.weight.shape == (4, 8), "two key/value heads of size 2 make four features"
    assert module(torch.ones(1, 3, 8))[1].shape == (1, 4, 3, 3), "each of the four query heads has its own weights"


def test_multi_head_attention_that_does_not_divide():
    for sizes in ((5, 2), (12, 4, 3)):
        with pytest.raises(ValueError, match=r"\d"):
            multihead.MultiHeadAttention(*sizes)


# KeyValueCache


def test_cache_collects_positions():
    cache = multihead.KeyValueCache()
    assert len(cache) == 0, "a new cache is empty"
    first, second = tensor([[[[1.0], [2.0]]]]), tensor([[[[3.0]]]])
    cache.append(first, -first)
    keys, values = cache.append(second, -second)
    assert close(keys, tensor([[[[1.0], [2.0], [3.0]]]])), "append returns all keys so far, oldest first"
    assert close(values, -keys), "append returns all values so far"
    assert len(cache) == 3, "the length is the number of positions"
    assert len(multihead.KeyValueCache()) == 0, "caches share no state"


def test_decoding_two_tokens():
    module, cache = attention_of(2, 2), multihead.KeyValueCache()
    whole, _ = module(TOKENS, mask=tensor([[True, False], [True, True]]))
    first, _ = module(TOKENS[:, :1], cache=cache)
    second, weights = module(TOKENS[:, 1:], cache=cache)
    assert weights.shape == (1, 2, 1, 2), "the second token attends to both tokens"
    assert close(torch.cat([first, second], dim=1), whole), "decoding step by step equals one causal pass"
