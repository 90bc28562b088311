"""Inputs and oracles that the hidden tests of stage 2 share."""

import functools

import torch

from autograder.judge.compare import check_close, check_values
from autograder.judge.strategies import normal_tensor

# Common libraries compute a softmax in float32. One check of each exercise pays for the full accuracy of float64.
check_softmax_values = functools.partial(check_values, accuracy=torch.float32)

# A key axis longer than any that is drawn: some mistakes concern long axes only.
LONG = 24


def check_sole_weight(weights):
    """Check that the weights of a single key are 1 to the last digits, which float32 holds as well."""
    says = "the weight of a single key is not exactly 1: is a constant added to the sum?"
    check_close(weights.double(), torch.ones_like(weights, dtype=torch.float64), rtol=0.0, atol=1e-13, says=says)


def coarse_tensor(*shape, seed, scale=1.0):
    """Normal numbers, rounded to quarters and multiplied by `scale`.

    Float32 holds the products of two such tensors exactly, and their entries are often equal.
    """
    return (4 * normal_tensor(*shape, seed=seed)).round() / 4 * scale


def weights_by_definition(scores, mask):
    """`1 / Σⱼ exp(sⱼ − sᵢ)` over the allowed keys j of each row; 0 for a key i that is blocked."""
    mask = mask.expand(scores.shape)
    differences = scores.unsqueeze(-2) - scores.unsqueeze(-1)  # (…, query, i, j)
    exponentials = torch.exp(differences).masked_fill(~mask.unsqueeze(-2), 0.0)
    return (1 / exponentials.sum(dim=-1)).masked_fill(~mask, 0.0)


def inputs_of(query, key, d_head, d_value, *, leading=(), seed=0, scale=1.0, requires_grad=False):
    """Query, key and value, each with its own seed.

    Checks that do not concern the scale use a `d_head` of 1: √1 is 1, so a wrong scale fails only the scale's checks.
    """
    shapes = ((query, d_head), (key, d_head), (key, d_value))
    return [
        normal_tensor(*leading, *shape, seed=seed + number, scale=scale, requires_grad=requires_grad)
        for number, shape in enumerate(shapes)
    ]


def coarse_inputs(query, key, d_value, *, leading=(), seed=0, scale=1.0):
    """Query, key and value of `d_head` 1; float32 holds the scores exactly."""
    shapes = ((query, 1), (key, 1), (key, d_value))
    return [coarse_tensor(*leading, *shape, seed=seed + number, scale=scale) for number, shape in enumerate(shapes)]


def all_allowed(scores):
    """A mask that blocks nothing."""
    return torch.ones_like(scores, dtype=torch.bool)
