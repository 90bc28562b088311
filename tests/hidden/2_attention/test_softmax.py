"""Hidden tests of softmax, causal_mask and padding_mask.

Oracles: the definition without subtracting a maximum, `1 / Σⱼ exp(xⱼ − xᵢ)`; PyTorch's softmax; masks built in loops.
"""

import math

import torch
from hypothesis import given

from autograder.judge.compare import check_close, check_dtype, check_that, check_values
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds, sizes


def by_definition(x):
    """Softmax over the last axis, computed from the differences between logits."""
    return 1 / torch.exp(x.unsqueeze(-2) - x.unsqueeze(-1)).sum(dim=-1)


@given(seeds(), distinct_sizes(count=2, min_size=2))
def test_softmax_matches_its_definition(student, seed, shape):
    """softmax: weights are exp(x), divided by the sum along the axis.

    Hint: each slice sums to one on its own; keep the summed axis so that the division broadcasts correctly.
    """
    x = normal_tensor(*shape, seed=seed, scale=2.0)
    check_values(student.softmax(x), by_definition(x))
    square = normal_tensor(shape[0], shape[0], seed=seed + 1)
    check_values(student.softmax(square), torch.softmax(square, dim=-1))


@given(seeds(), distinct_sizes(count=5, min_size=1, max_size=5))
def test_softmax_takes_any_number_of_axes(student, seed, shape):
    """softmax: the input may have any number of axes.

    Hint: select the axis with `dim`, never with a fixed number.
    """
    for rank in (1, 3, 4, 5):
        x = normal_tensor(*shape[:rank], seed=seed + rank)
        check_values(student.softmax(x), by_definition(x))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
def test_softmax_works_along_any_axis(student, seed, shape):
    """softmax: each slice sums to one along `dim`, for any `dim`.

    Hint: take both the sum and the number that you subtract along `dim`.
    """
    for rank in (2, 4):
        x = normal_tensor(*shape[:rank], seed=seed + rank, scale=3.0)
        for dim in range(-rank, rank):
            expected = by_definition(x.movedim(dim, -1)).movedim(-1, dim)
            check_values(student.softmax(x, dim=dim), expected)
    check_values(student.softmax(x, 0), torch.softmax(x, 0))


@given(seeds(), sizes(min_size=2))
def test_softmax_is_stable_for_large_logits(student, seed, length):
    """softmax: logits of 1000 and more do not overflow.

    Hint: what happens to softmax when the same number is subtracted from every logit?
    """
    x = normal_tensor(1, length, seed=seed)
    for scale in (30.0, 1000.0, 1e6):
        for shift in (0.0, 3.0, -3.0):
            logits = (x + shift) * scale
            check_values(student.softmax(logits), torch.softmax(logits, dim=-1))


@given(seeds(), distinct_sizes(count=2, min_size=3))
def test_softmax_is_stable_for_rows_of_very_different_size(student, seed, shape):
    """softmax: a row of huge logits does not change the weights of other rows.

    Hint: subtract each row's own number, not one number for the whole tensor.
    """
    x = normal_tensor(*shape, seed=seed)
    for distance in (1e3, 1e5):
        offset = distance * torch.arange(shape[0], dtype=x.dtype).unsqueeze(-1)
        check_values(student.softmax(x + offset), torch.softmax(x, dim=-1))
        check_values(student.softmax(x - offset), torch.softmax(x, dim=-1))


@given(seeds(), distinct_sizes(count=2, min_size=3))
def test_softmax_gives_minus_infinity_no_weight(student, seed, shape):
    """softmax: an entry of -inf gets weight 0, and the other weights sum to one.

    Hint: exp(-inf) is 0; make sure that no earlier step turns -inf into NaN.
    """
    rows, length = shape
    x = normal_tensor(rows, length, seed=seed)
    for row in range(rows):
        x[row, [(row + step) % length for step in range(1 + row % (length - 1))]] = -math.inf
    check_values(student.softmax(x), torch.softmax(x, dim=-1))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=5))
def test_softmax_of_only_minus_infinity_is_zero(student, seed, shape):
    """softmax: a slice that holds only -inf becomes zeros.

    Hint: -inf minus -inf is NaN, and so is 0 / 0. In both, replace an operand with a harmless number.
    """
    x = normal_tensor(*shape, seed=seed)
    x[-1, 0] = -math.inf
    weights = student.softmax(x)
    check_values(weights[-1, 0], torch.zeros(shape[-1], dtype=x.dtype))
    check_that(float(weights[-1, 1].sum()) > 0, "a slice next to the slice of only -inf is zero as well")
    check_values(student.softmax(x[-1, 0]), torch.zeros(shape[-1], dtype=x.dtype))


