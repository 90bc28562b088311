"""Blocks and stacks of a submission with known weights, and the checks that both kinds of block share.

Norms and softmax may be computed in float32, so all values are compared at its accuracy. Values are compared with
PyTorch's layers. Masks, caches and gradients are compared with a different call of the student's own block, so that
wrong values fail only the checks of values.
"""

import torch
from remote_modules import made
from transformer_oracles import block_shapes, stack_shapes, state_of

from autograder.judge.compare import check_dtype, check_equal, check_finite, check_shape, check_that, check_values
from autograder.judge.probes import check_computes, check_keeps_device
from autograder.judge.strategies import normal_tensor

AXES = "batch, length, d_model"
HEADS = 3
# Seed of the checks that loop over all their cases themselves.
SEED = 1
BRANCHES = ("attention", "self_attention", "cross_attention", "feed_forward")
# The rate of dropout, and the number of sequences of length 1 in which it is observed.
RATE, SEQUENCES = 0.2, 800

# The cache comes from stage 3: this stage's module need not import the name.
NEW_CACHE = """
from multihead import KeyValueCache

def new_cache():
    return KeyValueCache()
"""


def state_for(parts, d_model, seed, d_hidden=8):
    return state_of(block_shapes(parts, d_model, d_hidden), seed)


def block_of(student, kind, state, num_heads=HEADS, **options):
    d_hidden, d_model = state["feed_forward.input_proj.weight"].shape
    return made(student, getattr(student, kind), d_model, num_heads, d_hidden, state=state, **options)


def stack_of(student, kind, state, num_heads=HEADS, **options):
    """Create the student's stack in float64 with these parameters."""
    d_hidden, d_model = state["blocks.0.feed_forward.input_proj.weight"].shape
    count = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    return made(student, getattr(student, kind), count, d_model, num_heads, d_hidden, state=state, **options)


def tokens_of(batch, length, seed, d_model=6):
    return normal_tensor(batch, length, d_model, seed=seed + 500)


def result_of(module, x, *rest, **options):
    """Return the result; fail one that has the wrong shape, is constant or equals the input."""
    result = module(x, *rest, **options)
    check_shape(result, tuple(x.shape), axes=AXES)
    check_finite(result)
    check_that(bool(result.max() > result.min()), "all values of the result are equal")
    check_that(bool((result - x).abs().max() > 1e-6), "the result equals the input")
    return result


def check_same(actual, expected, says=None):
    """Check values at the accuracy of float32."""
    check_values(actual, expected, says=says, axes=AXES, accuracy=torch.float32)


def check_state_names(module, expected):
    """Check the names and shapes of a state dict."""
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(module.state_dict().items())}
    says = "the names in the state dict differ from those of the listed modules"
    check_equal(sorted(shapes), sorted(expected), says=says)
    says = "the shape of a parameter differs from that in the listed modules"
    check_equal(shapes, dict(sorted(expected.items())), says=says)


def without(state, *branches):
    """Return the state with the output projections of these branches set to zero, in all blocks."""
    silent = {name for name in state if any(f".{branch}.output_proj." in f".{name}" for branch in branches)}
    return {name: torch.zeros_like(tensor) if name in silent else tensor for name, tensor in state.items()}


def check_share(found, rate, says):
    """Check that the share of True is within 7 standard deviations of `rate`."""
    share = found.double().mean().item()
    tolerance = 7 * (rate * (1 - rate) / found.numel()) ** 0.5
    assert tolerance < rate, "too few numbers to notice that nothing is dropped"
    check_that(abs(share - rate) < tolerance, says)


def check_drops_everywhere(make, state, *memory):
    """Check dropout inside and on each branch of a block or of a stack with one block, and its absence in eval mode.

    Args:
        make: creates a module in training mode from its state and the rate `dropout`, with one head.
        state: its parameters, with one hidden feature.
        memory: what the module reads besides its input; sequences of length 1.
    """
    branches = [branch for branch in BRANCHES if any(f".{branch}.output_proj" in f".{name}" for name in state)]
    x = tokens_of(SEQUENCES, 1, SEED)
    added_nothing = make(without(state, *branches))(x, *memory)
    check_shape(added_nothing, tuple(x.shape), axes=AXES)
    for branch in branches:
        alone = without(state, *(other for other in branches if other != branch))
        alone = {
            name: torch.zeros_like(tensor) if name.endswith("output_proj.bias") else tensor
            for name, tensor in alone.items()
        }
        dropped = result_of(make(alone, dropout=RATE), x, *memory)
        # With one key and one hidden feature, dropping it removes the whole branch.
        gone = _same_sequences(dropped, added_nothing)
        if branch == "feed_forward":
            check_share(gone, RATE, "dropout does not act on the hidden layer at its rate")
        else:
            check_share(gone, RATE, "dropout does not act on the attention weights at its rate")
        kept = 1 - RATE
        scaled = {name: tensor / kept**2 if ".output_proj" in name else tensor for name, tensor in alone.items()}
        whole = _same_sequences(dropped, result_of(make(scaled), x, *memory))
        check_share(whole, kept ** (1 + x.shape[-1]), "dropout does not act at its rate on a branch before it is added")
    dropping = make(state, dropout=RATE).eval()
    check_same(result_of(dropping, x, *memory), result_of(make(state), x, *memory))


def _same_sequences(first, second):
    return (first - second).detach().abs().amax(dim=(1, 2)) < 1e-5


def check_keeps_dtype_and_device(student, kind, norm_first, **memory_lengths):
    """Check a block of this kind, with a memory if it takes one, in two dtypes and on another device."""
    for dtype in (torch.bfloat16, torch.float64):
        module = getattr(student, kind)(6, HEADS, 8, 0.0, norm_first).to(dtype)
        xs = [tokens_of(2, 4, seed).to(dtype) for seed in (1, 2)]
        memory = [tokens_of(2, length, 3).to(dtype) for length in memory_lengths.values()]
        check_computes(module, [xs[0], *memory], [xs[1], *memory])
        check_dtype(module(xs[0], *memory), dtype)
    check_keeps_device(student, module, xs[0], *memory)


def stack_state(parts, num_blocks, seed, d_model=6, d_hidden=8, *, norm_first=True):
    return state_of(stack_shapes(parts, num_blocks, d_model, d_hidden, norm_first=norm_first), seed)
