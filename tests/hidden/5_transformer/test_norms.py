"""Hidden tests of the norms, gelu and the feed-forward layer.

Oracles: the formulas in plain loops over Python floats, PyTorch's functions, and finite differences.
"""

import math

import torch
from differences import check_differentiates
from hypothesis import given
from remote_modules import made
from torch.nn import functional
from transformer_oracles import feed_forward_shapes, state_of

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

DTYPES = (torch.float64, torch.bfloat16)


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
    check_values(norm_of(student, kind, state, **options)(x), by_hand(x, state, eps, centre=centre))


def check_tiny_vectors(student, kind, seed):
    """Check vectors so short, or so nearly constant, that eps determines the result."""
    for scale in (1e-2, 1e-3, 1e-5):
        check_norm(student, kind, normal_tensor(2, 3, 5, seed=seed, scale=scale), seed)
        check_norm(student, kind, normal_tensor(2, 3, 5, seed=seed, scale=scale), seed, eps=1e-3)
    check_norm(student, kind, torch.zeros(2, 3, 4, dtype=torch.float64), seed)


def check_keeps_dtype_and_device(student, modules, *shape):
    """Check `modules`, given by dtype, on inputs of this shape."""
    for dtype, module in modules.items():
        x, other = (normal_tensor(*shape, seed=seed, dtype=dtype) for seed in (1, 2))
        check_computes(module, [x], [other])
        check_dtype(module(x), dtype)
    check_keeps_device(student, modules[torch.float64], normal_tensor(*shape, seed=3))


def by_dtype(student, kind, *sizes):
    return {dtype: getattr(student, kind)(*sizes).to(dtype) for dtype in DTYPES}


# --- LayerNorm -------------------------------------------------------------------------------------------------------


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7))
def test_layer_norm_normalises_each_vector(student, seed, sizes):
    """LayerNorm: each vector gets mean 0 and variance 1, then weight and bias.

    Hint: mean and variance are over the last axis only. By which number is the sum of squares divided?
    """
    for scale in (1.0, 30.0):
        x = normal_tensor(*sizes, seed=seed, scale=scale) + 3
        state = norm_state(sizes[-1], seed)
        expected = functional.layer_norm(x, sizes[-1:], state["weight"], state["bias"])
        check_values(norm_of(student, "LayerNorm", state)(x), expected, axes="batch, length, d_model")


