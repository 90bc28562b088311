"""Hidden tests of masked_softmax and scaled_dot_product_attention.

Oracles: the definition row by row without subtracting a maximum; PyTorch's attention; and two invariants: blocked
keys and values do not affect the result, and weights sum to one.
"""

import torch
from hypothesis import given
from torch.nn import functional

from autograder.judge.compare import check_dtype, check_finite, check_results, check_that, check_values
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds


def weights_by_definition(scores, mask):
    """`1 / Σⱼ exp(sⱼ − sᵢ)` over the allowed keys j of each row; 0 for a key i that is blocked."""
    mask = mask.expand(scores.shape)
    weights = torch.zeros_like(scores)
    for row, allowed, out in zip(scores.flatten(0, -2), mask.flatten(0, -2), weights.flatten(0, -2), strict=True):
        kept = row[allowed]
        out[allowed] = 1 / torch.exp(kept.unsqueeze(0) - kept.unsqueeze(1)).sum(dim=1)
    return weights


def inputs_of(query, key, d_head, d_value, *, leading=(), seed=0, scale=1.0, requires_grad=False):
    """Query, key and value, each with its own seed.

    Checks that do not concern the scale use a `d_head` of 1: √1 is 1, so a wrong scale fails only the scale's checks.
    """
    shapes = ((query, d_head), (key, d_head), (key, d_value))
    return [
        normal_tensor(*leading, *shape, seed=seed + number, scale=scale, requires_grad=requires_grad)
        for number, shape in enumerate(shapes)
    ]


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_masked_softmax_without_a_mask_is_softmax(student, seed, shape):
    """masked_softmax: without a mask, the result is the softmax over all keys.

    Hint: `mask=None` means that no key is blocked.
    """
    scores = normal_tensor(*shape, seed=seed)
    check_values(student.masked_softmax(scores), torch.softmax(scores, dim=-1))
    check_values(student.masked_softmax(scores, None), torch.softmax(scores, dim=-1))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_masked_softmax_shares_the_weight_among_allowed_keys(student, seed, shape):
    """masked_softmax: weights sum to one over the allowed keys; blocked keys get 0.

    Hint: True means "may attend". Which score makes softmax give a key the weight 0?
    """
    scores = normal_tensor(*shape, seed=seed, scale=2.0)
    mask = random_mask(*shape, seed=seed + 1)
    check_values(student.masked_softmax(scores, mask), weights_by_definition(scores, mask))
    square = normal_tensor(shape[0], shape[0], seed=seed + 2)
    causal = torch.ones_like(square, dtype=torch.bool).tril()
    check_values(student.masked_softmax(square, mask=causal), weights_by_definition(square, causal))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_masked_softmax_broadcasts_the_mask(student, seed, shape):
    """masked_softmax: a mask with fewer axes, or with axes of size 1, is broadcast.

    Hint: let PyTorch broadcast the mask; do not flatten it, and do not rely on equal shapes.
    """
    batch, heads, query, key = shape
    scores = normal_tensor(*shape, seed=seed)
    for mask_shape in ((query, key), (1, key), (batch, 1, 1, key), (heads, 1, key), (batch, 1, query, key)):
        mask = random_mask(*mask_shape, seed=seed + 1)
        check_values(student.masked_softmax(scores, mask), weights_by_definition(scores, mask))
    mask = random_mask(batch, 1, key, seed=seed + 2)
    check_values(student.masked_softmax(scores[:, 0], mask), weights_by_definition(scores[:, 0], mask))


@given(seeds(), distinct_sizes(count=2, min_size=3))
def test_masked_softmax_ignores_a_blocked_key_of_any_score(student, seed, shape):
    """masked_softmax: a blocked key has no influence, however large its score.

    Hint: block before the softmax, and replace the score instead of lowering it.
    """
    scores = normal_tensor(*shape, seed=seed)
    mask = random_mask(*shape, seed=seed + 1)
    expected = weights_by_definition(scores, mask)
    for lead in (3.0, 100.0, 1e4, 1e12):
        check_values(student.masked_softmax(scores.masked_fill(~mask, lead), mask), expected)
    # All allowed scores are far below zero: a key is blocked however small they are.
    low = torch.where(mask, scores - 1e6, 0.0)
    check_values(student.masked_softmax(low, mask), weights_by_definition(low, mask))


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=6))
def test_masked_softmax_gives_zeros_where_everything_is_blocked(student, seed, shape):
    """masked_softmax: where every key is blocked, all weights are zero: not NaN, not equal.

    Hint: what does softmax do with such a row? The mask still tells you which rows these are.
    """
    scores = normal_tensor(*shape, seed=seed)
    mask = random_mask(*shape, seed=seed + 1)
    mask[0, 1], mask[-1] = False, False
    zeros = torch.zeros(shape[1:], dtype=scores.dtype)
    for scale in (1.0, 1e4):
        weights = student.masked_softmax(scores * scale, mask)
        check_values(weights[-1], zeros)
        check_values(weights[0, 1], zeros[1])
    allowed = student.masked_softmax(scores, mask)[0, 0]
    check_that(float(allowed.sum()) > 0, "a query that may attend to some keys gets zero weights as well")
    column = torch.arange(shape[1]).unsqueeze(-1) < 2  # key axis of size 1
    check_values(student.masked_softmax(scores, column)[:, 2:], zeros.expand(scores.shape)[:, 2:])


