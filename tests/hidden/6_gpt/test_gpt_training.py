"""Hidden tests of training: the rate, clipping, groups, the optimizer, a step and the evaluation.

A step and the evaluation get the simplest language model, a table of logits, so that a wrong GPT fails only its own
checks. The step gets PyTorch's SGD, so that a wrong optimizer fails only its own checks.
"""

import math

import gpt_training_in_worker
import torch
from gpt_oracles import in_worker
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from autograder.judge.compare import (
    check_close,
    check_equal,
    check_finite,
    check_results,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.strategies import normal_tensor, seeds, sizes

VOCAB = 7


# --- learning_rate ---------------------------------------------------------------------------------------------------


@given(sizes(min_size=2, max_size=9), sizes(min_size=3, max_size=30))
def test_rate_warms_up_in_a_line(student, warmup, more):
    """learning_rate: during warm-up the rate is max_rate·(step + 1)/warmup.

    Hint: the first step is step 0, and its rate is not 0. The last step of the warm-up has the full rate.
    """
    for step in (0, warmup // 2, warmup - 1):
        rate = student.learning_rate(step, 0.3, 0.02, warmup, warmup + more)
        check_close(rate, 0.3 * (step + 1) / warmup)


@given(sizes(min_size=2, max_size=9), sizes(min_size=4, max_size=30))
def test_rate_cools_along_a_cosine(student, warmup, more):
    """learning_rate: half a cosine falls from max_rate at `warmup` to min_rate at `total`.

    Hint: (1 + cos(π·progress))/2 falls from 1 to 0. What does it multiply, and from which step does progress count?
    """
    for fallen in (0, 1, more // 2, more - 1, more):
        share = math.cos(math.pi * fallen / (2 * more)) ** 2  # the same as (1 + cos 2x)/2
        rate = student.learning_rate(warmup + fallen, 0.3, 0.02, warmup, warmup + more)
        check_close(rate, 0.02 * (1 - share) + 0.3 * share)


@given(sizes(min_size=2, max_size=9), sizes(min_size=3, max_size=30))
def test_rate_stays_at_the_end(student, warmup, more):
    """learning_rate: the rate is min_rate after `total`.

    Hint: a cosine rises again after half a period.
    """
    total = warmup + more
    for step in (total + 1, total + more, total + 10 * more + 1):
        check_close(student.learning_rate(step, 0.3, 0.02, warmup, total), 0.02)


def test_rate_needs_no_warm_up(student):
    """learning_rate: with `warmup = 0` the rate starts at max_rate.

    Hint: do not divide by `warmup` when it is 0.
    """
    check_close(student.learning_rate(0, 0.3, 0.02, 0, 10), 0.3)
    check_close(student.learning_rate(5, 0.3, 0.02, 0, 10), 0.16)


# --- clip_gradients --------------------------------------------------------------------------------------------------


def some_gradients(seed, scale=1.0):
    """Draw gradients of three parameters, with very different norms."""
    shapes = ((3, 4), (5,), (2, 1, 3))
    return [normal_tensor(*shape, seed=seed + 5 * n, scale=scale * 4**n) for n, shape in enumerate(shapes)]


def norm_of(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors]).square().sum().sqrt()


@given(seeds(), st.sampled_from((0.01, 1.0, 3.0)))
def test_clipping_shortens_all_by_one_factor(student, seed, max_norm):
    """clip_gradients: gradients with too large a norm are scaled by one factor.

    Hint: compute one norm over all numbers of all gradients, not one norm per gradient and not a bound per number.
    """
    found = some_gradients(seed)
    _, clipped = in_worker(student, gpt_training_in_worker).clip(student.clip_gradients, found, max_norm, False)
    factor = max_norm / (norm_of(found) + 1e-6)
    check_values(clipped, [gradient * factor for gradient in found])


@given(seeds(), st.sampled_from((1.001, 20.0)))
def test_clipping_never_scales_up(student, seed, room):
    """clip_gradients: gradients within `max_norm` do not change.

    Hint: the factor is at most 1.
    """
    found = some_gradients(seed)
    norm, kept = in_worker(student, gpt_training_in_worker).clip(
        student.clip_gradients, found, room * norm_of(found).item(), False
    )
    check_shape(norm, ())
    check_that(bool(norm > 0), "the norm of the gradients is 0")
    check_values(kept, found, says="gradients within max_norm are changed")


@given(seeds(), st.sampled_from((0.5, 1e6)))
def test_clipping_returns_the_norm_before(student, seed, max_norm):
    """clip_gradients: the norm before clipping is returned as a 0-d tensor.

    Hint: compute the root of the sum of the squares of all numbers before you change any gradient.
    """
    found = some_gradients(seed)
    norm, _ = in_worker(student, gpt_training_in_worker).clip(student.clip_gradients, found, max_norm, False)
    check_values(norm, norm_of(found))


@given(seeds())
def test_clipping_passes_over_missing_gradients(student, seed):
    """clip_gradients: parameters without gradient are skipped; the norm of none is 0.0.

    Hint: `parameter.grad` is None for a parameter that has no gradient.
    """
    first, *others = some_gradients(seed)
    norm, clipped = in_worker(student, gpt_training_in_worker).clip(
        student.clip_gradients, [None, first, None, *others], 0.5, False
    )
    check_equal([gradient is None for gradient in clipped], [True, False, True, False, False])
    left = [gradient for gradient in clipped if gradient is not None]
    check_shape(norm, ())
    check_close(norm_of(left), torch.tensor(0.5, dtype=torch.float64), rtol=1e-4)
    none, _ = in_worker(student, gpt_training_in_worker).clip(student.clip_gradients, [None, None], 0.5, False)
    check_values(none, torch.tensor(0.0))


@given(seeds())
def test_clipping_reads_its_parameters_once(student, seed):
    """clip_gradients: the parameters can be an iterator, which can be read only once.

    Hint: `model.parameters()` is such an iterator; make a list of it first.
    """
    remote = in_worker(student, gpt_training_in_worker)
    norm, clipped = remote.clip(student.clip_gradients, some_gradients(seed), 0.5, True)
    check_shape(norm, ())
    check_that(bool(norm > 0.5), "the norm leaves out gradients")
    check_equal([gradient is None for gradient in clipped], [False] * 3)
    check_close(norm_of(clipped), torch.tensor(0.5, dtype=torch.float64), rtol=1e-4)


@given(seeds())
def test_clipping_has_room_for_zero(student, seed):
    """clip_gradients: the factor is max_norm / (norm + 1e-6), also for a norm of 0.

    Hint: 0/0 is not a number.
    """
    found = some_gradients(seed, scale=1e-7)
    max_norm = norm_of(found).item() / 2
    _, clipped = in_worker(student, gpt_training_in_worker).clip(student.clip_gradients, found, max_norm, False)
    factor = max_norm / (2 * max_norm + 1e-6)
    check_close(clipped, [gradient * factor for gradient in found], rtol=1e-3, atol=0.0)
    _, zeros = in_worker(student, gpt_training_in_worker).clip(student.clip_gradients, [torch.zeros(3)], 0.0, False)
    check_finite(zeros[0])


# --- parameter_groups ------------------------------------------------------------------------------------------------


def test_groups_sort_by_shape(student):
    """parameter_groups: matrices and embeddings decay, biases and gains do not.

    Hint: how many axes does each of them have? The first group decays.
    """
    groups, _ = check_results(in_worker(student, gpt_training_in_worker).grouped(student.parameter_groups, 0.3), 2)
    decayed, spared = check_results(groups, 2)
    check_equal(list(dict.fromkeys(decayed)), ["embedding.weight", "linear.weight"], says="the wrong parameters decay")
    check_equal(spared, ["linear.bias", "norm.bias", "norm.weight"], says="the wrong parameters are spared")


def test_groups_hold_each_parameter_once(student):
    """parameter_groups: a parameter used in two modules is in the groups once.

    Hint: `model.parameters()` yields each parameter once; the state dict does not.
    """
    groups, _ = check_results(in_worker(student, gpt_training_in_worker).grouped(student.parameter_groups, 0.3), 2)
    names = sorted(name for group in groups for name in group)
    expected = ["embedding.weight", "linear.bias", "linear.weight", "norm.bias", "norm.weight"]
    check_equal(names, expected, says="a parameter is missing or occurs twice")


def test_groups_carry_their_decay(student):
    """parameter_groups: in an optimizer, the groups decay by `weight_decay` and by 0.

    Hint: a group without `weight_decay` gets the value of the optimizer.
    """
    _, decays = check_results(in_worker(student, gpt_training_in_worker).grouped(student.parameter_groups, 0.3), 2)
    check_values(list(decays), [0.3, 0.0])


# --- AdamW -----------------------------------------------------------------------------------------------------------

STARTS = ((3, 4), (5,))
ONE_GROUP = [[[0, 1], {}]]
TINY = 1e-30  # an eps without effect, wherever it is added: another check covers eps


def steps_of(count, seed, *, scale=1.0, missing=False, changes=()):
    """Draw gradients for each step; with `missing`, the second parameter has none at steps 0, 3, 6, …."""
    steps = []
    for step in range(count):
        found = [normal_tensor(*shape, seed=seed + 10 * step + n, scale=scale) for n, shape in enumerate(STARTS)]
        if missing and step % 3 == 0:
            found[1] = None
        steps.append([found, changes[step] if step < len(changes) else []])
    return steps


def check_same_path(student, seed, steps, *, groups=ONE_GROUP, **options):
    """Compare the parameters after each step of the student's optimizer with PyTorch's."""
    starts = [normal_tensor(*shape, seed=seed + 1000 + n) for n, shape in enumerate(STARTS)]
    expected = gpt_training_in_worker.trajectory(torch.optim.AdamW, starts, groups, options, steps)
    found = in_worker(student, gpt_training_in_worker).trajectory(student.AdamW, starts, groups, options, steps)
    check_shape(found, tuple(expected.shape))
    check_close(found[0], expected[0], says="the first update differs from AdamW's")
    check_close(found, expected, says="an update after the first step differs from AdamW's")


@given(seeds())
def test_adamw_takes_the_first_step(student, seed):
    """AdamW: the first step is lr against the sign of each gradient.

    Hint: both means start at zero and are too small at first: divide them by 1 − βᵗ, with t = 1 at the first step.
    """
    for scale in (1e-2, 1.0, 1e3):
        check_same_path(student, seed, steps_of(1, seed, scale=scale), lr=0.1, eps=TINY, weight_decay=0.0)


@given(seeds())
def test_adamw_goes_on_as_pytorchs(student, seed):
    """AdamW: every further step equals PyTorch's.

    Hint: the means persist from step to step, and t grows by one at each step. Which β belongs to which mean?
    """
    check_same_path(student, seed, steps_of(12, seed), lr=0.1, betas=(0.8, 0.95), eps=TINY, weight_decay=0.0)


@given(seeds())
def test_adamw_decays_apart_from_the_gradient(student, seed):
    """AdamW: weight decay does not depend on the gradient.

    Hint: with a gradient of zero, p ← p·(1 − lr·weight_decay), and nothing else.
    """
    still = [[[torch.zeros(shape, dtype=torch.float64) for shape in STARTS], []]] * 3
    check_same_path(student, seed, still, lr=0.1, weight_decay=0.7)
    check_same_path(student, seed, steps_of(4, seed), lr=0.1, eps=TINY, weight_decay=0.7)


@given(seeds())
def test_adamw_adds_eps_to_the_root(student, seed):
    """AdamW: `eps` is added to √v̂, after the bias correction.

    Hint: √v̂ + eps and √(v̂ + eps) differ where gradients are small.
    """
    check_same_path(student, seed, steps_of(4, seed, scale=1e-4), lr=0.1, eps=1e-3, weight_decay=0.0)


@given(seeds())
def test_adamw_reads_its_groups(student, seed):
    """AdamW: each group has its own settings, which are read at each step.

    Hint: read lr, betas, eps and weight_decay from the group in `step`, not from the arguments of `__init__`.
    """
    groups = [[[1], {"lr": 0.02, "betas": (0.5, 0.9)}], [[0], {"eps": 0.1, "weight_decay": 0.0}]]
    changes = [[], [{"lr": 0.3}, {}], [{"weight_decay": 0.5}, {"lr": 0.01}]]
    steps = steps_of(4, seed, changes=changes)
    check_same_path(student, seed, steps, groups=groups, lr=0.1, weight_decay=0.2)
    found = in_worker(student, gpt_training_in_worker).is_optimizer(student.AdamW)
    check_equal(found, True, says="AdamW is not a torch.optim.Optimizer")


@given(seeds())
def test_adamw_passes_over_missing_gradients(student, seed):
    """AdamW: a parameter without gradient is skipped, and counts its own steps.

    Hint: `continue` where `grad` is None, before any decay or counting; t belongs to the parameter.
    """
    check_same_path(student, seed, steps_of(7, seed, missing=True), lr=0.1, eps=TINY, weight_decay=0.3)


@given(seeds())
def test_adamw_has_pytorchs_defaults(student, seed):
    """AdamW: the default settings equal PyTorch's.

    Hint: lr 1e-3, betas 0.9 and 0.999, eps 1e-8, weight_decay 0.01.
    """
    check_same_path(student, seed, steps_of(6, seed))
    check_same_path(student, seed, steps_of(3, seed, scale=1e-8))


# --- train_step ------------------------------------------------------------------------------------------------------


def tables(seed):
    """Draw the parameters of the simplest model: a table of logits and a bias."""
    return normal_tensor(VOCAB, VOCAB, seed=seed), normal_tensor(VOCAB, seed=seed + 1)


def batches_of(shapes, seed, counted=None):
    """Draw inputs and targets of these shapes; `counted` is the number of targets that count in each batch."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for number, shape in enumerate(shapes):
        inputs, targets = (torch.randint(VOCAB, shape, generator=generator) for _ in range(2))
        if counted is not None:
            targets.view(-1)[counted[number] :] = -100
        batches.append((inputs, targets))
    return batches


def check_trains(student, seed, batches, *, max_norm=1e6, old_gradient=None):
    """Compare a step with the step on all batches together."""
    starts = tables(seed)
    _, expected = gpt_training_in_worker.train(gpt_training_in_worker.big_step, *starts, batches, max_norm, None)
    _, found = in_worker(student, gpt_training_in_worker).train(
        student.train_step, *starts, batches, max_norm, old_gradient
    )
    says = "the step differs from the step on all batches together"
    check_close(found, expected, says=says, rtol=1e-5, atol=1e-6)  # cross_entropy may be less precise


@given(seeds())
def test_train_step_takes_one_step(student, seed):
    """train_step: one batch gives one optimizer step with the gradient of the loss.

    Hint: loss, backward, step, once each.
    """
    check_trains(student, seed, batches_of([(3, 4)], seed))


@given(seeds())
def test_train_step_accumulates(student, seed):
    """train_step: several batches of equal size give the step of one big batch.

    Hint: gradients add up from batch to batch; a sum of means is too long.
    """
    check_trains(student, seed, batches_of([(2, 4)] * 3, seed))


@given(seeds())
def test_train_step_weighs_by_counted_targets(student, seed):
    """train_step: batches are weighted by their number of counted targets.

    Hint: divide the sum of all losses by the number of all targets that count. The mean of means is a different number.
    """
    check_trains(student, seed, batches_of([(2, 4), (3, 5), (2, 3)], seed, counted=(1, 8, 4)))
    check_trains(student, seed, batches_of([(2, 4), (3, 5), (2, 3)], seed + 1, counted=(3, 0, 5)))
    check_trains(student, seed, batches_of([(2, 4)], seed + 2, counted=(1,)))


@given(seeds())
def test_train_step_forgets_old_gradients(student, seed):
    """train_step: gradients left over from before have no effect.

    Hint: zero them before the first backward.
    """
    old = normal_tensor(VOCAB, VOCAB, seed=seed + 5)
    check_trains(student, seed, batches_of([(3, 4)], seed), old_gradient=old)


@given(seeds(), sizes(min_size=1, max_size=3))
def test_train_step_clips_once(student, seed, count):
    """train_step: the gradient of all batches is clipped once, before the step.

    Hint: clip after the last backward, over all of the model's parameters.
    """
    check_trains(student, seed, batches_of([(2, 4)] * count, seed), max_norm=0.05)


@given(seeds())
def test_train_step_returns_the_loss(student, seed):
    """train_step: the loss over all counted targets before the step is returned as a float.

    Hint: `.item()` turns a tensor into a float and frees its graph.
    """
    batches = batches_of([(2, 4), (3, 5), (2, 3)], seed, counted=(1, 8, 4))
    starts = tables(seed)
    expected, _ = gpt_training_in_worker.train(gpt_training_in_worker.big_step, *starts, batches, 0.05, None)
    loss, _ = in_worker(student, gpt_training_in_worker).train(student.train_step, *starts, batches, 0.05, None)
    check_close(loss, expected, rtol=1e-5)
    check_equal(isinstance(loss, float), True, says="the loss is a tensor, not a float")


# --- evaluate --------------------------------------------------------------------------------------------------------


def evaluated(student, seed, batches, *, dropout=0.0, training=True):
    """Return the loss, the mode afterwards, whether graphs were built, and whether gradients were left."""
    results = in_worker(student, gpt_training_in_worker).evaluation(
        student.evaluate, *tables(seed), batches, dropout, training
    )
    return check_results(results, 4)


def check_is_a_loss(loss):
    """Check that the loss is a positive number: an empty function would also pass the check of side effects."""
    number = torch.as_tensor(loss if type(loss) in (float, torch.Tensor) else math.nan)
    check_equal(number.numel() == 1 and bool((number > 0).min()), True, says="the loss is not a positive number")


def loss_on_all(seed, batches):
    table, bias = tables(seed)
    inputs, targets = (torch.cat([tensor.flatten() for tensor in tensors]) for tensors in zip(*batches, strict=True))
    return functional.cross_entropy(table[inputs] + bias, targets).item()


@given(seeds())
def test_evaluation_is_the_mean_over_counted_targets(student, seed):
    """evaluate: the loss is the mean over all counted targets of all batches.

    Hint: a batch that is smaller, or has fewer targets that count, has less weight.
    """
    several = batches_of([(2, 4), (1, 3), (2, 4)], seed, counted=(8, 3, 2))
    for batches in (several, batches_of([(2, 4)], seed, counted=(1,))):
        check_close(evaluated(student, seed, batches)[0], loss_on_all(seed, batches))


@given(seeds())
def test_evaluation_drops_nothing(student, seed):
    """evaluate: dropout is off, also for a model in training mode.

    Hint: call `model.eval()`.
    """
    batches = batches_of([(2, 4), (2, 4)], seed)
    check_close(evaluated(student, seed, batches, dropout=0.5)[0], loss_on_all(seed, batches))


def test_evaluation_leaves_the_mode_as_it_was(student):
    """evaluate: the model keeps its train/eval mode.

    Hint: save `model.training`, and restore it.
    """
    for training in (True, False):
        loss, mode, _, _ = evaluated(student, 3, batches_of([(2, 4)], 3), training=training)
        check_is_a_loss(loss)
        check_equal(mode, training, says="the train/eval mode of the model has changed")


def test_evaluation_makes_no_gradients(student):
    """evaluate: no graph is built and no gradient is left behind.

    Hint: use `torch.no_grad()`.
    """
    loss, _, graphs, left = evaluated(student, 3, batches_of([(2, 4)], 3))
    check_is_a_loss(loss)
    check_equal([graphs, left], [False, False], says="a graph is built, or gradients are left behind")


def test_evaluation_of_nothing_is_zero(student):
    """evaluate: the loss is 0.0 when no target counts.

    Hint: what do you divide by?
    """
    batches = batches_of([(2, 4), (1, 3)], 3, counted=(0, 0))
    check_close(evaluated(student, 3, batches)[0], 0.0)
    check_is_a_loss(evaluated(student, 3, batches_of([(2, 4)], 3))[0])
