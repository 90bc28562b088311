"""Hidden tests of scaled_dot_product_attention.

Oracles: PyTorch's attention; the definition row by row without subtracting a maximum; and two invariants: blocked
keys and values do not affect the result, and weights sum to one.
"""

import torch
from attention_oracles import (
    LONG,
    all_allowed,
    check_softmax_values,
    check_sole_weight,
    coarse_inputs,
    inputs_of,
    weights_by_definition,
)
from hypothesis import example, given
from torch.nn import functional

from autograder.judge.compare import check_dtype, check_results, check_that
from autograder.judge.probes import check_computes, check_full_accuracy, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds


@given(seeds(), distinct_sizes(count=5, min_size=2))
@example(1, (2, LONG, LONG + 1, LONG + 2, LONG + 3))
@example(2, (3, 1, 1, 1, 1))
def test_attention_averages_the_values(student, seed, shape):
    """scaled_dot_product_attention: the output is softmax(q·kᵀ / √d_head) times the values.

    Hint: which axis do the values share with the weights? How does the standard deviation of q·k grow with d_head?
    """
    batch, query, key, d_head, d_value = shape
    for sizes in ((query, key, d_head, d_value), (query, query, d_head, d_value), (query, key, d_head, d_head)):
        inputs = inputs_of(*sizes, leading=(batch,), seed=seed)
        output = check_results(student.scaled_dot_product_attention(*inputs), 2)[0]
        check_softmax_values(output, functional.scaled_dot_product_attention(*inputs), axes="batch, query, d_value")


@given(seeds(), distinct_sizes(count=5, min_size=2))
@example(1, (2, LONG, LONG + 1, LONG + 2, LONG + 3))
def test_attention_returns_the_weights(student, seed, shape):
    """scaled_dot_product_attention: the second result is the weights; rows sum to one.

    Hint: the weights are `(…, query, key)`, as they are when they average the values.
    """
    batch, query, key, d_head, d_value = shape
    for sizes in ((query, key, d_head, d_value), (query, query, d_head, d_value)):
        inputs = inputs_of(*sizes, leading=(batch,), seed=seed)
        scores = torch.einsum("bqd,bkd->bqk", inputs[0], inputs[1]) / d_head**0.5
        weights = check_results(student.scaled_dot_product_attention(*inputs), 2)[1]
        check_softmax_values(weights, weights_by_definition(scores, all_allowed(scores)), axes="batch, query, key")
    inputs = inputs_of(query, 1, d_head, d_value, leading=(batch,), seed=seed)
    check_sole_weight(check_results(student.scaled_dot_product_attention(*inputs), 2)[1])


@given(seeds(), distinct_sizes(count=6, min_size=2, max_size=7))
@example(1, (2, 3, 2, 4, LONG, 5))
@example(2, (3, 3, 3, 3, 3, 3))
def test_attention_takes_any_leading_axes(student, seed, shape):
    """scaled_dot_product_attention: any number of leading axes is accepted.

    Hint: count axes from the end: -1 and -2 are the same for any number of leading axes.
    """
    *axes, query, key, d_value = shape
    for leading in ((), axes[:2], axes):
        inputs = inputs_of(query, key, 1, d_value, leading=leading, seed=seed)
        output, weights = check_results(student.scaled_dot_product_attention(*inputs), 2)
        check_softmax_values(output, functional.scaled_dot_product_attention(*inputs))
        check_softmax_values(weights.sum(dim=-1), torch.ones(*leading, query, dtype=torch.float64))


@given(seeds(), distinct_sizes(count=4, min_size=2))
@example(1, (4, LONG, LONG + 1, 5))
@example(2, (4, 4, 4, 4))
def test_attention_uses_the_scale_it_is_given(student, seed, shape):
    """scaled_dot_product_attention: `scale` multiplies the scores instead of 1/√d_head.

    Hint: only None selects the default; 0 is a scale like any other.
    """
    inputs = inputs_of(*shape, leading=(2,), seed=seed)
    for scale in (0.3, 2.5, 1.0, 0.0, -0.7):
        scores = torch.einsum("bqd,bkd->bqk", inputs[0], inputs[1]) * scale
        expected = weights_by_definition(scores, all_allowed(scores))
        output, weights = check_results(student.scaled_dot_product_attention(*inputs, scale=scale), 2)
        check_softmax_values(weights, expected)
        check_softmax_values(output, torch.einsum("bqk,bkv->bqv", expected, inputs[2]))


@given(seeds(), distinct_sizes(count=3, min_size=2))
@example(1, (4, LONG, 3))
def test_attention_is_stable_for_large_scores(student, seed, shape):
    """scaled_dot_product_attention: large queries and keys do not overflow.

    Hint: subtract the maximum before every exponential.
    """
    query, key, d_value = shape
    for scale in (30.0, 1000.0, 1e6):
        queries, keys, values = coarse_inputs(query, key, d_value, leading=(2,), seed=seed, scale=scale)
        for shift in (0.0, 3.0 * scale, -3.0 * scale):
            inputs = [queries + shift, keys + 3.0 * scale, values]
            output = check_results(student.scaled_dot_product_attention(*inputs), 2)[0]
            check_softmax_values(output, functional.scaled_dot_product_attention(*inputs))


