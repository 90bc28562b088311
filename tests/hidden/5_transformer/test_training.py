"""Hidden tests of what training needs: the shifted target, the smoothed loss and the schedule."""

import math

import torch
from differences import check_tells_close_inputs_apart
from drawn_tokens import padded, token_ids
from hypothesis import given
from torch.nn import functional

from autograder.judge.compare import check_close, check_dtype, check_finite, check_shape, check_that, check_values
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds, sizes

# Losses are often computed in float32: one check refuses that, and the others accept its accuracy.
FLOAT32 = torch.float32
SMOOTHINGS = (0.1, 0.35, 0.8)


# --- shift_right -----------------------------------------------------------------------------------------------------


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=7))
def test_shift_right_gives_the_token_before(student, seed, sizes):
    """shift_right: each position holds the token before it, the first holds `start_id`.

    Hint: the result is as long as the tokens.
    """
    for shape in (sizes, (sizes[0], 1), (3, 3), (1, 1), (2, 20)):
        tokens = token_ids(*shape, 50, seed)
        tokens[0] = 17  # the start token may occur among the tokens, and a token may be repeated
        rows = [[17, *row[:-1]] for row in tokens.tolist()]
        check_close(student.shift_right(tokens, 17), torch.tensor(rows), axes="batch, length")


def test_shift_right_keeps_dtype_and_device(student):
    """shift_right: the result has the dtype and the device of the tokens.

    Hint: create the start token with the dtype and device of the tokens.
    """
    for dtype in (torch.int64, torch.int32):
        tokens = token_ids(2, 4, 50, 1).to(dtype)
        check_computes(student.shift_right, [tokens, 17], [tokens + 1, 17])
        check_dtype(student.shift_right(tokens, 17), dtype)
    check_keeps_device(student, student.shift_right, token_ids(2, 4, 50, 1), 17)


def test_shift_right_leaves_the_tokens_alone(student):
    """shift_right: the tokens are not changed in place.

    Hint: writing into a slice of the tokens writes into the tokens, which are the targets.
    """
    tokens = token_ids(2, 4, 50, 2)
    check_computes(student.shift_right, [tokens, 17], [tokens + 1, 17])
    check_inputs_unchanged(student, student.shift_right, tokens, 17)


# --- label_smoothed_loss ---------------------------------------------------------------------------------------------


IGNORED = -100
# Sizes of 1, equal sizes and larger sizes, as (batch, length, vocab), beside the sizes drawn.
SIZES = ((1, 1, 3), (3, 3, 3), (2, 10, 40))


def loss_by_hand(logits, targets, smoothing, pad_id):
    """Compute the mean over real tokens of −Σ q log p, in Python floats."""
    losses = []
    for row, target in zip(logits.flatten(0, 1).tolist(), targets.flatten().tolist(), strict=True):
        if target == pad_id:
            continue
        largest = max(row)
        log_sum = largest + math.log(math.fsum(math.exp(value - largest) for value in row))
        smoothed = [smoothing / len(row) + (1 - smoothing) * (token == target) for token in range(len(row))]
        losses.append(-math.fsum(q * (value - log_sum) for q, value in zip(smoothed, row, strict=True)))
    return torch.tensor(math.fsum(losses) / len(losses), dtype=torch.float64)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7))
def test_loss_without_smoothing_is_cross_entropy(student, seed, sizes):
    """label_smoothed_loss: smoothing 0 gives the mean of −log p of the targets.

    Hint: softmax is over the vocabulary, the last axis.
    """
    for batch, length, vocab in (sizes, *SIZES):
        logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0)
        targets = token_ids(batch, length, vocab, seed, pad_id=0)
        expected = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        check_values(student.label_smoothed_loss(logits, targets, 0.0, 0), expected, accuracy=FLOAT32)


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=7))
def test_loss_spreads_the_smoothing_over_all_classes(student, seed, sizes):
    """label_smoothed_loss: each class gets smoothing/vocab, the target 1 − smoothing more.

    Hint: over how many classes is the smoothing distributed?
    """
    for (batch, length, vocab), smoothing in zip((sizes, *SIZES), (*SMOOTHINGS, 0.5), strict=True):
        logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0)
        targets = token_ids(batch, length, vocab, seed, pad_id=1)
        found = student.label_smoothed_loss(logits, targets, smoothing, 1)
        check_values(found, loss_by_hand(logits, targets, smoothing, pad_id=1), accuracy=FLOAT32)


