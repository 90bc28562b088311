"""Public tests of stage 2: small examples, computed by hand.

Run all tests with `pytest 2_attention`, or the tests of one exercise with `pytest 2_attention -k causal_mask`.
"""

import math

import attention
import torch
from torch import Tensor, tensor

LN2, LN3 = math.log(2), math.log(3)
INF = math.inf


def close(found: Tensor, expected: Tensor) -> bool:
    return found.shape == expected.shape and torch.allclose(found, expected, atol=1e-6)


# softmax


def test_softmax_of_three_logits():
    # exp gives 1, 2 and 3; their sum is 6.
    weights = attention.softmax(tensor([0.0, LN2, LN3]))
    assert close(weights, tensor([1 / 6, 2 / 6, 3 / 6])), "weights are exp(x) / sum of exp(x)"
    precise = attention.softmax(tensor([0.0, 1e-9], dtype=torch.float64))
    assert precise[1] > precise[0], "the computation has the accuracy of the dtype of x: float64 is more than float32"


def test_softmax_along_each_axis():
    x = tensor([[0.0, LN2, 0.0], [LN3, LN2, 0.0]])
    columns = attention.softmax(x, dim=0)
    assert close(columns.sum(dim=0), torch.ones(3)), "with dim=0 each column sums to one"
    assert close(columns, tensor([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])), "with dim=0 each column is a softmax"
    assert close(attention.softmax(x).sum(dim=1), torch.ones(2)), "the last axis is the default"


def test_softmax_of_large_logits():
    weights = attention.softmax(tensor([[1000.0, 1000.0], [0.0, LN3]]))
    assert not weights.isnan().any(), "exp(1000) overflows: subtract a number first"
    assert close(weights, tensor([[0.5, 0.5], [0.25, 0.75]])), "each row needs a shift of its own"


def test_softmax_with_minus_infinity():
    weights = attention.softmax(tensor([[0.0, -INF, 0.0], [-INF, -INF, -INF]]))
    assert close(weights[0], tensor([0.5, 0.0, 0.5])), "an entry of -inf gets no weight"
    assert close(weights[1], torch.zeros(3)), "a row of only -inf becomes zeros"


# causal_mask and padding_mask


def test_causal_mask_of_three_positions():
    expected = tensor([[True, False, False], [True, True, False], [True, True, True]])
    assert torch.equal(attention.causal_mask(3), expected), "a position may attend to itself and to earlier positions"


def test_causal_mask_with_earlier_keys():
    expected = tensor([[True, True, True, False], [True, True, True, True]])
    assert torch.equal(attention.causal_mask(2, 4), expected), "the last query lines up with the last key"


def test_padding_mask_of_two_sequences():
    expected = tensor([[True, True, False], [True, True, True]])
    assert torch.equal(attention.padding_mask(tensor([2, 3]), 3), expected), "True on the real tokens of each row"


# masked_softmax


def test_masked_softmax_leaves_out_blocked_keys():
    scores = tensor([[5.0, 0.0, LN3], [0.0, 0.0, 0.0]])
    mask = tensor([[False, True, True], [True, True, False]])
    weights = attention.masked_softmax(scores, mask)
    assert close(weights, tensor([[0.0, 0.25, 0.75], [0.5, 0.5, 0.0]])), "weights sum to one over the allowed keys"
    shared = attention.masked_softmax(scores, tensor([False, True, True]))
    assert close(shared[0], weights[0]), "a mask (key) is broadcast: it applies to every query"
    free = attention.masked_softmax(torch.zeros(2, 2))
    assert close(free, torch.full((2, 2), 0.5)), "without a mask, every query may attend to every key"


def test_masked_softmax_in_half_precision():
    scores = tensor([[-3e4, -3e4, 3e4]], dtype=torch.float16)
    weights = attention.masked_softmax(scores, tensor([[True, True, False]]))
    assert weights.dtype == torch.float16, "the weights have the dtype of the scores"
    assert weights.tolist() == [[0.5, 0.5, 0.0]], "a fill such as -1e9 does not fit into float16; -inf fits every dtype"