@given(seeds(), distinct_sizes(count=2, min_size=3))
def test_masked_softmax_has_a_finite_gradient(student, seed, shape):
    """masked_softmax: the gradient is finite, also where every key is blocked.

    Hint: `torch.where` replaces a NaN in the value but not in the gradient: do not let the NaN arise.
    """
    mask = random_mask(*shape, seed=seed)
    mask[1] = False
    scores, other = normal_tensor(*shape, seed=seed + 1), normal_tensor(*shape, seed=seed + 2)
    check_computes(student.masked_softmax, [scores], [other])
    for scale in (1.0, 1e4):
        scores = normal_tensor(*shape, seed=seed + 1, scale=scale, requires_grad=True)
        (found,) = torch.autograd.grad(student.masked_softmax(scores, mask), scores, torch.ones_like(scores))
        check_finite(found)
        grad_output = normal_tensor(*shape, seed=seed + 2)
        (found,) = torch.autograd.grad(student.masked_softmax(scores, mask), scores, grad_output)
        check_finite(found)


@given(seeds(), distinct_sizes(count=2, min_size=3))
def test_masked_softmax_has_the_right_gradient(student, seed, shape):
    """masked_softmax: the gradient is correct at allowed scores and 0 at blocked scores.

    Hint: use tensor operations throughout; `.data`, `.item()` and NumPy leave the autograd graph.
    """
    scores = normal_tensor(*shape, seed=seed, requires_grad=True)
    mask = random_mask(*shape, seed=seed + 1)
    grad_output = normal_tensor(*shape, seed=seed + 2)
    (found,) = torch.autograd.grad(student.masked_softmax(scores, mask), scores, grad_output)
    weights = weights_by_definition(scores.detach(), mask)
    check_values(found, weights * (grad_output - (weights * grad_output).sum(dim=-1, keepdim=True)))


def test_masked_softmax_keeps_the_dtype(student):
    """masked_softmax: the weights have the dtype of the scores.

    Hint: a mask converted to a float tensor may widen the dtype of the result.
    """
    mask = random_mask(4, 4, seed=31)
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        scores, other = (normal_tensor(1, 4, 4, seed=seed, dtype=dtype) for seed in (32, 33))
        check_computes(student.masked_softmax, [scores, mask], [other, mask])
        check_dtype(student.masked_softmax(scores, mask), dtype)
        check_dtype(student.masked_softmax(scores), dtype)


def test_masked_softmax_keeps_the_device(student):
    """masked_softmax: the weights are on the device of the scores.

    Hint: tensors that you create need the device of the scores.
    """
    scores, other = normal_tensor(1, 4, 4, seed=34), normal_tensor(1, 4, 4, seed=35)
    mask = random_mask(4, 4, seed=36)
    check_computes(student.masked_softmax, [scores, mask], [other, mask])
    check_keeps_device(student, student.masked_softmax, scores, mask)
    check_keeps_device(student, student.masked_softmax, scores)


def test_masked_softmax_leaves_its_inputs_alone(student):
    """masked_softmax: scores and mask are not modified.

    Hint: `masked_fill_` and `scores[~mask] = …` modify the tensor they are given; `masked_fill` does not.
    """
    scores, other = normal_tensor(1, 4, 4, seed=37), normal_tensor(1, 4, 4, seed=38)
    for mask in (random_mask(4, 4, seed=39), random_mask(1, 4, 4, seed=40, keep_one=False)):
        check_computes(student.masked_softmax, [scores, mask], [other, mask])
        check_inputs_unchanged(student, student.masked_softmax, scores, mask)
    check_inputs_unchanged(student, student.masked_softmax, scores)


