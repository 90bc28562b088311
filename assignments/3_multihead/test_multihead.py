"""Public tests of stage 3: small examples with answers worked by hand.

Run all with `pytest 3_multihead`, those of one exercise with `pytest 3_multihead -k split_heads`.
"""

import math

import multihead
import pytest
import torch
from torch import Tensor, tensor

LN3 = math.log(3)


def close(found: Tensor, expected: Tensor) -> bool:
    return found.shape == expected.shape and torch.allclose(found, expected, atol=1e-6)


# split_heads and merge_heads


def test_split_heads_of_two_positions():
    x = tensor([[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]])  # one sequence, two positions, four features
    heads = multihead.split_heads(x, 2)
    assert heads.shape == (1, 2, 2, 2), "the result is (batch, heads, length, d_head)"
    assert close(heads[0, 0], tensor([[1.0, 2.0], [5.0, 6.0]])), "the first head has each position's first features"
    assert close(heads[0, 1], tensor([[3.0, 4.0], [7.0, 8.0]])), "the second head has the rest"


def test_split_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="5") as error:
        multihead.split_heads(torch.ones(1, 2, 5), 2)
    assert "2" in str(error.value), "the message names both numbers"


def test_merge_heads_of_two_heads():
    heads = tensor([[[[1.0], [2.0], [3.0]], [[10.0], [20.0], [30.0]]]])  # two heads, three positions
    expected = tensor([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])
    assert close(multihead.merge_heads(heads), expected), "each position has its heads' features side by side"


def test_merge_heads_undoes_split_heads():
    x = torch.arange(24.0).reshape(1, 4, 6)
    for heads in (1, 2, 3, 6):
        assert close(multihead.merge_heads(multihead.split_heads(x, heads)), x), f"split into {heads} and merged"


# repeat_kv


def test_repeat_kv_of_two_heads():
    x = tensor([[[[1.0]], [[2.0]]]])
    expected = tensor([[[[1.0]], [[1.0]], [[1.0]], [[2.0]], [[2.0]], [[2.0]]]])
    assert close(multihead.repeat_kv(x, 3), expected), "copies of a head stand beside each other: 1 1 1 2 2 2"
    assert close(multihead.repeat_kv(x, 1), x), "one repeat is the input"


# MultiHeadAttention


def attention_of(d_model: int, num_heads: int, **options: object) -> "multihead.MultiHeadAttention":
    """A module whose four projections hand on what they are given."""
    module = multihead.MultiHeadAttention(d_model, num_heads, **options)
    with torch.no_grad():
        for linear in (module.query_proj, module.key_proj, module.value_proj, module.output_proj):
            linear.weight.copy_(torch.eye(*linear.weight.shape))
    return module


# Two heads with d_head 1, so nothing is divided. Keys are the features themselves: in the first head 0 and
# ln 3, in the second ln 3 and 0.
TOKENS = tensor([[[0.0, LN3], [LN3, 0.0]]])


def test_multi_head_attention_by_hand():
    query = tensor([[[1.0, 1.0]]])
    output, weights = attention_of(2, 2)(query, memory=TOKENS)
    assert weights.shape == (1, 2, 1, 2), "weights are (batch, heads, query, key)"
    assert close(weights[0, 0], tensor([[1 / 4, 3 / 4]])), "the first head compares first features: e⁰ to e^(ln 3)"
    assert close(weights[0, 1], tensor([[3 / 4, 1 / 4]])), "the second head compares second features"
    assert close(output, tensor([[[3 / 4 * LN3, 3 / 4 * LN3]]])), "each head averages its own feature"


def test_multi_head_attention_to_itself():
    module = attention_of(2, 2)
    output, weights = module(TOKENS)
    again, _ = module(TOKENS, memory=TOKENS)
    assert output.shape == (1, 2, 2), "the output is (batch, query, d_model)"
    assert close(output, again), "without a memory, x is its own memory"
    assert close(weights[0, 0, 0], tensor([1 / 2, 1 / 2])), "a query of 0 finds all keys alike"


def test_multi_head_attention_with_masks():
    module = attention_of(2, 2)
    batch = torch.cat([TOKENS, TOKENS])  # two sequences, two heads: as many of one as of the other
    causal = tensor([[True, False], [True, True]])
    first_key, both_keys = tensor([[True, False]]), tensor([[True, True]])
    _, weights = module(batch, mask=causal)
    assert close(weights[:, :, 0, 1], torch.zeros(2, 2)), "a mask (query, key) counts for all sequences and heads"
    _, weights = module(batch, mask=torch.stack([first_key, both_keys]))
    assert close(weights[0, :, :, 1], torch.zeros(2, 2)), "the first sequence may not see its second position"
    assert (weights[1] > 0).all(), "the second sequence may see both, with all of its heads"


def test_multi_head_attention_with_nothing_to_see():
    module = attention_of(2, 2, bias=True)
    with torch.no_grad():
        module.output_proj.bias.copy_(tensor([5.0, 6.0]))
    output, weights = module(TOKENS, mask=tensor([[True, True], [False, False]]))
    assert close(weights[0, :, 1], torch.zeros(2, 2)), "where everything is blocked all weights are 0"
    assert close(output[0, 1], tensor([5.0, 6.0])), "zeros go into the output projection, which adds its bias"


def test_multi_head_attention_with_shared_keys_and_values():
    module = multihead.MultiHeadAttention(8, 4, num_kv_heads=2)
    assert module.key_proj.weight.shape == (4, 8), "two key/value heads of size 2 make four features"
    assert module(torch.ones(1, 3, 8))[1].shape == (1, 4, 3, 3), "there is a map for each of the four query heads"


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
    assert close(keys, tensor([[[[1.0], [2.0], [3.0]]]])), "all keys so far come back, the oldest first"
    assert close(values, -keys), "and all values"
    assert len(cache) == 3, "the length counts positions"
    assert len(multihead.KeyValueCache()) == 0, "another cache knows nothing of this one"


def test_decoding_two_tokens():
    module, cache = attention_of(2, 2), multihead.KeyValueCache()
    whole, _ = module(TOKENS, mask=tensor([[True, False], [True, True]]))
    first, _ = module(TOKENS[:, :1], cache=cache)
    second, weights = module(TOKENS[:, 1:], cache=cache)
    assert weights.shape == (1, 2, 1, 2), "the second token alone sees both"
    assert close(torch.cat([first, second], dim=1), whole), "step by step gives what one causal pass gives"