@given(seeds(), distinct_sizes(count=2, min_size=2))
def test_softmax_has_the_right_gradient(student, seed, shape):
    """softmax: the gradient with respect to the logits is correct.

    Hint: use tensor operations throughout; `.data`, `.item()` and NumPy leave the autograd graph.
    """
    x = normal_tensor(*shape, seed=seed, requires_grad=True)
    grad_output = normal_tensor(*shape, seed=seed + 1)
    (found,) = torch.autograd.grad(student.softmax(x), x, grad_output)
    (expected,) = torch.autograd.grad(torch.softmax(x, dim=-1), x, grad_output)
    check_values(found, expected)


def test_softmax_keeps_the_dtype(student):
    """softmax: the result has the dtype of the input.

    Hint: a result has the widest dtype among the operands.
    """
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        x, other = (normal_tensor(4, 4, seed=seed, dtype=dtype) for seed in (21, 22))
        check_computes(student.softmax, [x], [other])
        check_dtype(student.softmax(x), dtype)


def test_softmax_keeps_the_device(student):
    """softmax: the result is on the device of the input.

    Hint: tensors that you create need `device=x.device`.
    """
    x, other = normal_tensor(4, 4, seed=23), normal_tensor(4, 4, seed=24)
    check_computes(student.softmax, [x], [other])
    check_keeps_device(student, student.softmax, x, dim=-1)
    check_keeps_device(student, student.softmax, x, dim=0)


def test_softmax_leaves_its_input_alone(student):
    """softmax: the logits are not modified.

    Hint: `x -= …`, `x[…] = …` and functions whose names end in an underscore modify the tensor they are given.
    """
    x, other = normal_tensor(4, 4, seed=25), normal_tensor(4, 4, seed=26)
    check_computes(student.softmax, [x], [other])
    for scale in (1.0, 1000.0):
        check_inputs_unchanged(student, student.softmax, x * scale)
    empty = x.clone()
    empty[1], empty[2, 0] = -math.inf, -math.inf
    check_inputs_unchanged(student, student.softmax, empty, dim=-1)


def aligned_at_the_end(query_length, key_length):
    """Causal mask, built in loops: True where the key is at least as far from the end as the query."""
    rows = [
        [key_length - 1 - key >= query_length - 1 - query for key in range(key_length)] for query in range(query_length)
    ]
    return torch.tensor(rows, dtype=torch.bool).reshape(query_length, key_length)


def test_causal_mask_hides_the_future(student):
    """causal_mask: each position may attend to itself and earlier positions only.

    Hint: True means "may attend"; the diagonal is True.
    """
    for length in (4, 2, 1):
        expected = aligned_at_the_end(length, length)
        check_close(student.causal_mask(length), expected, axes="query, key")
        check_close(student.causal_mask(length, length), expected, axes="query, key")


def test_causal_mask_lines_up_the_last_query_with_the_last_key(student):
    """causal_mask: with more keys than queries, the last query lines up with the last key.

    Hint: with a cache, the queries are the last positions. By how much does a query's index differ from the index of
    its own key?
    """
    for query_length, key_length in ((3, 7), (2, 3), (1, 6)):
        expected = aligned_at_the_end(query_length, key_length)
        check_close(student.causal_mask(query_length, key_length), expected, axes="query, key")


def test_causal_mask_with_fewer_keys_than_queries(student):
    """causal_mask: with fewer keys than queries, the first queries may attend to nothing.

    Hint: the rule is the same as with more keys; the difference in length is negative here.
    """
    for query_length, key_length in ((5, 3), (4, 1)):
        check_close(student.causal_mask(query_length, key_length), aligned_at_the_end(query_length, key_length))


def test_causal_mask_is_made_on_the_device_asked_for(student):
    """causal_mask: the mask is created on `device`.

    Hint: pass `device` on to every function that creates a tensor.
    """
    check_that(0 < int(student.causal_mask(4, 4, device="cpu").sum()) < 16, "the mask has the same value everywhere")
    check_keeps_device(student, student.causal_mask, 3, 5, device="cpu")
    check_keeps_device(student, student.causal_mask, 4, device="cpu")


def test_padding_mask_marks_real_tokens(student):
    """padding_mask: True at the first `lengths` positions of each row, False on padding.

    Hint: a sequence of length 1 has a single real token, at position 0.
    """
    for lengths, max_length in (([3, 0, 5, 1], 5), ([2, 4], 7), ([1, 2, 3], 3)):
        expected = torch.tensor([[position < length for position in range(max_length)] for length in lengths])
        check_close(student.padding_mask(torch.tensor(lengths), max_length), expected, axes="batch, max_length")


def test_padding_mask_keeps_the_device(student):
    """padding_mask: the mask is on the device of `lengths`.

    Hint: `torch.arange` creates its tensor on the CPU unless you pass `device`.
    """
    lengths = torch.tensor([2, 3])
    check_computes(student.padding_mask, [lengths, 4], [torch.tensor([4, 1]), 4])
    check_keeps_device(student, student.padding_mask, lengths, 4)
