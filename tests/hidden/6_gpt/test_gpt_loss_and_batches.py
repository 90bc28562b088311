"""Hidden tests of the loss and of the batches."""

import math

import gpt_training_in_worker
import torch
from gpt_oracles import in_worker, starts_of
from hypothesis import given
from torch.nn import functional

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_raises,
    check_results,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds, sizes


def classes(*shape, vocab, seed):
    return torch.randint(vocab, shape, generator=torch.Generator().manual_seed(seed))


def with_ignored(targets, ignored=-100, *, first=False):
    """Replace every second target with `ignored`, beginning with the first target or the second."""
    replaced = torch.arange(targets.numel()).reshape(targets.shape) % 2 == (0 if first else 1)
    return targets.masked_fill(replaced, ignored)


def surprise(logits, targets, ignored=-100):
    """Compute the loss in a loop over the targets, in Python floats."""
    losses = []
    for row, target in zip(logits.flatten(0, -2).tolist(), targets.flatten().tolist(), strict=True):
        if target != ignored:
            top = max(row)
            losses.append(top + math.log(sum(math.exp(value - top) for value in row)) - row[target])
    return torch.tensor(sum(losses) / len(losses), dtype=torch.float64)


# --- cross_entropy ---------------------------------------------------------------------------------------------------


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7))
def test_loss_is_the_mean_surprise(student, seed, sizes):
    """cross_entropy: the loss is the mean of −log p(target), classes on the last axis.

    Hint: −log softmax(logits)[target], then the mean over all targets, whatever row they are in.
    """
    for batch, length, vocab in (sizes, (4, 4, 4), (1, 1, 2), (2, 17, 60)):
        logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0)
        targets = classes(batch, length, vocab=vocab, seed=seed)
        check_values(student.cross_entropy(logits, targets), surprise(logits, targets), accuracy=torch.float32)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_loss_takes_any_leading_axes(student, seed, sizes):
    """cross_entropy: one or three axes of targets also give a 0-d tensor.

    Hint: -1 is the last axis, however many axes there are.
    """
    for count in (1, 3):
        logits = normal_tensor(*sizes[: count + 1], seed=seed)
        targets = classes(*sizes[:count], vocab=sizes[count], seed=seed)
        expected = functional.cross_entropy(logits.reshape(-1, sizes[count]), targets.reshape(-1))
        check_values(student.cross_entropy(logits, targets), expected, accuracy=torch.float32)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_loss_leaves_ignored_targets_out(student, seed, sizes):
    """cross_entropy: `ignore_index` counts neither in the sum nor in the divisor.

    Hint: divide by the number of targets that count, not by the number of all targets. `ignore_index` can be any
    number, also a class.
    """
    batch, length, vocab = sizes
    logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0)
    for ignored, options in ((-100, {}), (-1, {"ignore_index": -1}), (1, {"ignore_index": 1})):
        for first in (True, False):
            targets = with_ignored(classes(batch, length, vocab=vocab, seed=seed), ignored, first=first)
            targets.view(-1)[1 if first else 0] = 0  # at least one target counts
            loss = student.cross_entropy(logits, targets, **options)
            check_values(loss, surprise(logits, targets, ignored), accuracy=torch.float32)


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=6))
def test_loss_of_nothing_is_zero(student, seed, sizes):
    """cross_entropy: the loss is 0.0 with zero gradient when no target counts.

    Hint: divide by 1 instead of 0, and keep the graph: a plain 0.0 has none.
    """
    logits = normal_tensor(*sizes, seed=seed, requires_grad=True)
    loss = student.cross_entropy(logits, torch.full(sizes[:1], -100))
    check_values(loss, torch.zeros((), dtype=torch.float64))
    check_that(loss.requires_grad, "the loss has no graph where no target counts")
    loss.backward()
    check_values(logits.grad, torch.zeros(sizes, dtype=torch.float64))
    some = student.cross_entropy(logits.detach(), torch.zeros(sizes[:1], dtype=torch.int64))
    check_shape(some, ())
    check_that(bool(some > 0), "the loss is zero where targets count")