def test_masked_softmax_of_a_row_without_allowed_keys():
    scores = tensor([[1.0, 2.0], [1.0, 1.0]], requires_grad=True)
    weights = attention.masked_softmax(scores, tensor([[False, False], [True, True]]))
    assert close(weights, tensor([[0.0, 0.0], [0.5, 0.5]])), "where every key is blocked, all weights are 0"
    weights[1, 0].backward()
    assert scores.grad is not None, "the weights should be part of the autograd graph of the scores"
    assert scores.grad.isfinite().all(), "the gradient should be finite, also in the blocked row"


# scaled_dot_product_attention

# With d_head = 4, scores are divided by 2: 2·ln 3 becomes ln 3, and the weights are 1/4 and 3/4.
QUERY = tensor([[2 * LN3, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 7.0], [0.0, 2 * LN2, 0.0, 0.0]])
KEY = tensor([[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
VALUE = tensor([[4.0], [8.0]])


def test_dot_product_attention_by_hand():
    output, weights = attention.scaled_dot_product_attention(QUERY, KEY, VALUE)
    expected = tensor([[1 / 4, 3 / 4], [1 / 2, 1 / 2], [2 / 3, 1 / 3]])
    assert weights.shape == (3, 2), "weights are (query, key): here three queries and two keys"
    assert close(weights, expected), "weights are the softmax of q·k / √d_head over the keys"
    assert close(output, tensor([[7.0], [6.0], [16 / 3]])), "the output averages the values by the weights"


def test_dot_product_attention_with_a_scale():
    _, weights = attention.scaled_dot_product_attention(QUERY, KEY, VALUE, scale=1.0)
    assert close(weights[0], tensor([1 / 10, 9 / 10])), "a given scale multiplies the scores instead of 1/√d_head"
    _, weights = attention.scaled_dot_product_attention(QUERY, KEY, VALUE, scale=0.0)
    assert close(weights[0], tensor([1 / 2, 1 / 2])), "a scale of 0 is a scale too: it makes all weights equal"


def test_dot_product_attention_of_large_scores():
    query = (1000 * QUERY).requires_grad_()
    output, weights = attention.scaled_dot_product_attention(query, KEY, VALUE)
    assert close(weights[0], tensor([0.0, 1.0])), "exp(1000) overflows: use the stable softmax"
    output[1].sum().backward()
    expected = tensor([0.5, -0.5, 0.0, 0.0])
    assert close(query.grad[1], expected), "the gradient flows from the output through the weights to the query"


def test_dot_product_attention_of_a_batch_with_a_mask():
    mask = attention.padding_mask(tensor([1, 2]), 2)[:, None, :]
    batch = [torch.stack([x, x]) for x in (QUERY, KEY, VALUE)]
    output, _ = attention.scaled_dot_product_attention(*batch, mask)
    assert output.shape == (2, 3, 1), "the output is (batch, query, d_value)"
    assert close(output[0], tensor([[4.0], [4.0], [4.0]])), "with one real key, the output is its value"
    assert close(output[1], tensor([[7.0], [6.0], [16 / 3]])), "the other sequence has two real keys"


# kernel_attention


def test_kernel_attention_by_hand():
    # The distances are 0 and 2 and the bandwidth is 1: the ratio of the weights is 1 to exp(−2).
    result = attention.kernel_attention(tensor([[1.0]]), tensor([[1.0], [3.0]]), tensor([[0.0], [1.0]]), 1.0)
    near, far = 1.0, math.exp(-2)
    assert close(result, tensor([[far / (near + far)]])), "a key's weight is exp(−distance² / 2h²), normalised"


def test_kernel_attention_in_the_plane():
    # The distances are 0 and √(3² + 4²) = 5.
    keys, values = tensor([[0.0, 0.0], [3.0, 4.0]]), tensor([[0.0], [1.0]])
    far = math.exp(-0.5 * (5 / 4) ** 2)
    result = attention.kernel_attention(tensor([[0.0, 0.0]]), keys, values, 4.0)
    assert close(result, tensor([[far / (1 + far)]])), "the exponent is −½ (Euclidean distance / bandwidth)²"


def test_kernel_attention_with_a_tiny_bandwidth():
    keys, values = tensor([[0.0], [1.0], [5.0]]), tensor([[10.0], [20.0], [30.0]])
    result = attention.kernel_attention(tensor([[0.9], [100.0]]), keys, values, 0.01)
    assert close(result, tensor([[20.0], [30.0]])), "in the limit, the result is the value of the nearest key"


# AdditiveAttention


def test_additive_attention_by_hand():
    module = attention.AdditiveAttention(d_query=2, d_key=1, d_hidden=3)
    weights = {
        "query_proj.weight": tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]),
        "key_proj.weight": tensor([[1.0], [0.0], [0.0]]),
        "score.weight": tensor([[LN3 / math.tanh(2), 0.0, 0.0]]),
    }
    module.load_state_dict(weights)
    # Hidden values tanh(1 − 1) = 0 and tanh(1 + 1) = tanh 2 give the first query the scores 0 and ln 3.
    query, key = tensor([[[1.0, 9.0], [5.0, 9.0]]]), tensor([[[-1.0], [1.0]]])
    value = tensor([[[4.0, 0.0], [8.0, 4.0]]])
    output, found = module(query, key, value)
    assert close(found[:, 0], tensor([[1 / 4, 3 / 4]])), "scores are score(tanh(query_proj(q) + key_proj(k)))"
    assert close(output[:, 0], tensor([[7.0, 3.0]])), "the output averages the values by the weights"
    output, _ = module(query, key, value, tensor([[True, False], [False, False]]))
    assert close(output, tensor([[[4.0, 0.0], [0.0, 0.0]]])), "blocked keys have no weight; if all are blocked, 0"


# attention_backward


def test_backward_agrees_with_autograd():
    query, key, value = (
        torch.linspace(-1, 1, steps).sin().reshape(shape).requires_grad_()
        for steps, shape in ((12, (2, 2, 3)), (24, (2, 4, 3)), (16, (2, 4, 2)))
    )
    scores = query @ key.mT * 0.8
    weights = scores.exp() / scores.exp().sum(dim=-1, keepdim=True)
    (weights @ value).sum().backward()
    found = attention.attention_backward(torch.ones(2, 2, 2), query, key, value, weights, 0.8)
    for name, gradient, leaf in zip(("query", "key", "value"), found, (query, key, value), strict=True):
        assert gradient.shape == leaf.shape, f"the gradient of {name} should have the shape of {name}"
        assert close(gradient, leaf.grad), f"the gradient of {name} differs from autograd's"


# blockwise_attention


def test_blockwise_attention_block_by_block():
    # The exponentials of ln 1, ln 2, ln 3, ln 2 are 1, 2, 3, 2; their sum is 8. With d_head = 4, the scale is 1/2.
    key = tensor([[0.0], [LN2], [LN3], [LN2]]) * tensor([1.0, 0.0, 0.0, 0.0])
    value = tensor([[8.0], [0.0], [0.0], [4.0]])
    for block_size in (1, 2, 3, 4):
        output = attention.blockwise_attention(tensor([[2.0, 0.0, 0.0, 0.0]]), key, value, block_size)
        assert close(output, tensor([[2.0]])), f"blocks of {block_size} should give the same output as all keys at once"


def test_blockwise_attention_with_a_mask():
    key, value = tensor([[3.0], [0.0], [LN3]]), tensor([[100.0], [4.0], [8.0]])
    mask = tensor([[False, True, True], [False, False, False]])
    output = attention.blockwise_attention(tensor([[1.0], [1.0]]), key, value, 2, mask)
    assert close(output, tensor([[7.0], [0.0]])), "blocked keys have no weight; if all are blocked, the output is 0"
    thin = attention.blockwise_attention(tensor([[1.0], [1.0]]), 0 * key, value, 2, tensor([[True], [False]]))
    assert close(thin, tensor([[112 / 3], [0.0]])), "a mask with a single key axis applies to all keys"


def test_blockwise_attention_of_large_scores():
    key, value = tensor([[-1000.0], [-1000.0], [1000.0]]), tensor([[4.0], [8.0], [6.0]])
    for query, expected in ((1.0, 6.0), (-1.0, 6.0)):
        output = attention.blockwise_attention(tensor([[query]]), key, value, 1)
        assert close(output, tensor([[expected]])), "exp(1000) overflows: subtract the largest score so far"
    output = attention.blockwise_attention(tensor([[1.0]]), key[:2], value[:2], 1)
    assert close(output, tensor([[6.0]])), "exp(-1000) is 0: the largest score so far may be far below 0"
