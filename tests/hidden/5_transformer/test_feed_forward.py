"""Hidden tests of gelu and the feed-forward layer.

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
    check_dtype,
    check_equal,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

DTYPES = (torch.float64, torch.bfloat16)


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
    for shape, scale in ((sizes, 1.0), (sizes[:2], 30.0), (sizes[:1], 1000.0), ((1, 2, 1, 20), 5.0)):
        x = normal_tensor(*shape, seed=seed, scale=scale)
        check_values(student.gelu(x), gelu_exactly(x))
        check_values(student.gelu(x, approximate="none"), gelu_exactly(x))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_gelu_has_the_tanh_formula(student, seed, sizes):
    """gelu: `approximate="tanh"` gives GPT-2's formula.

    Hint: √(2/π) multiplies the sum of x and 0.044715 x³.
    """
    for shape, scale in ((sizes, 1.0), (sizes[:2], 3.0), (sizes[:1], 100.0), ((1, 2, 1, 20), 5.0)):
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


@given(seeds())
def test_gelu_passes_gradients(student, seed):
    """gelu: gradients reach x in both forms, through every factor that contains x.

    Hint: compute with tensor operations throughout; NumPy, `.data` and `detach` leave the graph.
    """
    for approximate in ("none", "tanh"):
        x = normal_tensor(3, 4, seed=seed)
        check_differentiates(student, None, {}, [x], seed, call=lambda x, form=approximate: student.gelu(x, form))


def test_gelu_leaves_its_input_alone(student):
    """gelu: the input is not changed in place.

    Hint: `x *= …` and methods whose name ends in an underscore change their input.
    """
    for approximate in ("none", "tanh"):
        x = normal_tensor(2, 3, seed=5)
        check_computes(student.gelu, [x, approximate], [-2 * x, approximate])
        check_inputs_unchanged(student, student.gelu, x, approximate)


# --- FeedForward -----------------------------------------------------------------------------------------------------


def feed_forward(student, state, **options):
    d_hidden, d_model = state["input_proj.weight"].shape
    return made(student, student.FeedForward, d_model, d_hidden, state=state, **options)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=7))
def test_feed_forward_gives_the_output(student, seed, sizes):
    """FeedForward: the output is linear, GELU, linear.

    Hint: which GELU is the default, and which of the two linear layers comes first?
    """
    for batch, length, d_model, d_hidden in (sizes, (3, 3, 3, 3), (1, 1, 1, 1), (2, 10, 12, 40), (2, 3, 9, 5)):
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
def test_feed_forward_passes_gradients(student, seed):
    """FeedForward: gradients reach x and all parameters.

    Hint: compute with the modules themselves; `.data` and `detach` leave the graph.
    """
    state = state_of(feed_forward_shapes(5, 7), seed)
    x = normal_tensor(2, 3, 5, seed=seed + 50)
    check_differentiates(student, feed_forward(student, state), state, [x], seed)


def test_feed_forward_keeps_dtype_and_device(student):
    """FeedForward: the result has the dtype and the device of x, with dropout too.

    Hint: a tensor that you create, such as a dropout mask, has its own dtype and device.
    """
    for dtype in DTYPES:
        module = student.FeedForward(6, 8, 0.5).to(dtype)
        x, other = (normal_tensor(2, 3, 6, seed=seed, dtype=dtype) for seed in (1, 2))
        check_computes(module, [x], [other])
        check_dtype(module(x), dtype)
    check_keeps_device(student, module, x)


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
    # With one hidden feature, dropout on the hidden layer sets all features of a position to zero together.
    state = state_of(feed_forward_shapes(6, 1), seed)
    state["output_proj.bias"] = torch.zeros(6, dtype=torch.float64)
    zero = (feed_forward(student, state, dropout=0.5)(x) == 0).sum(dim=-1)
    check_equal(sorted(set(zero.flatten().tolist())), [0, 6], says="dropout does not act on the hidden layer alone")