@given(seeds())
def test_layer_norm_of_tiny_vectors(student, seed):
    """LayerNorm: short and constant vectors follow the formula, for any `eps`.

    Hint: is eps inside the root, and is it the eps that was passed in?
    """
    check_tiny_vectors(student, "LayerNorm", seed)
    check_norm(student, "LayerNorm", torch.full((2, 3, 4), 0.7, dtype=torch.float64), seed)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_layer_norm_takes_any_leading_axes(student, seed, sizes):
    """LayerNorm: a single vector and any number of leading axes work.

    Hint: count axes from the end: the last axis is -1.
    """
    for shape in (sizes[-1:], sizes[-2:], sizes):
        module = norm_of(student, "LayerNorm", norm_state(sizes[-1], seed))
        x = normal_tensor(*shape, seed=seed)
        result = module(x)
        check_shape(result, shape)
        check_finite(result)
        check_that(bool(result.max() > result.min()), "all values of the result are equal")
        # Compare with the student's own result for three axes, right or wrong.
        rows = module(x.reshape(1, -1, sizes[-1]))
        check_shape(rows, (1, x.numel() // sizes[-1], sizes[-1]))
        check_values(result, rows.reshape(shape))


def test_layer_norm_has_a_weight_and_a_bias(student):
    """LayerNorm: the parameters are `weight` and `bias`, initialised to 1 and 0.

    Hint: a parameter is an `nn.Parameter`, and its name is the name of the attribute.
    """
    for d_model in (5, 8):
        state = student.LayerNorm(d_model).state_dict()
        check_close(state, {"weight": torch.ones(d_model), "bias": torch.zeros(d_model)})


@given(seeds())
def test_layer_norm_passes_gradients(student, seed):
    """LayerNorm: gradients reach x, weight and bias, also through mean and variance.

    Hint: compute with tensor operations throughout; `.data` and `detach` leave the graph.
    """
    state = norm_state(5, seed)
    check_differentiates(
        student, norm_of(student, "LayerNorm", state), state, [normal_tensor(2, 3, 5, seed=seed + 50)], seed
    )


def test_layer_norm_keeps_dtype_and_device(student):
    """LayerNorm: the result has the dtype and the device of the input.

    Hint: a tensor that you create has its own dtype and device.
    """
    check_keeps_dtype_and_device(student, by_dtype(student, "LayerNorm", 6), 2, 3, 6)


def test_layer_norm_leaves_its_input_alone(student):
    """LayerNorm: the input is not changed in place.

    Hint: `x -= …` and methods whose name ends in an underscore change their input.
    """
    module, x = student.LayerNorm(6).double(), normal_tensor(2, 3, 6, seed=5) + 1
    check_computes(module, [x], [-2 * x])
    check_inputs_unchanged(student, module, x)


# --- RMSNorm ---------------------------------------------------------------------------------------------------------


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=7))
def test_rms_norm_scales_each_vector(student, seed, sizes):
    """RMSNorm: each vector is divided by its root mean square, and not shifted.

    Hint: a vector of equal numbers should become all 1, times the weight.
    """
    for scale in (1.0, 30.0):
        x = normal_tensor(*sizes, seed=seed, scale=scale) + 3
        state = norm_state(sizes[-1], seed, bias=False)
        expected = functional.rms_norm(x, sizes[-1:], state["weight"], eps=1e-6)
        check_values(norm_of(student, "RMSNorm", state)(x), expected, axes="batch, length, d_model")


@given(seeds())
def test_rms_norm_of_tiny_vectors(student, seed):
    """RMSNorm: short vectors follow the formula, for any `eps`.

    Hint: is eps inside the root, and is it the eps that was passed in?
    """
    check_tiny_vectors(student, "RMSNorm", seed)


def test_rms_norm_has_a_weight_alone(student):
    """RMSNorm: the only parameter is `weight`, initialised to 1.

    Hint: nothing is shifted, so there is no bias.
    """
    for d_model in (5, 8):
        check_close(student.RMSNorm(d_model).state_dict(), {"weight": torch.ones(d_model)})


@given(seeds())
def test_rms_norm_passes_gradients(student, seed):
    """RMSNorm: gradients reach x and weight, also through the mean square.

    Hint: compute with tensor operations throughout; `.data` and `detach` leave the graph.
    """
    state = norm_state(5, seed, bias=False)
    check_differentiates(
        student, norm_of(student, "RMSNorm", state), state, [normal_tensor(2, 3, 5, seed=seed + 50)], seed
    )


def test_rms_norm_keeps_dtype_and_device(student):
    """RMSNorm: the result has the dtype and the device of the input.

    Hint: a tensor that you create has its own dtype and device.
    """
    check_keeps_dtype_and_device(student, by_dtype(student, "RMSNorm", 6), 2, 3, 6)


# --- gelu ------------------------------------------------------------------------------------------------------------


def gelu_exactly(x):
    values = [value / 2 * math.erfc(-value / math.sqrt(2)) for value in x.flatten().tolist()]
    return torch.tensor(values, dtype=torch.float64).reshape(x.shape)


