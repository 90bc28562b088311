"""Hidden tests of the norms.

Oracles: the formulas in plain loops over Python floats, PyTorch's functions, and finite differences. Norms are often
computed in float32: one check of each norm refuses that, and the others accept its accuracy.
"""

import math

import torch
from differences import check_differentiates, check_tells_close_inputs_apart
from hypothesis import given
from remote_modules import made
from torch.nn import functional
from transformer_oracles import state_of

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_finite,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

# Seed of the cases that are the same in every run.
SEED = 1
DTYPES = (torch.float64, torch.bfloat16)
AXES = "batch, length, d_model"
# Equal sizes, sizes of 1 and larger sizes, beside the sizes drawn.
SHAPES = ((3, 3, 3), (1, 1, 5), (2, 3, 1), (1, 20, 2), (2, 2, 48))


def norm_of(student, kind, state, **options):
    """Create the student's norm in float64 with these parameters."""
    return made(student, getattr(student, kind), len(state["weight"]), state=state, **options)


def norm_state(d_model, seed, *, bias=True):
    shapes = {"weight": (d_model,), "bias": (d_model,)} if bias else {"weight": (d_model,)}
    return state_of(shapes, seed)


def by_hand(x, state, eps, *, centre):
    """Normalise each vector in Python floats."""
    rows = []
    for row in x.reshape(-1, x.shape[-1]).tolist():
        mean = math.fsum(row) / len(row) if centre else 0.0
        scale = 1 / math.sqrt(math.fsum((value - mean) ** 2 for value in row) / len(row) + eps)
        rows.append([(value - mean) * scale for value in row])
    result = torch.tensor(rows, dtype=torch.float64).reshape(x.shape) * state["weight"]
    return result + state["bias"] if "bias" in state else result


def check_norm(student, kind, x, seed, **options):
    """Compare the student's norm with the formula, with random parameters."""
    centre = kind == "LayerNorm"
    eps = options.get("eps", 1e-5 if centre else 1e-6)
    state = norm_state(x.shape[-1], seed, bias=centre)
    check_same(norm_of(student, kind, state, **options)(x), by_hand(x, state, eps, centre=centre))


def check_same(actual, expected):
    """Check values at the accuracy of float32."""
    check_values(actual, expected, accuracy=torch.float32)


def check_norm_of_shapes(student, kind, drawn, seed):
    """Compare with PyTorch's norm for the sizes drawn and for `SHAPES`.

    The numbers are so large that eps changes no result; `check_tiny_vectors` has numbers of ordinary size.
    """
    for shape, own_seed in ((drawn, seed), *((shape, SEED) for shape in SHAPES)):
        state = norm_state(shape[-1], own_seed, bias=kind == "LayerNorm")
        module = norm_of(student, kind, state)
        for scale in (100.0, 1000.0):
            x = normal_tensor(*shape, seed=own_seed, scale=scale) + 3
            if kind == "LayerNorm":
                expected = functional.layer_norm(x, shape[-1:], state["weight"], state["bias"])
            else:
                expected = functional.rms_norm(x, shape[-1:], state["weight"], eps=1e-6)
            check_values(module(x), expected, axes=AXES, accuracy=torch.float32)


def check_tiny_vectors(student, kind, seed):
    """Check vectors so short, or so nearly constant, that eps determines the result."""
    for scale in (1.0, 1e-2, 1e-3, 1e-5):
        for d_model in (5, 24):
            check_norm(student, kind, normal_tensor(2, 3, d_model, seed=seed, scale=scale), seed)
        check_norm(student, kind, normal_tensor(2, 3, 5, seed=seed, scale=scale), seed, eps=1e-3)
    check_norm(student, kind, torch.zeros(2, 3, 4, dtype=torch.float64), seed)


def check_keeps_dtype_and_device(student, modules, *shape):
    """Check `modules`, given by dtype, on inputs of this shape."""
    for dtype, module in modules.items():
        x, other = (normal_tensor(*shape, seed=seed, dtype=dtype) for seed in (1, 2))
        check_computes(module, [x], [other])
        check_dtype(module(x), dtype)
    check_keeps_device(student, modules[torch.float64], normal_tensor(*shape, seed=3))


def check_any_leading_axes(student, kind, seed, sizes):
    """Compare with the student's own result for three axes, right or wrong."""
    module = norm_of(student, kind, norm_state(sizes[-1], seed, bias=kind == "LayerNorm"))
    for shape in (sizes[-1:], sizes[-2:], sizes, (1, 2, *sizes), (*[sizes[-1]] * 4,)):
        x = normal_tensor(*shape, seed=seed)
        result = module(x)
        check_shape(result, shape)
        check_finite(result)
        check_that(bool(result.max() > result.min()), "all values of the result are equal")
        rows = module(x.reshape(1, -1, sizes[-1]))
        check_shape(rows, (1, x.numel() // sizes[-1], sizes[-1]))
        check_same(result, rows.reshape(shape))


def check_computes_in_its_dtype(student, kind):
    """Check two properties of float64, whatever the values are: its range, and then its precision."""
    module = norm_of(student, kind, norm_state(6, SEED, bias=kind == "LayerNorm"))
    x = normal_tensor(2, 3, 6, seed=SEED)
    # The squares of these numbers are infinite in float32: all vectors become zero.
    huge = module(1e30 * x)
    check_shape(huge, tuple(x.shape), axes=AXES)
    check_finite(huge)
    differ = bool((huge[0] - huge[1]).abs().max() > 1e-3)
    check_that(differ, "float64 vectors of large numbers have lost their differences")
    check_tells_close_inputs_apart(module, x, SEED)


def check_leaves_input_alone(student, kind):
    module, x = getattr(student, kind)(6).double(), normal_tensor(2, 3, 6, seed=5) + 1
    check_computes(module, [x], [-2 * x])
    check_inputs_unchanged(student, module, x)


def by_dtype(student, kind, *sizes):
    return {dtype: getattr(student, kind)(*sizes).to(dtype) for dtype in DTYPES}


# --- LayerNorm -------------------------------------------------------------------------------------------------------


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=7))
def test_layer_norm_normalises_each_vector(student, seed, sizes):
    """LayerNorm: each vector gets mean 0 and variance 1, then weight and bias.

    Hint: mean and variance are over the last axis only. By which number is the sum of squares divided?
    """
    check_norm_of_shapes(student, "LayerNorm", sizes, seed)