@given(seeds())
def test_loss_is_stable(student, seed):
    """cross_entropy: logits of any size give the right loss and a finite gradient.

    Hint: log(softmax(x)) overflows or takes the log of 0; x − max − log Σ exp(x − max) does not.
    """
    for scale in (1e3, 1e5):
        logits = normal_tensor(4, 3, 6, seed=seed, scale=scale, requires_grad=True)
        targets = classes(4, 3, vocab=6, seed=seed)
        loss = student.cross_entropy(logits, targets)
        check_values(loss, surprise(logits.detach(), targets), accuracy=torch.float32)
        loss.backward()
        check_finite(logits.grad)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_loss_passes_gradients(student, seed, sizes):
    """cross_entropy: the gradient is (softmax − target) / count, and 0 where ignored.

    Hint: no operation between the logits and the loss may detach, round or use argmax.
    """
    batch, length, vocab = sizes
    logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0, requires_grad=True)
    targets = with_ignored(classes(batch, length, vocab=vocab, seed=seed))
    counted = (targets != -100).unsqueeze(-1)
    right = functional.one_hot(targets.clamp(min=0), vocab)
    expected = (logits.detach().softmax(dim=-1) - right) * counted / counted.sum()
    loss = student.cross_entropy(logits, targets)
    check_shape(loss, ())
    check_that(loss.requires_grad, "the loss is detached from the graph")
    loss.backward()
    check_close(logits.grad, expected, rtol=1e-4, atol=1e-6)  # another check covers precision


def test_loss_keeps_dtype_and_device(student):
    """cross_entropy: the loss has the dtype and the device of the logits.

    Hint: create no tensor without a dtype and a device.
    """
    targets = with_ignored(classes(2, 3, vocab=5, seed=1))
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        logits, other = (normal_tensor(2, 3, 5, seed=seed, scale=2.0, dtype=dtype) for seed in (1, 2))
        check_computes(student.cross_entropy, [logits, targets], [other, targets])
        check_dtype(student.cross_entropy(logits, targets), dtype)
    check_keeps_device(student, student.cross_entropy, logits, targets)


@given(seeds())
def test_loss_has_the_precision_of_its_logits(student, seed):
    """cross_entropy: float64 logits give a loss with float64's precision.

    Hint: compute in the dtype of the logits; `.float()` rounds float64 to 7 digits.
    """
    logits, targets = normal_tensor(3, 4, 5, seed=seed, scale=3.0), classes(3, 4, vocab=5, seed=seed)
    check_close(student.cross_entropy(logits, targets), surprise(logits, targets), rtol=1e-11, atol=0.0)


def test_loss_leaves_its_inputs_alone(student):
    """cross_entropy: logits and targets are not changed in place.

    Hint: `targets[targets == -100] = 0` changes the caller's targets.
    """
    logits, other = (normal_tensor(2, 3, 5, seed=seed) for seed in (1, 2))
    targets = with_ignored(classes(2, 3, vocab=5, seed=1))
    check_computes(student.cross_entropy, [logits, targets], [other, targets])
    check_inputs_unchanged(student, student.cross_entropy, logits, targets)


# --- sample_batch ----------------------------------------------------------------------------------------------------


def drawn(student, tokens, batch_size, context_length, seed, **options):
    """Draw a batch; return inputs and targets as int64, and whether the global generator is unchanged."""
    batch, untouched = in_worker(student, gpt_training_in_worker).sample(
        student.sample_batch, tokens, batch_size, context_length, seed, options
    )
    inputs, targets = check_results(batch, 2)
    for tensor in (inputs, targets):
        check_shape(tensor, (batch_size, context_length), axes="batch, length")
    return inputs.long(), targets.long(), untouched


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=7))
def test_batch_targets_are_the_next_tokens(student, seed, sizes):
    """sample_batch: inputs are windows of the text, and targets are the next tokens.

    Hint: the targets are the window shifted by one position; token id plus one is something else.
    """
    batch, drawn_context = sizes
    long = torch.randperm(60, generator=torch.Generator().manual_seed(seed))
    # In a short text, 60 windows cover every start.
    cases = [(long, batch, drawn_context), (long[: drawn_context + 3], 60, drawn_context)]
    for tokens, windows, context in (*cases, (long, 5, 5), (long, 1, 4), (long, 4, 1), (long, 3, 40), (long[:2], 2, 1)):
        inputs, targets, _ = drawn(student, tokens, windows, context, seed)
        starts = starts_of(tokens, inputs, context)
        check_that(bool(starts.min() >= 0), "the inputs are not windows of the text")
        has_next = bool(starts.max() < len(tokens) - context)
        expected = tokens[starts[:, None] + 1 + torch.arange(context)] if has_next else inputs
        check_close(targets, expected, says="the targets are not the tokens that come next in the text")