def padded_batch(seed, sizes, pad_id):
    """Return logits and targets whose rows end in `pad_id`; at least one token of each row is real."""
    batch, length, vocab = sizes
    lengths = [1 + (row + seed) % length for row in range(batch)]
    targets = padded(token_ids(batch, length, vocab, seed, pad_id=pad_id), lengths, pad_id)
    return normal_tensor(batch, length, vocab, seed=seed), targets


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=7))
def test_loss_leaves_padding_out(student, seed, sizes):
    """label_smoothed_loss: targets that are `pad_id` or -100 do not count.

    Hint: the logits at padding have no influence at all, and a target of -100 is treated as padding.
    """
    for pad_id, smoothing in ((0, 0.0), (2, 0.3), (IGNORED, 0.3)):
        logits, targets = padded_batch(seed, sizes, pad_id)
        found = student.label_smoothed_loss(logits, targets, smoothing, pad_id)
        check_shape(found, ())
        check_that(bool(found > 0), "the loss of random logits is not positive")
        other = torch.where((targets == pad_id)[..., None], 30 * logits + 5, logits)
        says = "the loss depends on the logits at padding"
        check_values(student.label_smoothed_loss(other, targets, smoothing, pad_id), found, says=says, accuracy=FLOAT32)
        marked = targets.masked_fill(targets == pad_id, IGNORED)
        found_marked = student.label_smoothed_loss(logits, marked, smoothing, pad_id)
        check_values(found_marked, found, says="a target of -100 counts", accuracy=FLOAT32)


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=7))
def test_loss_is_a_mean_over_real_tokens(student, seed, sizes):
    """label_smoothed_loss: the sum is divided by the number of real tokens.

    Hint: a mean over real tokens divides by their number, whether it is one or many.
    """
    for pad_id, smoothing in ((0, 0.0), (2, 0.3)):
        logits, targets = padded_batch(seed, sizes, pad_id)
        found = student.label_smoothed_loss(logits, targets, smoothing, pad_id)
        check_shape(found, ())
        check_that(bool(found > 0), "the loss of random logits is not positive")
        kept = targets != pad_id
        alone = student.label_smoothed_loss(logits[kept][None], targets[kept][None], smoothing, pad_id)
        check_values(found, alone, says="padding counts in the number of tokens", accuracy=FLOAT32)
        once, twice = (
            student.label_smoothed_loss(
                logits[:1, :1].repeat(1, times, 1), targets[:1, :1].repeat(1, times), smoothing, pad_id
            )
            for times in (1, 2)
        )
        says = "the loss of one token differs from the loss of the same token twice"
        check_values(once, twice, says=says, accuracy=FLOAT32)


def test_loss_of_padding_alone_is_zero(student):
    """label_smoothed_loss: the loss is 0 when no target is a real token.

    Hint: what is 0 divided by 0?
    """
    logits = normal_tensor(2, 3, 5, seed=1)
    some, none = torch.tensor([[1, 2, 2], [2, 2, 2]]), torch.full((2, 3), 2)
    ignored = torch.tensor([[2, IGNORED, 2], [IGNORED, 2, 2]])
    for smoothing in (0.0, 0.3):
        loss = student.label_smoothed_loss(logits, some, smoothing, 2)
        check_shape(loss, ())
        check_that(bool(loss > 0), "the loss of random logits is not positive")
        for targets in (none, ignored):
            found = student.label_smoothed_loss(logits, targets, smoothing, 2)
            check_values(found, torch.tensor(0.0, dtype=torch.float64))


