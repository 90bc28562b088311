"""Hidden tests of softmax.

Oracles: the definition without subtracting a maximum, `1 / Σⱼ exp(xⱼ − xᵢ)`; PyTorch's softmax.
"""

import math

import torch
from attention_oracles import LONG, check_softmax_values, check_sole_weight, coarse_tensor
from hypothesis import example, given

from autograder.judge.compare import check_dtype, check_that
from autograder.judge.probes import check_computes, check_full_accuracy, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds, sizes


def by_definition(x):
    """Softmax over the last axis, computed from the differences between logits."""
    return 1 / torch.exp(x.unsqueeze(-2) - x.unsqueeze(-1)).sum(dim=-1)


@given(seeds(), distinct_sizes(count=2, min_size=2))
def test_softmax_matches_its_definition(student, seed, shape):
    """softmax: weights are exp(x), divided by the sum along the axis.

    Hint: each slice sums to one on its own; keep the summed axis so that the division broadcasts correctly.
    """
    rows, length = shape
    for sizes_of_both in (shape, (rows, rows), (rows, LONG), (LONG, rows), (rows, 1), (1, length)):
        x = normal_tensor(*sizes_of_both, seed=seed, scale=2.0)
        check_softmax_values(student.softmax(x), by_definition(x))
    for x in (normal_tensor(rows, 1, seed=seed), torch.tensor([[5.0, -1000.0], [0.0, -math.inf]]).double()):
        check_sole_weight(student.softmax(x)[:, 0])


@given(seeds())
def test_softmax_keeps_the_proportions_of_small_weights(student, seed):
    """softmax: small weights are positive and keep their proportions.

    Hint: do not limit the logits or the exponentials, and add nothing to the sum.
    """
    x = coarse_tensor(3, LONG, seed=seed) - 3.0 * torch.arange(LONG)
    weights = student.softmax(x)
    check_softmax_values(weights, by_definition(x))
    check_softmax_values(torch.log(weights), torch.log_softmax(x, dim=-1))


@given(seeds(), distinct_sizes(count=4, min_size=1, max_size=5))
def test_softmax_takes_any_number_of_axes(student, seed, shape):
    """softmax: the input may have any number of axes.

    Hint: select the axis with `dim`, never with a fixed number.
    """
    for rank in (1, 2, 3, 4, 5):
        x = normal_tensor(*shape[: rank - 1], LONG, seed=seed + rank)
        check_softmax_values(student.softmax(x), by_definition(x))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
def test_softmax_works_along_any_axis(student, seed, shape):
    """softmax: each slice sums to one along `dim`, for any `dim`.

    Hint: take both the sum and the number that you subtract along `dim`.
    """
    for axes in (shape[:2], (shape[0], shape[0]), shape[:3], shape):
        rank = len(axes)
        for dim in range(-rank, rank):
            x = normal_tensor(*axes[: dim % rank], LONG, *axes[dim % rank + 1 :], seed=seed + rank, scale=3.0)
            expected = by_definition(x.movedim(dim, -1)).movedim(-1, dim)
            check_softmax_values(student.softmax(x, dim=dim), expected)
    check_softmax_values(student.softmax(x, 0), torch.softmax(x, 0))


@given(seeds(), sizes(min_size=2))
def test_softmax_is_stable_for_large_logits(student, seed, length):
    """softmax: logits of any size do not overflow.

    Hint: what happens to softmax when the same number is subtracted from every logit?
    """
    for count in (length, LONG):
        x = coarse_tensor(1, count, seed=seed)
        for scale in (30.0, 1000.0, 1e6, 1e30):
            for shift in (0.0, 30.0, -30.0):
                logits = (x + shift) * scale
                check_softmax_values(student.softmax(logits), torch.softmax(logits, dim=-1))


@given(seeds(), distinct_sizes(count=2, min_size=3))
def test_softmax_is_stable_for_rows_of_very_different_size(student, seed, shape):
    """softmax: a row of huge logits does not change the weights of other rows.

    Hint: subtract each row's own number, not one number for the whole tensor.
    """
    rows, length = shape
    for count in (length, rows, LONG):
        x = coarse_tensor(rows, count, seed=seed)
        for distance in (1e3, 1e5):
            offset = distance * torch.arange(rows, dtype=x.dtype).unsqueeze(-1)
            check_softmax_values(student.softmax(x + offset), torch.softmax(x, dim=-1))
            check_softmax_values(student.softmax(x - offset), torch.softmax(x, dim=-1))


@given(seeds(), distinct_sizes(count=2, min_size=3))
def test_softmax_gives_minus_infinity_no_weight(student, seed, shape):
    """softmax: an entry of -inf gets weight 0, and the other weights sum to one.

    Hint: exp(-inf) is 0; make sure that no earlier step turns -inf into NaN.
    """
    for rows, length in (shape, (LONG, LONG)):
        x = normal_tensor(rows, length, seed=seed)
        for row in range(rows):
            x[row, [(row + step) % length for step in range(1 + row % (length - 1))]] = -math.inf
        weights = student.softmax(x)
        check_softmax_values(weights, torch.softmax(x, dim=-1))
        blocked = weights[x == -math.inf]
        check_softmax_values(blocked != 0, torch.zeros_like(blocked, dtype=torch.bool))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=5))
def test_softmax_of_only_minus_infinity_is_zero(student, seed, shape):
    """softmax: a slice that holds only -inf becomes zeros.

    Hint: -inf minus -inf is NaN, and so is 0 / 0. In both, replace an operand with a harmless number.
    """
    x = normal_tensor(*shape, seed=seed)
    x[-1, 0] = -math.inf
    zeros = torch.zeros(shape[-1], dtype=x.dtype)
    weights = student.softmax(x)
    check_softmax_values(weights[-1, 0], zeros)
    check_that(float(weights[-1, 1].sum()) > 0, "a slice next to the slice of only -inf is zero as well")
    check_softmax_values(student.softmax(x[-1, 0]), zeros)
    check_softmax_values(student.softmax(x.movedim(-1, 0), dim=0)[:, -1, 0], zeros)


@given(seeds(), distinct_sizes(count=2, min_size=2))
@example(1, (3, LONG))
@example(2, (3, 3))
def test_softmax_has_the_right_gradient(student, seed, shape):
    """softmax: the gradient with respect to the logits is correct.

    Hint: use tensor operations throughout; `.data`, `.item()` and NumPy leave the autograd graph.
    """
    for dim, scale in ((-1, 1.0), (0, 1.0), (-1, 30.0)):
        x = coarse_tensor(*shape, seed=seed, scale=scale).requires_grad_()
        grad_output = normal_tensor(*shape, seed=seed + 1)
        (found,) = torch.autograd.grad(student.softmax(x, dim), x, grad_output)
        (expected,) = torch.autograd.grad(torch.softmax(x, dim=dim), x, grad_output)
        check_softmax_values(found, expected)


def test_softmax_has_the_accuracy_of_its_dtype(student):
    """softmax: computes in the dtype of its input.

    Hint: `.float()` and `dtype=torch.float32` round the logits; the dtype of the input is enough.
    """
    x, other = normal_tensor(4, 4, seed=27), normal_tensor(4, 4, seed=28)
    check_full_accuracy(student.softmax, [x], [other])


def test_softmax_keeps_the_dtype(student):
    """softmax: the result has the dtype of the input.

    Hint: a result has the widest dtype among the operands.
    """
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
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