@given(seeds())
def test_batch_takes_any_integer_dtype(student, seed):
    """sample_batch: tokens of any integer dtype give int64 results.

    Hint: embeddings and losses need int64. Convert the windows, not the whole text, which can be large.
    """
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.int64):
        most = min(torch.iinfo(dtype).max, 2**31 - 1)
        tokens = most - torch.randperm(40, generator=torch.Generator().manual_seed(seed))
        batch, _ = in_worker(student, gpt_training_in_worker).sample(
            student.sample_batch, tokens.to(dtype), 3, 4, seed, {}
        )
        inputs, targets = check_results(batch, 2)
        for tensor in (inputs, targets):
            check_dtype(tensor, torch.int64)
            check_shape(tensor, (3, 4), axes="batch, length")
        says = "the ids of the tokens change with the dtype"
        check_that(bool((starts_of(tokens, inputs, 4) >= 0).min()), says)


@given(seeds())
def test_batch_starts_anywhere(student, seed):
    """sample_batch: every window is equally likely, the first and the last included.

    Hint: starts run from 0 to n − context_length − 1, both included. Which end does torch.randint exclude?
    """
    count, context, positions = 3000, 4, 6
    tokens = torch.randperm(positions + context, generator=torch.Generator().manual_seed(seed))
    inputs, _, _ = drawn(student, tokens, count, context, seed)
    starts = starts_of(tokens, inputs, context)
    check_that(bool(starts.min() >= 0), "the inputs are not windows of the text")
    found = torch.bincount(starts, minlength=positions + 1)
    check_that(bool(found[positions:].sum() < 1), "a window has no token after it")
    # The mean is 500 each, and the standard deviation 20: the tolerance is seven standard deviations.
    check_that(bool((found[:positions] - 500).abs().max() < 143), "some starts are drawn more often than others")
    steps = (starts[1:] - starts[:-1]) % positions
    # For independent draws, all differences between consecutive starts are equally likely.
    excess = torch.bincount(steps, minlength=positions) - (count - 1) / positions
    check_that(bool(excess.abs().max() < 143), "the start of a window depends on the start of the window before it")


def test_batch_draws_from_the_generator(student):
    """sample_batch: draws come from `generator`; the global generator is unchanged.

    Hint: pass the generator to every function that draws random numbers.
    """
    tokens = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    first, _, untouched = drawn(student, tokens, 20, 5, 7)
    again, _, _ = drawn(student, tokens, 20, 5, 7)
    other, _, _ = drawn(student, tokens, 20, 5, 8)
    check_close(again, first, says="the same seed gives a different batch")
    check_that(bool((other - first).abs().sum() > 0), "a different seed gives the same batch")
    check_equal(untouched, True, says="the draws change the global generator")


def test_batch_draws_from_the_global_generator(student):
    """sample_batch: without a generator, the starts are drawn from the global generator.

    Hint: PyTorch's functions take `generator=None`. A new `torch.Generator()` draws the same numbers each time.
    """
    tokens = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    batches = in_worker(student, gpt_training_in_worker).sample_twice(student.sample_batch, tokens, 20, 5, 7)
    first, second, again = check_results(batches, 3)
    for inputs in (first, second, again):
        check_shape(inputs, (20, 5), axes="batch, length")
    check_that(bool((first - second).abs().sum() > 0), "two calls without a generator give the same batch")
    check_close(again, first, says="a seed of the global generator does not repeat the batch")


@given(sizes(min_size=2, max_size=6))
def test_batch_refuses_a_short_text(student, context):
    """sample_batch: only a text of context_length tokens or fewer raises ValueError.

    Hint: how many tokens do a window and its targets need together?
    """
    tokens = torch.arange(context + 1).flip(0) * 3
    drawn(student, tokens, 2, context, 1)
    with check_raises(ValueError, says="a text that is too short raises no ValueError"):
        drawn(student, tokens[:-1], 2, context, 1)


def test_batch_goes_where_asked(student):
    """sample_batch: the batch is on the given `device`.

    Hint: move both the inputs and the targets.
    """
    drawn(student, torch.arange(9), 3, 2, 1)
    for device in ("meta", "cpu"):
        found = in_worker(student, gpt_training_in_worker).device_of_batch(
            student.sample_batch, torch.arange(9), device
        )
        check_equal(list(found), [device, device], says="the batch is not on the given device")
