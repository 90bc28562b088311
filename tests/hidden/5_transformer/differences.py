"""Compare gradients with differences of the student's own results: they can be right where values are wrong."""

import torch
from remote_modules import load

from autograder.judge.compare import check_close, check_finite, check_that
from autograder.judge.probes import gradients
from autograder.judge.strategies import normal_tensor

# A difference over five points is exact up to the fourth power of the step. So the step can be large,
# and results that were computed in float32 give the same difference.
STEP = 0.02
WEIGHTS = ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12))
CLOSE = {"rtol": 1e-3, "atol": 1e-3}


def check_differentiates(student, module, state, inputs, seed, call=None):
    """Check the gradient of a random sum of the results along a random direction in inputs and parameters.

    Args:
        student: the submission.
        module: a remote module in float64; None for a function.
        state: its parameters.
        inputs: its floating-point inputs.
        seed: seed of the directions.
        call: function from the inputs to one tensor; the module itself when None.
    """
    call = call or module
    directions = [normal_tensor(*tensor.shape, seed=seed + 900 + number) for number, tensor in enumerate(inputs)]
    moves = {
        name: normal_tensor(*tensor.shape, seed=seed + 950 + number) / 4
        for number, (name, tensor) in enumerate(sorted(state.items()))
    }
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    result = call(*leaves)
    check_finite(result)
    check_that(result.requires_grad, "the result is detached from the graph")
    towards = normal_tensor(*result.shape, seed=seed + 999)
    result.backward(towards)
    check_that(all(leaf.grad is not None for leaf in leaves), "no gradient reaches an input")
    found = sum((leaf.grad * direction).sum() for leaf, direction in zip(leaves, directions, strict=True))
    for name, gradient in (gradients(module) if state else {}).items():
        if name in moves:
            check_that(gradient is not None, "no gradient reaches a parameter")
            found = found + (gradient * moves[name]).sum()
    check_that(bool(found.abs() > 1e-6), "the result does not depend on inputs and parameters")
    expected = 0.0
    for steps, weight in WEIGHTS:
        if state:
            load(student, module, {name: tensor + steps * STEP * moves[name] for name, tensor in state.items()})
        moved = [tensor + steps * STEP * direction for tensor, direction in zip(inputs, directions, strict=True)]
        with torch.no_grad():
            expected = expected + weight / STEP * (call(*moved) * towards).sum()
    check_close(found, expected, says="the gradient differs from the change of the result", **CLOSE)


def check_tells_close_inputs_apart(call, x, seed):
    """Check that a change of x by 1e-9, which float32 cannot hold, has the effect of a small change."""
    direction = normal_tensor(*x.shape, seed=seed + 900)
    before = call(x)
    small, smaller = ((call(x + step * direction) - before) / step for step in (1e-4, 1e-9))
    check_finite(smaller)
    check_that(bool(small.abs().max() > 1e-6), "the result does not depend on the input")
    close = bool((smaller - small).abs().max() < 0.05 * small.abs().max())
    check_that(close, "float64 numbers that differ by 1e-9 have lost their difference")