def gelu_by_tanh(x):
    values = [
        value / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (value + 0.044715 * value**3)))
        for value in x.flatten().tolist()
    ]
    return torch.tensor(values, dtype=torch.float64).reshape(x.shape)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_gelu_is_exact(student, seed, sizes):
    """gelu: the default is x · Φ(x), computed with the error function.

    Hint: Φ(x) = (1 + erf(x/√2))/2, without tanh.
    """
    for shape, scale in ((sizes, 1.0), (sizes[:2], 30.0), (sizes[:1], 1000.0)):
        x = normal_tensor(*shape, seed=seed, scale=scale)
        check_values(student.gelu(x), gelu_exactly(x))
        check_values(student.gelu(x, approximate="none"), gelu_exactly(x))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_gelu_has_the_tanh_formula(student, seed, sizes):
    """gelu: `approximate="tanh"` gives GPT-2's formula.

    Hint: √(2/π) multiplies the sum of x and 0.044715 x³.
    """
    for shape, scale in ((sizes, 1.0), (sizes[:2], 3.0), (sizes[:1], 100.0)):
        x = normal_tensor(*shape, seed=seed, scale=scale)
        check_values(student.gelu(x, approximate="tanh"), gelu_by_tanh(x))
        check_values(student.gelu(x, "tanh"), gelu_by_tanh(x))


def test_gelu_keeps_dtype_and_device(student):
    """gelu: the result has the dtype and the device of the input.

    Hint: write constants as Python numbers; they do not change the dtype.
    """
    for approximate in ("none", "tanh"):
        for dtype in DTYPES:
            x, other = (normal_tensor(2, 3, seed=seed, dtype=dtype) for seed in (1, 2))
            check_computes(student.gelu, [x, approximate], [other, approximate])
            check_dtype(student.gelu(x, approximate), dtype)
        check_keeps_device(student, student.gelu, normal_tensor(2, 3, seed=3), approximate)


# --- FeedForward -----------------------------------------------------------------------------------------------------


def feed_forward(student, state, **options):
    d_hidden, d_model = state["input_proj.weight"].shape
    return made(student, student.FeedForward, d_model, d_hidden, state=state, **options)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=7))
def test_feed_forward_gives_the_output(student, seed, sizes):
    """FeedForward: the output is linear, GELU, linear.

    Hint: which GELU is the default, and which of the two linear layers comes first?
    """
    batch, length, d_model, d_hidden = sizes
    state = state_of(feed_forward_shapes(d_model, d_hidden), seed)
    x = normal_tensor(batch, length, d_model, seed=seed + 50)
    hidden = functional.gelu(x @ state["input_proj.weight"].T + state["input_proj.bias"])
    expected = hidden @ state["output_proj.weight"].T + state["output_proj.bias"]
    check_values(feed_forward(student, state)(x), expected, axes="batch, length, d_model")


def test_feed_forward_has_two_linears(student):
    """FeedForward: the parameters are weight and bias of `input_proj` and `output_proj`.

    Hint: use two `nn.Linear` layers with the names listed.
    """
    state = student.FeedForward(5, 7).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(state.items())}
    expected = dict(sorted(feed_forward_shapes(5, 7).items()))
    check_equal(sorted(shapes), sorted(expected), says="the names in the state dict differ from the listed names")
    check_equal(shapes, expected, says="the shape of a parameter differs from that of the listed linear layer")


@given(seeds())
def test_feed_forward_drops_hidden_features(student, seed):
    """FeedForward: dropout acts on the hidden layer at its rate, in training only.

    Hint: dropout acts on the output of the GELU, before the second linear layer.
    """
    state = state_of(feed_forward_shapes(6, 6), seed)
    state["output_proj.weight"] = torch.eye(6, dtype=torch.float64)  # the output is the hidden layer
    state["output_proj.bias"] = torch.zeros(6, dtype=torch.float64)
    x = normal_tensor(20, 20, 6, seed=seed + 50)
    whole = feed_forward(student, state)(x)
    check_shape(whole, tuple(x.shape), axes="batch, length, d_model")
    module = feed_forward(student, state, dropout=0.2)
    output = module(x)
    check_shape(output, tuple(x.shape), axes="batch, length, d_model")
    check_values(output, torch.where(output == 0, 0.0, whole / 0.8))
    dropped = int((output == 0).sum())
    # The mean is 480 of 2400; 150 is 7.6 standard deviations.
    check_that(330 < dropped < 630, "dropout does not act on the hidden features at its rate")
    check_values(module.eval()(x), whole)
