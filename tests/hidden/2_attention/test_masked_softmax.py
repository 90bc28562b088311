"""Hidden tests of masked_softmax.

Oracles: the definition row by row without subtracting a maximum; PyTorch's softmax; and two invariants: blocked keys
do not affect the result, and weights sum to one.
"""

import torch
from attention_oracles import (
    LONG,
    all_allowed,
    check_softmax_values,
    check_sole_weight,
    coarse_tensor,
    weights_by_definition,
)
from hypothesis import example, given

from autograder.judge.compare import check_close, check_dtype, check_finite, check_that
from autograder.judge.probes import check_computes, check_full_accuracy, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds

# Half of the lowest number of each dtype, or of float32 where the dtype has a wider range.
LOWEST = tuple(
    (dtype, max(torch.finfo(dtype).min, torch.finfo(torch.float32).min) / 2)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
@example(1, (2, 4, LONG))
@example(2, (3, 3, 3))
def test_masked_softmax_without_a_mask_is_softmax(student, seed, shape):
    """masked_softmax: without a mask, the result is the softmax over all keys.

    Hint: `mask=None` means that no key is blocked.
    """
    scores = normal_tensor(*shape, seed=seed)
    check_softmax_values(student.masked_softmax(scores), torch.softmax(scores, dim=-1))
    check_softmax_values(student.masked_softmax(scores, None), torch.softmax(scores, dim=-1))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
@example(1, (3, 5, LONG))
def test_masked_softmax_shares_the_weight_among_allowed_keys(student, seed, shape):
    """masked_softmax: weights sum to one over the allowed keys; blocked keys get 0.

    Hint: True means "may attend". Which score makes softmax give a key the weight 0?
    """
    scores = normal_tensor(*shape, seed=seed, scale=2.0)
    mask = random_mask(*shape, seed=seed + 1)
    weights = student.masked_softmax(scores, mask)
    check_softmax_values(weights, weights_by_definition(scores, mask))
    zeros = torch.zeros(int((~mask).sum()), dtype=weights.dtype)
    check_close(weights[~mask], zeros, atol=0.0, says="the weight of a blocked key is not exactly 0")
    check_sole_weight(student.masked_softmax(scores, torch.arange(shape[-1]) == 1)[..., 1])
    square = normal_tensor(shape[0], shape[0], seed=seed + 2)
    causal = all_allowed(square).tril()
    check_softmax_values(student.masked_softmax(square, mask=causal), weights_by_definition(square, causal))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (3, 3, 3, 3))
@example(2, (2, 3, 4, LONG))
def test_masked_softmax_broadcasts_the_mask(student, seed, shape):
    """masked_softmax: a mask with fewer axes, or with axes of size 1, is broadcast.

    Hint: let PyTorch broadcast the mask; do not flatten it, and do not rely on equal shapes.
    """
    batch, heads, query, key = shape
    scores = normal_tensor(*shape, seed=seed)
    for mask_shape in (
        (key,), (query, key), (1, key), (batch, 1, 1, key), (heads, 1, key), (batch, 1, query, key)
    ):  # fmt: skip
        mask = random_mask(*mask_shape, seed=seed + 1)
        check_softmax_values(student.masked_softmax(scores, mask), weights_by_definition(scores, mask))
    mask = random_mask(batch, 1, key, seed=seed + 2)
    check_softmax_values(student.masked_softmax(scores[:, 0], mask), weights_by_definition(scores[:, 0], mask))


