"""Hidden tests of the loss and of the batches that it is computed on."""

import math

import gpt_training_in_worker
import torch
from gpt_oracles import in_worker, places_of
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
from autograder.judge.strategies import distinct_sizes, normal_tensor, scales, seeds, sizes


def classes(*shape, vocab, seed):
    return torch.randint(vocab, shape, generator=torch.Generator().manual_seed(seed))


def with_ignored(targets, seed, ignored=-100):
    """Some of the targets do not count; the first one always does, the last one never."""
    kept = torch.rand(targets.shape, generator=torch.Generator().manual_seed(seed)) < 0.6
    kept.view(-1)[0], kept.view(-1)[-1] = True, False
    return targets.masked_fill(~kept, ignored)


def surprise(logits, targets, ignored=-100):
    """The loss by a loop over the targets, in Python's own numbers."""
    losses = []
    for row, target in zip(logits.flatten(0, -2).tolist(), targets.flatten().tolist(), strict=True):
        if target != ignored:
            top = max(row)
            losses.append(top + math.log(sum(math.exp(one - top) for one in row)) - row[target])
    return torch.tensor(sum(losses) / len(losses), dtype=torch.float64)


# --- cross_entropy ---------------------------------------------------------------------------------------------------


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7))
def test_loss_is_the_mean_surprise(student, seed, sizes):
    """The loss is the mean of −log p(target), the classes along the last axis.

    Hint: −log softmax(logits)[target], and then the mean over all targets, whatever row they are in.
    """
    batch, length, vocab = sizes
    logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0)
    targets = classes(batch, length, vocab=vocab, seed=seed)
    check_values(student.cross_entropy(logits, targets), surprise(logits, targets))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_loss_takes_any_leading_axes(student, seed, sizes):
    """One axis of targets, or three: the loss is a tensor without axes.

    Hint: -1 is the last axis, however many there are.
    """
    for count in (1, 3):
        logits = normal_tensor(*sizes[: count + 1], seed=seed)
        targets = classes(*sizes[:count], vocab=sizes[count], seed=seed)
        expected = functional.cross_entropy(logits.reshape(-1, sizes[count]), targets.reshape(-1))
        check_values(student.cross_entropy(logits, targets), expected)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_loss_leaves_ignored_targets_out(student, seed, sizes):
    """Targets of `ignore_index` do not count, in the sum and in the number it is divided by.

    Hint: divide by how many targets count, not by how many there are. `ignore_index` may be any number, a class too.
    """
    batch, length, vocab = sizes
    logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0)
    for ignored, options in ((-100, {}), (-1, {"ignore_index": -1}), (1, {"ignore_index": 1})):
        targets = with_ignored(classes(batch, length, vocab=vocab, seed=seed), seed, ignored)
        targets.view(-1)[0] = 0  # one at least counts
        check_values(student.cross_entropy(logits, targets, **options), surprise(logits, targets, ignored))


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=6))
def test_loss_of_nothing_is_zero(student, seed, sizes):
    """Where no target counts the loss is 0.0, and its gradient is zero.

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


@given(seeds(), scales((1e3, 1e5)))
def test_loss_is_stable(student, seed, scale):
    """The loss is right for logits of any size, and its gradient is finite.

    Hint: log(softmax(x)) overflows or meets log 0; x − max − log Σ exp(x − max) does not.
    """
    logits = normal_tensor(4, 3, 6, seed=seed, scale=scale, requires_grad=True)
    targets = classes(4, 3, vocab=6, seed=seed)
    loss = student.cross_entropy(logits, targets)
    check_values(loss, surprise(logits.detach(), targets))
    loss.backward()
    check_finite(logits.grad)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_loss_passes_gradients(student, seed, sizes):
    """The gradient is (softmax − target) / count, and zero where nothing counts.

    Hint: nothing on the way from the logits to the loss may be detached, rounded or looked up by argmax.
    """
    batch, length, vocab = sizes
    logits = normal_tensor(batch, length, vocab, seed=seed, scale=3.0, requires_grad=True)
    targets = with_ignored(classes(batch, length, vocab=vocab, seed=seed), seed)
    counted = (targets != -100).unsqueeze(-1)
    right = functional.one_hot(targets.clamp(min=0), vocab)
    expected = (logits.detach().softmax(dim=-1) - right) * counted / counted.sum()
    loss = student.cross_entropy(logits, targets)
    check_shape(loss, ())
    check_that(loss.requires_grad, "the loss is cut off from the gradient")
    loss.backward()
    check_close(logits.grad, expected, rtol=1e-4, atol=1e-6)  # precision has a check of its own


def test_loss_keeps_dtype_and_device(student):
    """The loss has the dtype of the logits, and is where they are.

    Hint: make no tensor without a dtype and a device.
    """
    targets = with_ignored(classes(2, 3, vocab=5, seed=1), 2)
    for dtype in (torch.bfloat16, torch.float64):
        one, other = (normal_tensor(2, 3, 5, seed=seed, scale=2.0, dtype=dtype) for seed in (1, 2))
        check_computes(student.cross_entropy, [one, targets], [other, targets])
        check_dtype(student.cross_entropy(one, targets), dtype)
    check_keeps_device(student, student.cross_entropy, one, targets)


def test_loss_leaves_its_inputs_alone(student):
    """Logits and targets are afterwards what they were before.

    Hint: `targets[targets == -100] = 0` changes the targets of whoever called you.
    """
    one, other = (normal_tensor(2, 3, 5, seed=seed) for seed in (1, 2))
    targets = with_ignored(classes(2, 3, vocab=5, seed=1), 2)
    check_computes(student.cross_entropy, [one, targets], [other, targets])
    check_inputs_unchanged(student, student.cross_entropy, one, targets)


# --- sample_batch ----------------------------------------------------------------------------------------------------


def drawn(student, tokens, batch_size, context_length, seed, **options):
    """Inputs and targets as tensors of the right shape, as int64, and whether the global generator was left alone."""
    batch, untouched = in_worker(student, gpt_training_in_worker).sample(
        student.sample_batch, tokens, batch_size, context_length, seed, options
    )
    inputs, targets = check_results(batch, 2)
    for tensor in (inputs, targets):
        check_shape(tensor, (batch_size, context_length), axes="batch, length")
    return inputs.long(), targets.long(), untouched


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=7))
def test_batch_targets_are_the_next_tokens(student, seed, sizes):
    """Inputs are windows of the text, and the target of each token is the one after it.

    Hint: the targets are the window one place further on; the number of the token plus one is something else.
    """
    batch, context = sizes
    long = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    # In the short text so many windows start at its every place.
    for tokens, windows in ((long, batch), (long[: context + 3], 60)):
        inputs, targets, _ = drawn(student, tokens, windows, context, seed)
        starts = places_of(tokens, inputs, context)
        check_that(bool(starts.min() >= 0), "the inputs are no windows of the text")
        has_next = bool(starts.max() < len(tokens) - context)
        expected = tokens[starts[:, None] + 1 + torch.arange(context)] if has_next else inputs
        check_close(targets, expected, says="the targets are not the tokens that come next in the text")


@given(seeds())
def test_batch_takes_any_integer_dtype(student, seed):
    """Texts of small integers give int64 all the same: an embedding and a loss ask for it.

    Hint: turn the windows into int64, not the whole text: that may be large.
    """
    for dtype in (torch.uint8, torch.int16, torch.uint16, torch.int64):
        tokens = torch.randperm(40, generator=torch.Generator().manual_seed(seed)).to(dtype)
        batch, _ = in_worker(student, gpt_training_in_worker).sample(student.sample_batch, tokens, 3, 4, seed, {})
        for tensor in check_results(batch, 2):
            check_dtype(tensor, torch.int64)
            check_shape(tensor, (3, 4), axes="batch, length")


@given(seeds())
def test_batch_starts_anywhere(student, seed):
    """Every window is as likely as any other, the first and the last included.

    Hint: starts run from 0 to n − context_length − 1, both included; what does torch.randint exclude?
    """
    count, context, places = 3000, 4, 6
    tokens = torch.randperm(places + context, generator=torch.Generator().manual_seed(seed))
    inputs, _, _ = drawn(student, tokens, count, context, seed)
    starts = places_of(tokens, inputs, context)
    check_that(bool(starts.min() >= 0), "the inputs are no windows of the text")
    found = torch.bincount(starts, minlength=places + 1)
    check_that(bool(found[places:].sum() < 1), "a window starts where no token comes after it")
    # 500 each on average, with a standard deviation of 20: seven of them either way.
    check_that(bool((found[:places] - 500).abs().max() < 143), "some places are drawn more often than others")
    steps = (starts[1:] - starts[:-1]) % places
    # Independent draws: each difference between neighbours is as likely as any other.
    spread = torch.bincount(steps, minlength=places) - (count - 1) / places
    check_that(bool(spread.abs().max() < 143), "a window's place depends on that of the one before")


def test_batch_draws_from_the_generator(student):
    """The batch depends on the generator, and the global one is left alone.

    Hint: hand the generator to every function that draws.
    """
    tokens = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    first, _, untouched = drawn(student, tokens, 20, 5, 7)
    again, _, _ = drawn(student, tokens, 20, 5, 7)
    other, _, _ = drawn(student, tokens, 20, 5, 8)
    check_close(again, first, says="the same seed gives another batch")
    check_that(bool((other - first).abs().sum() > 0), "another seed gives the same batch")
    check_equal(untouched, True, says="the draws come from the global generator, or from both")


@given(sizes(min_size=2, max_size=6))
def test_batch_refuses_a_short_text(student, context):
    """A text without a window and a token after it is a ValueError; one token more is enough.

    Hint: how many tokens do a window and its targets need together?
    """
    tokens = torch.arange(context + 1).flip(0) * 3
    drawn(student, tokens, 2, context, 1)
    with check_raises(ValueError, says="a text that is too short is not refused"):
        drawn(student, tokens[:-1], 2, context, 1)


def test_batch_goes_where_asked(student):
    """The batch is put on the device asked for.

    Hint: inputs and targets, both.
    """
    drawn(student, torch.arange(9), 3, 2, 1)
    for device in ("meta", "cpu"):
        remote = in_worker(student, gpt_training_in_worker)
        found = remote.device_of_batch(student.sample_batch, torch.arange(9), device)
        check_equal(list(found), [device, device], says="the batch is not on the device asked for")