@given(seeds())
def test_layer_norm_of_tiny_vectors(student, seed):
    """LayerNorm: short and constant vectors follow the formula, for any `eps`.

    Hint: is eps inside the root, and is it the eps that was passed in?
    """
    check_tiny_vectors(student, "LayerNorm", seed)
    check_norm(student, "LayerNorm", torch.full((2, 3, 4), 0.75, dtype=torch.float64), seed)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_layer_norm_takes_any_leading_axes(student, seed, sizes):
    """LayerNorm: a single vector and any number of leading axes work.

    Hint: count axes from the end: the last axis is -1.
    """
    check_any_leading_axes(student, "LayerNorm", seed, sizes)


def test_layer_norm_has_a_weight_and_a_bias(student):
    """LayerNorm: the parameters are `weight` and `bias`, initialised to 1 and 0.

    Hint: a parameter is an `nn.Parameter`, and its name is the name of the attribute.
    """
    for d_model in (5, 8):
        state = student.LayerNorm(d_model).state_dict()
        check_close(state, {"weight": torch.ones(d_model), "bias": torch.zeros(d_model)})


def test_layer_norm_passes_gradients(student):
    """LayerNorm: gradients reach x, weight and bias, also through mean and variance.

    Hint: compute with tensor operations throughout; `.data` and `detach` leave the graph.
    """
    state = norm_state(5, SEED)
    x = normal_tensor(6, 4, 5, seed=SEED)
    check_differentiates(student, norm_of(student, "LayerNorm", state), state, [x], SEED)


def test_layer_norm_keeps_dtype_and_device(student):
    """LayerNorm: the result has the dtype and the device of the input.

    Hint: a tensor that you create has its own dtype and device.
    """
    check_keeps_dtype_and_device(student, by_dtype(student, "LayerNorm", 6), 2, 3, 6)


def test_layer_norm_leaves_its_input_alone(student):
    """LayerNorm: the input is not changed in place.

    Hint: `x -= …` and methods whose name ends in an underscore change their input.
    """
    check_leaves_input_alone(student, "LayerNorm")


def test_layer_norm_computes_in_its_dtype(student):
    """LayerNorm: a float64 input is computed in float64.

    Hint: `x.float()` rounds a float64 input to float32.
    """
    check_computes_in_its_dtype(student, "LayerNorm")


# --- RMSNorm ---------------------------------------------------------------------------------------------------------


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=7))
def test_rms_norm_scales_each_vector(student, seed, sizes):
    """RMSNorm: each vector is divided by its root mean square, and not shifted.

    Hint: a vector of equal numbers should become all 1, times the weight.
    """
    check_norm_of_shapes(student, "RMSNorm", sizes, seed)


@given(seeds())
def test_rms_norm_of_tiny_vectors(student, seed):
    """RMSNorm: short vectors follow the formula, for any `eps`.

    Hint: is eps inside the root, and is it the eps that was passed in?
    """
    check_tiny_vectors(student, "RMSNorm", seed)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_rms_norm_takes_any_leading_axes(student, seed, sizes):
    """RMSNorm: a single vector and any number of leading axes work.

    Hint: count axes from the end: the last axis is -1.
    """
    check_any_leading_axes(student, "RMSNorm", seed, sizes)


def test_rms_norm_has_a_weight_alone(student):
    """RMSNorm: the only parameter is `weight`, initialised to 1.

    Hint: nothing is shifted, so there is no bias.
    """
    for d_model in (5, 8):
        check_close(student.RMSNorm(d_model).state_dict(), {"weight": torch.ones(d_model)})


def test_rms_norm_passes_gradients(student):
    """RMSNorm: gradients reach x and weight, also through the mean square.

    Hint: compute with tensor operations throughout; `.data` and `detach` leave the graph.
    """
    state = norm_state(5, SEED, bias=False)
    x = normal_tensor(6, 4, 5, seed=SEED)
    check_differentiates(student, norm_of(student, "RMSNorm", state), state, [x], SEED)


def test_rms_norm_keeps_dtype_and_device(student):
    """RMSNorm: the result has the dtype and the device of the input.

    Hint: a tensor that you create has its own dtype and device.
    """
    check_keeps_dtype_and_device(student, by_dtype(student, "RMSNorm", 6), 2, 3, 6)


def test_rms_norm_leaves_its_input_alone(student):
    """RMSNorm: the input is not changed in place.

    Hint: `x *= …` and methods whose name ends in an underscore change their input.
    """
    check_leaves_input_alone(student, "RMSNorm")


def test_rms_norm_computes_in_its_dtype(student):
    """RMSNorm: a float64 input is computed in float64.

    Hint: `x.float()` rounds a float64 input to float32.
    """
    check_computes_in_its_dtype(student, "RMSNorm")