@given(seeds(), distinct_sizes(count=5, min_size=2, max_size=7))
@example(1, (2, 3, 4, LONG, 5))
@example(2, (3, 3, 3, 3, 3))
def test_attention_obeys_the_mask(student, seed, shape):
    """scaled_dot_product_attention: each query averages over its allowed keys.

    Hint: True means "may attend"; the mask is broadcast over the axes it lacks.
    """
    *leading, query, key, d_value = shape
    inputs = inputs_of(query, key, 1, d_value, leading=leading, seed=seed)
    for mask_shape in ((query, key), (1, key), (leading[0], 1, 1, key), (leading[0], 1, query, key), (*shape[:4],)):
        mask = random_mask(*mask_shape, seed=seed + 9)
        output, weights = check_results(student.scaled_dot_product_attention(*inputs, mask), 2)
        check_softmax_values(output, functional.scaled_dot_product_attention(*inputs, mask))
        check_softmax_values(weights.masked_fill(mask, 0.0), torch.zeros_like(weights, dtype=torch.float64))


@given(seeds(), distinct_sizes(count=3, min_size=3))
@example(1, (4, LONG, 5))
@example(2, (4, 4, 4))
def test_attention_is_not_touched_by_blocked_keys(student, seed, shape):
    """scaled_dot_product_attention: a blocked key and its value do not affect the output.

    Hint: the weight of a blocked key is exactly 0, however well the key matches.
    """
    query, key, d_value = shape
    queries, keys, values = coarse_inputs(query, key, d_value, seed=seed)
    queries = queries.abs() + 0.25
    mask = torch.ones(query, key, dtype=torch.bool)
    mask[:, 1] = False
    # The allowed scores are of order 1, or far below zero: a key is blocked however low they are.
    for allowed in (keys, -1e6 * (1 + keys.abs()), -1e12 * (1 + keys.abs())):
        keys = allowed.clone()
        keys[1], values[1] = 0.0, 0.0
        before = functional.scaled_dot_product_attention(queries, keys, values, mask)
        for entry in (1.0, 1e6):
            keys[1], values[1] = entry, 1e4
            output = check_results(student.scaled_dot_product_attention(queries, keys, values, mask), 2)[0]
            check_softmax_values(output, before)


@given(seeds(), distinct_sizes(count=4, min_size=3))
@example(1, (4, LONG, 5, 3))
@example(2, (4, 4, 4, 4))
def test_attention_gives_zeros_where_everything_is_blocked(student, seed, shape):
    """scaled_dot_product_attention: where every key is blocked, output and weights are zero.

    Hint: an average over no keys is defined as 0 here; the other queries are not affected.
    """
    query, key, _, d_value = shape
    inputs = inputs_of(*shape, seed=seed)
    mask = random_mask(query, key, seed=seed + 9)
    mask[1] = False
    output, weights = check_results(student.scaled_dot_product_attention(*inputs, mask=mask), 2)
    check_softmax_values(output[1], torch.zeros(d_value, dtype=torch.float64))
    check_softmax_values(weights[1], torch.zeros(key, dtype=torch.float64))
    check_that(float(weights[0].sum()) > 0, "the other queries get zero weights as well")


@given(seeds(), distinct_sizes(count=3, min_size=3))
@example(1, (4, LONG, 5))
@example(2, (4, 4, 4))
def test_attention_has_the_right_gradients(student, seed, shape):
    """scaled_dot_product_attention: the gradients of query, key and value are correct.

    Hint: use tensor operations throughout, and detach nothing.
    """
    query, key, d_value = shape
    inputs = inputs_of(query, key, 1, d_value, leading=(2,), seed=seed, requires_grad=True)
    for mask in (random_mask(query, key, seed=seed + 9), None):
        output = check_results(student.scaled_dot_product_attention(*inputs, mask), 2)[0]
        grad_output = normal_tensor(*output.shape, seed=seed + 10)
        found = torch.autograd.grad(output, inputs, grad_output)
        expected = torch.autograd.grad(functional.scaled_dot_product_attention(*inputs, mask), inputs, grad_output)
        check_softmax_values(found, expected)


def test_attention_has_the_accuracy_of_its_dtype(student):
    """scaled_dot_product_attention: computes in the dtype of its inputs.

    Hint: `.float()` and `dtype=torch.float32` round the scores; the dtype of the inputs is enough.
    """
    inputs = inputs_of(4, 4, 3, 2, leading=(1,), seed=52)
    for mask in (random_mask(4, 4, seed=51), None):
        check_full_accuracy(student.scaled_dot_product_attention, [*inputs, mask], [*reversed_values(inputs), mask])


def test_attention_keeps_the_dtype(student):
    """scaled_dot_product_attention: output and weights have the dtype of the inputs.

    Hint: a tensor that you create for the scale or the mask may widen the dtype of the result.
    """
    mask = random_mask(4, 4, seed=51)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
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