@given(seeds(), distinct_sizes(count=5, min_size=2))
def test_attention_averages_the_values(student, seed, shape):
    """scaled_dot_product_attention: the output is softmax(q·kᵀ / √d_head) times the values.

    Hint: which axis do the values share with the weights? How does the standard deviation of q·k grow with d_head?
    """
    batch, query, key, d_head, d_value = shape
    for sizes in ((query, key, d_head, d_value), (query, query, d_head, d_value), (query, key, d_head, d_head)):
        inputs = inputs_of(*sizes, leading=(batch,), seed=seed)
        output = check_results(student.scaled_dot_product_attention(*inputs), 2)[0]
        check_values(output, functional.scaled_dot_product_attention(*inputs), axes="batch, query, d_value")


@given(seeds(), distinct_sizes(count=5, min_size=2))
def test_attention_returns_the_weights(student, seed, shape):
    """scaled_dot_product_attention: the second result is the weights; rows sum to one.

    Hint: the weights are `(…, query, key)`, as they are when they average the values.
    """
    batch, query, key, d_head, d_value = shape
    for sizes in ((query, key, d_head, d_value), (query, query, d_head, d_value)):
        inputs = inputs_of(*sizes, leading=(batch,), seed=seed)
        scores = torch.einsum("bqd,bkd->bqk", inputs[0], inputs[1]) / d_head**0.5
        expected = weights_by_definition(scores, torch.ones_like(scores, dtype=torch.bool))
        check_values(
            check_results(student.scaled_dot_product_attention(*inputs), 2)[1], expected, axes="batch, query, key"
        )


@given(seeds(), distinct_sizes(count=6, min_size=2, max_size=7))
def test_attention_takes_any_leading_axes(student, seed, shape):
    """scaled_dot_product_attention: any number of leading axes is accepted.

    Hint: count axes from the end: -1 and -2 are the same for any number of leading axes.
    """
    *axes, query, key, d_value = shape
    for leading in ((), axes[:2], axes):
        inputs = inputs_of(query, key, 1, d_value, leading=leading, seed=seed)
        output, weights = check_results(student.scaled_dot_product_attention(*inputs), 2)
        check_values(output, functional.scaled_dot_product_attention(*inputs))
        check_values(weights.sum(dim=-1), torch.ones(*leading, query, dtype=torch.float64))


@given(seeds(), distinct_sizes(count=4, min_size=2))
def test_attention_uses_the_scale_it_is_given(student, seed, shape):
    """scaled_dot_product_attention: `scale` multiplies the scores instead of 1/√d_head.

    Hint: only None selects the default; 0 is a scale like any other.
    """
    inputs = inputs_of(*shape, leading=(2,), seed=seed)
    for scale in (0.3, 2.5, 1.0, 0.0):
        scores = torch.einsum("bqd,bkd->bqk", inputs[0], inputs[1]) * scale
        expected = weights_by_definition(scores, torch.ones_like(scores, dtype=torch.bool))
        output, weights = check_results(student.scaled_dot_product_attention(*inputs, scale=scale), 2)
        check_values(weights, expected)
        check_values(output, torch.einsum("bqk,bkv->bqv", expected, inputs[2]))


@given(seeds(), distinct_sizes(count=3, min_size=2))
def test_attention_is_stable_for_large_scores(student, seed, shape):
    """scaled_dot_product_attention: large queries and keys do not overflow.

    Hint: subtract the maximum before every exponential.
    """
    query, key, d_value = shape
    for scale in (30.0, 1000.0):
        inputs = inputs_of(query, key, 1, d_value, leading=(2,), seed=seed, scale=scale)
        output = check_results(student.scaled_dot_product_attention(*inputs), 2)[0]
        check_values(output, functional.scaled_dot_product_attention(*inputs))


@given(seeds(), distinct_sizes(count=5, min_size=2, max_size=7))
def test_attention_obeys_the_mask(student, seed, shape):
    """scaled_dot_product_attention: each query averages over its allowed keys.

    Hint: True means "may attend"; the mask is broadcast over the axes it lacks.
    """
    *leading, query, key, d_value = shape
    inputs = inputs_of(query, key, 1, d_value, leading=leading, seed=seed)
    for mask_shape in ((query, key), (leading[0], 1, 1, key), (leading[0], 1, query, key)):
        mask = random_mask(*mask_shape, seed=seed + 9)
        output, weights = check_results(student.scaled_dot_product_attention(*inputs, mask), 2)
        check_values(output, functional.scaled_dot_product_attention(*inputs, mask))
        check_values(weights.masked_fill(mask, 0.0), torch.zeros_like(weights, dtype=torch.float64))