@given(seeds())
def test_loss_is_stable_with_its_gradient(student, seed):
    """label_smoothed_loss: large logits do not overflow, and the gradient is exact.

    Hint: log and softmax are one operation, log_softmax. The gradient is (softmax − smoothed target) / tokens.
    """
    targets = padded(token_ids(2, 4, 7, seed, pad_id=0), (4, 2), 0)
    for scale in (1.0, 1000.0):
        logits = normal_tensor(2, 4, 7, seed=seed, scale=scale, requires_grad=True)
        other = logits.detach().clone().requires_grad_()
        loss = student.label_smoothed_loss(logits, targets, 0.1, 0)
        expected = functional.cross_entropy(other.flatten(0, 1), targets.flatten(), ignore_index=0, label_smoothing=0.1)
        check_values(loss, expected.detach(), accuracy=FLOAT32)
        check_that(loss.requires_grad, "the loss is detached from the graph")
        loss.backward()
        expected.backward()
        check_values(logits.grad, other.grad, accuracy=FLOAT32)


def test_loss_keeps_dtype_and_device(student):
    """label_smoothed_loss: the result has the dtype and the device of the logits.

    Hint: a loss that is computed in a wider dtype is converted back.
    """
    targets = padded(token_ids(2, 4, 7, 1, pad_id=0), (4, 2), 0)
    for dtype in (torch.float64, torch.bfloat16):
        logits, other = (normal_tensor(2, 4, 7, seed=1, scale=scale, dtype=dtype) for scale in (1.0, 10.0))
        check_computes(student.label_smoothed_loss, [logits, targets, 0.1, 0], [other, targets, 0.1, 0])
        check_dtype(student.label_smoothed_loss(logits, targets, 0.1, 0), dtype)
    check_keeps_device(student, student.label_smoothed_loss, logits, targets, 0.1, 0)


def test_loss_computes_in_its_dtype(student):
    """label_smoothed_loss: float64 logits are computed in float64.

    Hint: `logits.float()` rounds float64 logits to float32.
    """
    logits, targets = normal_tensor(2, 3, 5, seed=3), token_ids(2, 3, 5, 4, pad_id=0)
    # Logits that only float64 can hold: a loss that is computed in float32 is NaN.
    huge = student.label_smoothed_loss(1e40 * logits, targets, 0.1, 0)
    check_shape(huge, ())
    check_finite(huge)
    check_tells_close_inputs_apart(lambda logits: student.label_smoothed_loss(logits, targets, 0.1, 0), logits, 5)


def test_loss_leaves_its_inputs_alone(student):
    """label_smoothed_loss: neither the logits nor the targets are changed in place.

    Hint: `targets[targets == -100] = …` changes the targets.
    """
    logits, targets = normal_tensor(2, 4, 7, seed=5), padded(token_ids(2, 4, 7, 6, pad_id=0), (4, 2), 0)
    targets[0, 3] = IGNORED
    check_computes(student.label_smoothed_loss, [logits, targets, 0.1, 0], [-2 * logits, targets, 0.1, 0])
    check_inputs_unchanged(student, student.label_smoothed_loss, logits, targets, 0.1, 0)


# --- warmup_rate -----------------------------------------------------------------------------------------------------


@given(sizes(min_size=16, max_size=600), sizes(min_size=8, max_size=4000))
def test_warmup_rate_follows_the_formula(student, d_model, warmup):
    """warmup_rate: the rate rises linearly until `warmup`, then falls as 1/√step.

    Hint: the smaller of the two terms counts. Where are they equal?
    """
    for width, last in ((512, 4000), (6, 10), (1, 1), (d_model, warmup)):
        peak = 1 / math.sqrt(width * last)
        steps = [1, 2, max(1, last // 2), max(1, last - 1), last, last + 1, 2 * last, 100 * last]
        expected = [peak * step / last if step < last else peak * math.sqrt(last / step) for step in steps]
        # All rates are collected before the first is compared: a single rate fits several mistakes.
        check_close([student.warmup_rate(step, width, last) for step in steps], expected)