@given(seeds(), distinct_sizes(count=2, min_size=3))
@example(1, (4, LONG))
@example(2, (4, 4))
def test_masked_softmax_ignores_a_blocked_key_of_any_score(student, seed, shape):
    """masked_softmax: a blocked key has no influence, however large its score.

    Hint: block before the softmax, and replace the score instead of lowering it.
    """
    scores = coarse_tensor(*shape, seed=seed)
    mask = random_mask(*shape, seed=seed + 1)
    mask[0, :2] = torch.tensor([True, False])
    expected = weights_by_definition(scores, mask)
    for lead in (3.0, 100.0, 1e4, 1e12):
        check_softmax_values(student.masked_softmax(scores.masked_fill(~mask, lead), mask), expected)
    # All allowed scores are far below zero: a key is blocked however small they are.
    low = torch.where(mask, scores - 1e6, 0.0)
    check_softmax_values(student.masked_softmax(low, mask), weights_by_definition(low, mask))


@given(seeds(), distinct_sizes(count=2, min_size=3))
@example(1, (4, LONG))
def test_masked_softmax_takes_the_scores_of_every_dtype(student, seed, shape):
    """masked_softmax: every float dtype is accepted, with scores up to half of its range.

    Hint: a fill value such as -1e9 is too large for float16, and some scores of float32 are lower.
    """
    mask = random_mask(*shape, seed=seed)
    mask[0, :2] = torch.tensor([True, False])
    mask[1] = torch.arange(shape[1]) == 1  # a single key, with the lowest score
    for dtype, low in LOWEST:
        near = normal_tensor(*shape, seed=seed + 1, dtype=dtype)
        halves = (1 + torch.arange(shape[1]) % 2) / 2
        lowest = (low * halves).to(dtype).expand(shape)
        for scores in (near, torch.where(mask, lowest, 0.0), torch.where(mask, lowest, -lowest)):
            expected = weights_by_definition(scores.double(), mask)
            check_softmax_values(student.masked_softmax(scores, mask), expected)


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
        check_softmax_values(weights[-1], zeros)
        check_softmax_values(weights[0, 1], zeros[1])
    allowed = student.masked_softmax(scores, mask)[0, 0]
    check_that(float(allowed.sum()) > 0, "a query that may attend to some keys gets zero weights as well")
    column = torch.arange(shape[1]).unsqueeze(-1) < 2  # key axis of size 1
    check_softmax_values(student.masked_softmax(scores, column)[:, 2:], zeros.expand(scores.shape)[:, 2:])
    nothing = torch.zeros(1, 1, dtype=torch.bool)
    check_softmax_values(student.masked_softmax(scores, nothing), torch.zeros_like(scores))


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
        for grad_output in (torch.ones_like(scores), normal_tensor(*shape, seed=seed + 2)):
            (found,) = torch.autograd.grad(student.masked_softmax(scores, mask), scores, grad_output)
            check_finite(found)


@given(seeds(), distinct_sizes(count=2, min_size=3))
@example(1, (4, LONG))
@example(2, (4, 4))
def test_masked_softmax_has_the_right_gradient(student, seed, shape):
    """masked_softmax: the gradient is correct at allowed scores and 0 at blocked scores.

    Hint: use tensor operations throughout; `.data`, `.item()` and NumPy leave the autograd graph.
    """
    scores = normal_tensor(*shape, seed=seed, requires_grad=True)
    grad_output = normal_tensor(*shape, seed=seed + 2)
    for mask in (random_mask(*shape, seed=seed + 1), None):
        (found,) = torch.autograd.grad(student.masked_softmax(scores, mask), scores, grad_output)
        allowed = all_allowed(scores) if mask is None else mask
        weights = weights_by_definition(scores.detach(), allowed)
        expected = weights * (grad_output - (weights * grad_output).sum(dim=-1, keepdim=True))
        check_softmax_values(found, expected)


def test_masked_softmax_has_the_accuracy_of_its_dtype(student):
    """masked_softmax: computes in the dtype of the scores.

    Hint: `.float()` and `dtype=torch.float32` round the scores; the dtype of the scores is enough.
    """
    scores, other = normal_tensor(4, 4, seed=32), normal_tensor(4, 4, seed=33)
    for mask in (random_mask(4, 4, seed=31), None):
        check_full_accuracy(student.masked_softmax, [scores, mask], [other, mask])


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