@given(seeds(), distinct_sizes(count=3, min_size=3))
def test_attention_is_not_touched_by_blocked_keys(student, seed, shape):
    """scaled_dot_product_attention: a blocked key and its value do not affect the output.

    Hint: the weight of a blocked key is exactly 0, however well the key matches.
    """
    query, key, d_value = shape
    queries, keys, values = inputs_of(query, key, 1, d_value, seed=seed)
    queries = queries.abs() + 0.1
    mask = torch.ones(query, key, dtype=torch.bool)
    mask[:, 1] = False
    before = functional.scaled_dot_product_attention(queries, keys, values, mask)
    for entry in (1.0, 1e6):
        keys[1], values[1] = entry, 1e4
        check_values(check_results(student.scaled_dot_product_attention(queries, keys, values, mask), 2)[0], before)


@given(seeds(), distinct_sizes(count=4, min_size=3))
def test_attention_gives_zeros_where_everything_is_blocked(student, seed, shape):
    """scaled_dot_product_attention: where every key is blocked, output and weights are zero.

    Hint: an average over no keys is defined as 0 here; the other queries are not affected.
    """
    query, key, _, d_value = shape
    inputs = inputs_of(*shape, seed=seed)
    mask = random_mask(query, key, seed=seed + 9)
    mask[1] = False
    output, weights = check_results(student.scaled_dot_product_attention(*inputs, mask=mask), 2)
    check_values(output[1], torch.zeros(d_value, dtype=torch.float64))
    check_values(weights[1], torch.zeros(key, dtype=torch.float64))
    check_that(float(weights[0].sum()) > 0, "the other queries get zero weights as well")


@given(seeds(), distinct_sizes(count=3, min_size=3))
def test_attention_has_the_right_gradients(student, seed, shape):
    """scaled_dot_product_attention: the gradients of query, key and value are correct.

    Hint: use tensor operations throughout, and detach nothing.
    """
    query, key, d_value = shape
    inputs = inputs_of(query, key, 1, d_value, leading=(2,), seed=seed, requires_grad=True)
    mask = random_mask(query, key, seed=seed + 9)
    output = check_results(student.scaled_dot_product_attention(*inputs, mask), 2)[0]
    grad_output = normal_tensor(*output.shape, seed=seed + 10)
    found = torch.autograd.grad(output, inputs, grad_output)
    expected = torch.autograd.grad(functional.scaled_dot_product_attention(*inputs, mask), inputs, grad_output)
    check_values(found, expected)


def test_attention_keeps_the_dtype(student):
    """scaled_dot_product_attention: output and weights have the dtype of the inputs.

    Hint: a tensor that you create for the scale or the mask may widen the dtype of the result.
    """
    mask = random_mask(4, 4, seed=51)
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        inputs = [tensor.to(dtype) for tensor in inputs_of(4, 4, 3, 2, leading=(1,), seed=52)]
        check_computes(student.scaled_dot_product_attention, [*inputs, mask], [*reversed_values(inputs), mask])
        for more in ([], [mask]):
            for tensor in check_results(student.scaled_dot_product_attention(*inputs, *more), 2):
                check_dtype(tensor, dtype)


def test_attention_keeps_the_device(student):
    """scaled_dot_product_attention: output and weights are on the device of the inputs.

    Hint: tensors that you create need the device of the query.
    """
    inputs, mask = inputs_of(4, 4, 3, 2, leading=(1,), seed=53), random_mask(4, 4, seed=54)
    check_computes(student.scaled_dot_product_attention, [*inputs, mask], [*reversed_values(inputs), mask])
    check_keeps_device(student, student.scaled_dot_product_attention, *inputs, mask)
    check_keeps_device(student, student.scaled_dot_product_attention, *inputs, scale=0.5)


def test_attention_leaves_its_inputs_alone(student):
    """scaled_dot_product_attention: query, key, value and mask are not modified.

    Hint: `query /= …` and functions whose names end in an underscore modify the tensor they are given.
    """
    inputs, mask = inputs_of(4, 4, 3, 2, leading=(1,), seed=55), random_mask(4, 4, seed=56)
    check_computes(student.scaled_dot_product_attention, [*inputs, mask], [*reversed_values(inputs), mask])
    check_inputs_unchanged(student, student.scaled_dot_product_attention, *inputs, mask)
    check_inputs_unchanged(student, student.scaled_dot_product_attention, *inputs, scale=0.5)


def reversed_values(inputs):
    """The same query and key, with the values in reverse order."""
    query, key, value = inputs
    return query, key, value.flip(-2)
