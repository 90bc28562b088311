"""Hidden tests of training: the rate, clipping, groups, the optimizer, a step and the evaluation.

A step and the evaluation get the simplest language model, a table of logits, so that a wrong GPT fails only its own
checks. The step gets PyTorch's SGD, so that a wrong optimizer fails only its own checks.
"""

import math

import gpt_training_in_worker
import torch
from gpt_oracles import in_worker
from hypothesis import given
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
def test_rate_warms_up_in_a_line(student, drawn_warmup, drawn_more):
    """learning_rate: during warm-up the rate is max_rate·(step + 1)/warmup.

    Hint: the first step is step 0, and its rate is not 0. The last step of the warm-up has the full rate.
    """
    for warmup, more in ((drawn_warmup, drawn_more), (1, 1), (5, 5), (100, 900)):
        for step in (0, warmup // 2, warmup - 1):
            rate = student.learning_rate(step, 0.3, 0.02, warmup, warmup + more)
            check_close(rate, 0.3 * (step + 1) / warmup)


@given(sizes(min_size=2, max_size=9), sizes(min_size=4, max_size=30))
def test_rate_cools_along_a_cosine(student, drawn_warmup, drawn_more):
    """learning_rate: half a cosine falls from max_rate at `warmup` to min_rate at `total`.

    Hint: (1 + cos(π·progress))/2 falls from 1 to 0. What does it multiply, and from which step does progress count?
    """
    for warmup, more, low in ((drawn_warmup, drawn_more, 0.02), (6, 6, 0.0), (40, 160, 0.1)):
        for fallen in (0, 1, more // 2, more - 1, more):
            share = math.cos(math.pi * fallen / (2 * more)) ** 2  # the same as (1 + cos 2x)/2
            rate = student.learning_rate(warmup + fallen, 0.3, low, warmup, warmup + more)
            check_close(rate, low * (1 - share) + 0.3 * share)


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


def number_of(norm):
    """Return a norm as a float; another check covers that it is a 0-d tensor."""
    is_number = isinstance(norm, float) or (isinstance(norm, torch.Tensor) and norm.numel() == 1)
    check_that(is_number, "the norm is not a number")
    return float(norm)


@given(seeds())
def test_clipping_shortens_all_by_one_factor(student, seed):
    """clip_gradients: gradients with too large a norm are scaled by one factor.

    Hint: compute one norm over all numbers of all gradients, not one norm per gradient and not a bound per number.
    """
    few = some_gradients(seed)
    many = [gradient for number in range(8) for gradient in some_gradients(seed + number)]
    for found in (few, few[:1], [normal_tensor(1, seed=seed)[0], *many]):
        for share in (0.01, 0.95):
            max_norm = share * norm_of(found).item()
            _, clipped = in_worker(student, gpt_training_in_worker).clip(student.clip_gradients, found, max_norm, False)
            factor = max_norm / (norm_of(found) + 1e-6)
            check_values(clipped, [gradient * factor for gradient in found], accuracy=torch.float32)


@given(seeds())
def test_clipping_never_scales_up(student, seed):
    """clip_gradients: gradients within `max_norm` do not change.

    Hint: the factor is at most 1.
    """
    found = some_gradients(seed)
    for room in (1.001, 2.0, 1e4):
        norm, kept = in_worker(student, gpt_training_in_worker).clip(
            student.clip_gradients, found, room * norm_of(found).item(), False
        )
        check_that(number_of(norm) > 0, "the norm of the gradients is 0")
        check_values(kept, found, says="gradients within max_norm are changed")


@given(seeds())
def test_clipping_returns_the_norm_before(student, seed):
    """clip_gradients: the norm before clipping is returned as a 0-d tensor.

    Hint: compute the root of the sum of the squares of all numbers before you change any gradient.
    """
    found = some_gradients(seed)
    for max_norm in (0.5, 1e6):
        norm, _ = in_worker(student, gpt_training_in_worker).clip(student.clip_gradients, found, max_norm, False)
        check_values(norm, norm_of(found), accuracy=torch.float32)


@given(seeds())
def test_clipping_passes_over_missing_gradients(student, seed):
    """clip_gradients: parameters without gradient are skipped; the norm of none is 0.0.

    Hint: `parameter.grad` is None for a parameter that has no gradient.
    """
    remote = in_worker(student, gpt_training_in_worker)
    first, second, third = some_gradients(seed)
    for found in (
        [None, first, second, third],
        [first, None, None, second, third],
        [first, second, third, None],
        [None, first, None, second, None, third, None],
    ):
        norm, clipped = remote.clip(student.clip_gradients, found, 0.5, False)
        check_that(number_of(norm) > 0.4, "the norm leaves out gradients")
        check_equal([gradient is None for gradient in clipped], [gradient is None for gradient in found])
        left = [gradient for gradient in clipped if gradient is not None]
        check_close(norm_of(left), torch.tensor(0.5, dtype=torch.float64), rtol=1e-4)
    for found in ([None, None], []):
        none, _ = remote.clip(student.clip_gradients, found, 0.5, False)
        check_close(number_of(none), 0.0)


@given(seeds())
def test_clipping_reads_its_parameters_once(student, seed):
    """clip_gradients: the parameters can be an iterator, which can be read only once.

    Hint: `model.parameters()` is such an iterator; make a list of it first.
    """
    remote = in_worker(student, gpt_training_in_worker)
    norm, clipped = remote.clip(student.clip_gradients, some_gradients(seed), 0.5, True)
    check_that(number_of(norm) > 0.4, "the norm leaves out gradients")
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
    matrices = ["bias_table", "embedding.weight", "linear.weight"]
    check_equal(list(dict.fromkeys(decayed)), matrices, says="the wrong parameters decay")
    vectors = ["linear.bias", "norm.bias", "norm.weight", "scale"]
    check_equal(list(dict.fromkeys(spared)), vectors, says="the wrong parameters are spared")


def test_groups_hold_each_parameter_once(student):
    """parameter_groups: a parameter used in two modules is in the groups once.

    Hint: `model.parameters()` yields each parameter once; the state dict does not.
    """
    groups, _ = check_results(in_worker(student, gpt_training_in_worker).grouped(student.parameter_groups, 0.3), 2)
    names = sorted(name for group in groups for name in group)
    expected = ["bias_table", "embedding.weight", "linear.bias", "linear.weight", "norm.bias", "norm.weight", "scale"]
    check_equal(names, expected, says="a parameter is missing or occurs twice")


def test_groups_hold_lists(student):
    """parameter_groups: the parameters of a group are in a list.

    Hint: a generator can be read only once.
    """
    _, decays = check_results(in_worker(student, gpt_training_in_worker).grouped(student.parameter_groups, 0.3), 2)
    check_equal(len(decays), 2, says="there are not two groups")
    lists = in_worker(student, gpt_training_in_worker).are_lists(student.parameter_groups)
    check_equal(list(lists), [True, True], says="the parameters of a group are not in a list")


def test_groups_carry_their_decay(student):
    """parameter_groups: in an optimizer, the groups decay by `weight_decay` and by 0.

    Hint: a group without `weight_decay` gets the value of the optimizer.
    """
    _, decays = check_results(in_worker(student, gpt_training_in_worker).grouped(student.parameter_groups, 0.3), 2)
    check_values(list(decays), [0.3, 0.0])


# --- AdamW -----------------------------------------------------------------------------------------------------------

STARTS = ((3, 4), (5,), (2, 2))
ONE_GROUP = [[[0, 1, 2], {}]]
TINY = 1e-30  # an eps without effect, wherever it is added: another check covers eps


def steps_of(count, seed, *, scale=1.0, missing=False, changes=()):
    """Draw gradients for each step; with `missing`, each parameter in turn has none, and then all but one."""
    steps = []
    for step in range(count):
        found = [normal_tensor(*shape, seed=seed + 10 * step + n, scale=scale) for n, shape in enumerate(STARTS)]
        if missing:
            present = [(step + n) % 3 != 0 if step % 2 else (step + n) % 3 == 0 for n in range(len(STARTS))]
            found = [gradient if there else None for gradient, there in zip(found, present, strict=True)]
        steps.append([found, changes[step] if step < len(changes) else []])
    return steps


def check_same_path(student, seed, steps, *, groups=ONE_GROUP, rtol=1e-6, atol=2e-6, **options):
    """Compare the parameters after each step of the student's optimizer with PyTorch's.

    The default tolerances allow for means in float32: another check covers their precision.
    """
    starts = [normal_tensor(*shape, seed=seed + 1000 + n) for n, shape in enumerate(STARTS)]
    expected = gpt_training_in_worker.trajectory(torch.optim.AdamW, starts, groups, options, steps)
    found = in_worker(student, gpt_training_in_worker).trajectory(student.AdamW, starts, groups, options, steps)
    check_shape(found, tuple(expected.shape))
    check_close(found[0], expected[0], says="the first update differs from AdamW's", rtol=rtol, atol=atol)
    check_close(found, expected, says="an update after the first step differs from AdamW's", rtol=rtol, atol=atol)


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
    steps = steps_of(30, seed)
    steps[4:6] = [[["keep"] * len(STARTS), []]] * 2  # the same gradients again: they must not have been changed
    check_same_path(student, seed, steps, lr=0.1, betas=(0.8, 0.95), eps=TINY, weight_decay=0.0)
    check_same_path(student, seed, steps_of(3, seed), groups=[], lr=0.1, betas=(0.0, 0.5), eps=TINY, weight_decay=0.0)


@given(seeds())
def test_adamw_has_the_precision_of_its_parameters(student, seed):
    """AdamW: float64 parameters are updated with float64's precision.

    Hint: `torch.zeros_like(parameter)` has the dtype of the parameter; `torch.zeros(parameter.shape)` has float32.
    """
    check_same_path(student, seed, steps_of(4, seed), rtol=1e-10, atol=1e-11, lr=0.1, eps=TINY, weight_decay=0.0)


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
    first, second = {"lr": 0.02, "betas": (0.5, 0.9), "eps": 0.01}, {"eps": 0.1, "weight_decay": 0.0}
    groups = [[[1], first], [[0, 2], second]]
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
def test_adamw_calls_its_closure(student, seed):
    """AdamW: `step` calls `closure` once, before the update, and returns its result.

    Hint: the closure computes gradients, so gradients must be enabled: `with torch.enable_grad():`.
    """
    start = normal_tensor(3, seed=seed)
    remote = in_worker(student, gpt_training_in_worker)
    results, enabled, weights = check_results(remote.step_with_closure(student.AdamW, start), 3)
    check_equal(list(enabled), [True], says="the closure is not called once with gradients enabled")
    says = "a step does not return the result of its closure, or None without one"
    check_close(list(results), [start.exp().sum(), None], says=says, rtol=1e-6)
    by_closure, plain = weights
    check_that(bool((plain - start).abs().min() > 0), "a step does not change the weights")
    says = "a step with a closure does not use the gradients of the closure"
    check_close(by_closure, plain, says=says, rtol=1e-9)


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


def check_trains(student, seed, *steps, max_norm=1e6, **options):
    """Compare steps with those on all batches together; each of `steps` is a list of batches."""
    starts = tables(seed)
    steps = list(steps)
    expected_options = {name: value for name, value in options.items() if name != "old"}
    big_step = gpt_training_in_worker.big_step
    _, expected = gpt_training_in_worker.train(big_step, *starts, steps, max_norm, expected_options)
    _, found = in_worker(student, gpt_training_in_worker).train(student.train_step, *starts, steps, max_norm, options)
    says = "the step differs from the step on all batches together"
    check_close(found, expected, says=says, rtol=1e-5, atol=1e-6)  # cross_entropy may be less precise


@given(seeds())
def test_train_step_takes_one_step(student, seed):
    """train_step: one batch gives one optimizer step with the gradient of the loss.

    Hint: loss, backward, step, once each.
    """
    for shape in ((3, 4), (4, 4), (1, 1)):
        check_trains(student, seed, batches_of([shape], seed))


@given(seeds())
def test_train_step_keeps_the_state_of_the_optimizer(student, seed):
    """train_step: several steps equal those of the same optimizer on big batches.

    Hint: the optimizer has state, such as its running means; use the optimizer that you get, and leave its state alone.
    """
    check_trains(student, seed, *(batches_of([(3, 4)], seed + step) for step in range(4)))


@given(seeds())
def test_train_step_accumulates(student, seed):
    """train_step: several batches of equal size give the step of one big batch.

    Hint: gradients add up from batch to batch; a sum of means is too long.
    """
    for shape, count in (((2, 4), 3), ((3, 3), 2), ((1, 2), 9)):
        check_trains(student, seed, batches_of([shape] * count, seed))


@given(seeds())
def test_train_step_weighs_by_counted_targets(student, seed):
    """train_step: batches are weighted by their number of counted targets.

    Hint: divide the sum of all losses by the number of all targets that count. The mean of means is a different number.
    """
    check_trains(student, seed, batches_of([(2, 4), (3, 5), (2, 3)], seed, counted=(1, 8, 4)))
    check_trains(student, seed, batches_of([(2, 4), (3, 5), (2, 3)], seed + 1, counted=(3, 0, 5)))
    check_trains(student, seed, batches_of([(2, 4)], seed + 2, counted=(1,)))
    check_trains(student, seed, batches_of([(2, 4), (2, 4)], seed + 3, counted=(0, 6)))


def test_train_step_on_nothing_learns_nothing(student):
    """train_step: without a counted target, the loss is 0.0 and the gradient is zero.

    Hint: what do you divide by?
    """
    starts = tables(1)
    remote = in_worker(student, gpt_training_in_worker)
    steps = [batches_of([(2, 4), (1, 3)], 1, counted=(0, 0))]
    loss, weights = remote.train(student.train_step, *starts, steps, 1.0, {})
    check_close(loss, 0.0)
    check_close(weights, torch.cat([start.flatten() for start in starts]), says="the weights change")
    loss, _ = remote.train(student.train_step, *starts, [batches_of([(2, 4)], 1)], 1.0, {})
    check_that(number_of(loss) > 0, "the loss is zero where targets count")


@given(seeds())
def test_train_step_forgets_old_gradients(student, seed):
    """train_step: gradients left over from before have no effect.

    Hint: zero them before the first backward.
    """
    old = normal_tensor(VOCAB, VOCAB, seed=seed + 5)
    check_trains(student, seed, batches_of([(3, 4)], seed), old=old)


def test_train_step_leaves_the_mode_as_it_was(student):
    """train_step: the model runs in its train/eval mode, which does not change.

    Hint: the caller chooses the mode; call neither `model.train()` nor `model.eval()`.
    """
    for training in (True, False):
        remote = in_worker(student, gpt_training_in_worker)
        called, mode, learnt = check_results(
            remote.modes(student.train_step, *tables(1), batches_of([(3, 4)], 1), training), 3
        )
        check_that(learnt is True and len(called) > 0, "the weights do not change")
        check_equal([*called, mode], [training] * (len(called) + 1), says="the train/eval mode of the model changes")


@given(seeds())
def test_train_step_clips_once(student, seed):
    """train_step: the gradient of all batches is clipped once, before the step.

    Hint: clip after the last backward, over all of the model's parameters.
    """
    for count in (1, 2, 5):
        check_trains(student, seed, batches_of([(2, 4)] * count, seed), max_norm=0.05)
    check_trains(student, seed, batches_of([(2, 4)] * 2, seed), max_norm=0.05, only_table=True)


@given(seeds())
def test_train_step_returns_the_loss(student, seed):
    """train_step: the loss over all counted targets before the step is returned as a float.

    Hint: `.item()` turns a tensor into a float and frees its graph.
    """
    starts = tables(seed)
    for steps in ([batches_of([(2, 4), (3, 5), (2, 3)], seed, counted=(1, 8, 4))], [batches_of([(3, 3)], seed)]):
        expected, _ = gpt_training_in_worker.train(gpt_training_in_worker.big_step, *starts, steps, 0.05, {})
        loss, _ = in_worker(student, gpt_training_in_worker).train(student.train_step, *starts, steps, 0.05, {})
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
    for shapes, counted in (
        ([(2, 4), (1, 3), (2, 4)], (8, 3, 2)),
        ([(2, 4)], (1,)),
        ([(4, 4), (4, 4)], (0, 5)),
        ([(1, 1)] * 3 + [(3, 5)] * 4, (1, 1, 1, 15, 0, 15, 7)),
    ):
        batches = batches_of(shapes, seed, counted=counted)
        check_close(evaluated(student, seed, batches)[0], loss_on_all(seed, batches), rtol=1e-5)


@given(seeds())
def test_evaluation_drops_nothing(student, seed):
    """evaluate: dropout is off, also for a model in training mode.

    Hint: call `model.eval()`.
    """
    batches = batches_of([(2, 4), (2, 4)], seed)
    check_close(evaluated(student, seed, batches, dropout=0.5)[0], loss_on_all(seed, batches), rtol=1e-5)


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
