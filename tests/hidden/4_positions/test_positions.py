"""Hidden tests of stage 4.

Inputs are float64. The tolerance of values allows for float32 angles; precision and dtype have their
own checks. Loops hold the sizes and choices that matter, so that no mistake depends on the examples drawn.
"""

import positions_oracles as oracles
import torch
from hypothesis import given

from autograder.isolation.proxy import gradients
from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_raises,
    check_results,
    check_shape,
    check_tensor_type,
    check_that,
)
from autograder.judge.probes import check_inputs_unchanged, check_keeps_device, define
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds, sizes

# The error of float32 angles after some hundred positions; the error of the smallest real bug is larger.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
# The same after some thousand positions.
CLOSE_FAR_OUT = {"rtol": 0.0, "atol": 2e-3}
# None of them is a power of 10000: at some sizes that would look like a different exponent.
OTHER_BASES = (70.0, 650.0, 300000.0)
NARROW = (torch.bfloat16, torch.float16)
DTYPES = (*NARROW, torch.float32, torch.float64)
META = torch.device("meta")

_UNDER_DEFAULT = """
import torch

def call_under_default(function, args, name):
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        return function(*args)
    finally:
        torch.set_default_dtype(before)
"""

# The biases of future keys are free: zeros replace them before the judge sees the result.
_PAST_BIASES = """
import torch

def past_biases(function, heads, query, key):
    result = function(heads, query, key)
    if type(result) is not torch.Tensor or result.shape != (heads, query, key):
        return result
    future = torch.arange(key) > torch.arange(key - query, key)[:, None]
    return result.masked_fill(future.to(result.device), 0)
"""

_TRAINABLE = """
def trainable(module):
    return [[name, parameter.requires_grad] for name, parameter in module.named_parameters()]
"""

_ERRORS_RAISED = """
def errors_raised(module, xs, starts):
    return [error_raised(module, x, start) for x, start in zip(xs, starts)]

def error_raised(module, x, start):
    try:
        module(x, start=start)
    except NotImplementedError:
        raise
    except ValueError:
        return "ValueError"
    except Exception:
        return "different error"
    return "none"
"""


def as_float64(result):
    """Convert a result to float64 whatever its dtype: other checks cover dtypes."""
    check_tensor_type(result)
    return result.detach().to(torch.float64)


def scattered(length, seed, limit=200):
    """Distinct positions below `limit`, neither sorted nor consecutive."""
    return torch.randperm(limit, generator=torch.Generator().manual_seed(seed))[:length]


def check_varies(result):
    """Fail a constant result: it has the right dtype and device, but earns no points for that."""
    check_tensor_type(result)
    check_that((result.max() - result.min()).item() > 0, "all values of the result are equal")


def check_dtypes(results):
    """Check results by expected dtype; all are computed before the first check, which tells causes apart."""
    for dtype, result in results.items():
        check_varies(result)
        check_dtype(result, dtype)


def check_has_default_dtype(student, function, *args):
    """The result follows PyTorch's default dtype, also if the submission has changed the default."""
    probe = define(student, _UNDER_DEFAULT)
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        check_dtype(probe.call_under_default(function, list(args), name), dtype)


# --- sinusoidal_encoding ---------------------------------------------------------------------------------------------


@given(sizes(min_size=3, max_size=40), sizes(min_size=2, max_size=8))
def test_sinusoids_follow_the_formula(student, length, pairs):
    """sinusoidal_encoding: each column is the sine or cosine of its clock.

    Hint: write out row 1 for d_model = 4 by hand: which clock does each column read, and how fast is that clock?
    """
    for shape in ((length, 2 * pairs), (1, 2 * pairs), (length, 2), (2 * pairs, 2 * pairs), (6, 96)):
        result = student.sinusoidal_encoding(*shape)
        check_shape(result, shape, axes="length, d_model")
        check_close(as_float64(result), oracles.sinusoids(*shape), **CLOSE)


@given(sizes(min_size=3, max_size=12), sizes(min_size=2, max_size=8))
def test_sinusoids_compare_by_distance(student, length, pairs):
    """sinusoidal_encoding: the dot product of two rows depends only on their distance.

    Hint: cos(p)·cos(q) + sin(p)·sin(q) = cos(p − q) needs the sine and the cosine of the same clock.
    """
    for number, clocks in ((length, pairs), (12, 8)):
        rows = as_float64(student.sinusoidal_encoding(number, 2 * clocks))
        check_shape(rows, (number, 2 * clocks), axes="length, d_model")
        products = rows @ rows.T
        says = "the dot product of two rows changes when both shift by one position"
        check_close(products[1:, 1:].contiguous(), products[:-1, :-1].contiguous(), says=says, **CLOSE)
        norms = products.diagonal().contiguous()
        check_close(norms, torch.full_like(norms, clocks), says="a row's squared norm is not d_model/2", **CLOSE)


@given(sizes(min_size=2, max_size=6))
def test_sinusoids_use_the_base(student, pairs):
    """sinusoidal_encoding: `base` sets the speeds of the clocks.

    Hint: which number in your formula is `base`?
    """
    for base in OTHER_BASES:
        by_position = student.sinusoidal_encoding(9, 2 * pairs, base)
        by_keyword = student.sinusoidal_encoding(9, 2 * pairs, base=3 * base)
        check_close(as_float64(by_position), oracles.sinusoids(9, 2 * pairs, base), **CLOSE)
        check_close(as_float64(by_keyword), oracles.sinusoids(9, 2 * pairs, 3 * base), **CLOSE)


def test_sinusoids_hold_far_out(student):
    """sinusoidal_encoding: late positions of a long sequence are correct.

    Hint: a small error in a clock's speed adds up over the positions. Does your code contain a limit or a rounded
    number?
    """
    expected = oracles.sinusoids(4100, 32)
    result = as_float64(student.sinusoidal_encoding(4100, 32))
    check_shape(result, (4100, 32), axes="length, d_model")
    check_close(result[:700].contiguous(), expected[:700], rtol=0.0, atol=5e-4)
    check_close(result, expected, **CLOSE_FAR_OUT)


def test_sinusoids_have_the_default_dtype(student):
    """sinusoidal_encoding: the result has PyTorch's default dtype.

    Hint: `torch.get_default_dtype()` returns it. Most functions that create a tensor use it unless you pass a `dtype`.
    """
    check_varies(student.sinusoidal_encoding(5, 6))
    check_has_default_dtype(student, student.sinusoidal_encoding, 5, 6)


def test_sinusoids_are_made_on_the_device(student):
    """sinusoidal_encoding: the result is on the given `device`.

    Hint: functions that create a tensor take a `device`.
    """
    check_varies(student.sinusoidal_encoding(5, 6))
    check_keeps_device(student, student.sinusoidal_encoding, 5, 6, device=META)


def test_sinusoids_refuse_an_odd_size(student):
    """sinusoidal_encoding: an odd `d_model` raises ValueError.

    Hint: sines and cosines come in pairs.
    """
    for d_model in (1, 7):
        with check_raises(ValueError):
            student.sinusoidal_encoding(4, d_model)
    even = student.sinusoidal_encoding(4, 8)
    check_shape(even, (4, 8), axes="length, d_model")
    check_varies(even)


# --- LearnedPositions ------------------------------------------------------------------------------------------------


def learned(student, max_length, d_model, seed, dtype=torch.float64):
    """Return a module with known rows, the rows and their name: a wrong name fails only its own check."""
    module = student.LearnedPositions(max_length, d_model)
    module.to(dtype)
    rows = normal_tensor(max_length, d_model, seed=seed, dtype=dtype)
    state = dict(module.state_dict())
    fitting = [name for name, tensor in state.items() if tuple(tensor.shape) == (max_length, d_model)]
    check_that(len(fitting) > 0, "the module has no parameter of shape (max_length, d_model)")
    name = "weight" if "weight" in fitting else fitting[0]
    module.load_state_dict({**state, name: rows})
    return module, rows, name


@given(seeds(), distinct_sizes(count=3, min_size=2))
def test_learned_positions_add_the_first_rows(student, seed, sizes):
    """LearnedPositions: row 0 is added to the first token, row 1 to the second.

    Hint: the rows are added, and every sequence of the batch gets the same rows.
    """
    batch, length, d_model = sizes
    # The sizes that differ come first: with equal sizes, several mistakes give the same result.
    shapes = {sizes: 3, (length, length, length): 1, (1, 1, d_model): 2, (batch, batch, 1): 1, (2, 33, 20): 1}
    for shape, unused in shapes.items():
        module, rows, _ = learned(student, shape[1] + unused, shape[2], seed)
        x = normal_tensor(*shape, seed=seed + 1)
        expected = x + torch.nn.functional.embedding(torch.arange(shape[1]).expand(shape[:2]), rows)
        result = module(x)
        check_shape(result, shape, axes="batch, length, d_model")
        check_close(as_float64(result), expected, **CLOSE)
    module.eval()
    check_close(as_float64(module(x)), expected, says="the result differs in eval mode", **CLOSE)


@given(seeds(), distinct_sizes(count=3, min_size=2))
def test_learned_positions_start_where_told(student, seed, sizes):
    """LearnedPositions: with `start`, the rows begin at row `start`.

    Hint: the first token of x is at position `start`, counted from 0.
    """
    batch, length, d_model = sizes
    module, rows, _ = learned(student, length + 21, d_model, seed)
    for tokens, start in ((length, 1), (length, 20), (1, length), (length, length), (length, 0)):
        x = normal_tensor(batch, tokens, d_model, seed=seed + 1)
        expected = torch.stack([x[:, index] + rows[start + index] for index in range(tokens)], dim=1)
        check_close(as_float64(module(x, start)), expected, **CLOSE)
        check_close(as_float64(module(x, start=start)), expected, **CLOSE)


def test_learned_positions_reach_the_last_row(student):
    """LearnedPositions: the last row can be used.

    Hint: positions count from 0, so the last of max_length positions is max_length − 1.
    """
    for length, start in ((6, 0), (2, 4), (1, 5)):
        module, rows, _ = learned(student, 6, 4, seed=3)
        x = normal_tensor(2, length, 4, seed=length)
        last = as_float64(module(x, start=start))[:, -1].contiguous()
        check_close(last, x[:, -1] + rows[-1], **CLOSE)


def test_learned_positions_refuse_to_run_past_the_end(student):
    """LearnedPositions: a position of `max_length` or more raises ValueError.

    Hint: what is the position of the last token when the first token is at `start`?
    """
    module, _, _ = learned(student, 6, 4, seed=4)
    spans = [(7, 0), (3, 4), (1, 6)]
    xs = [normal_tensor(2, length, 4, seed=length) for length, _ in spans]
    starts = [start for _, start in spans]
    # All three calls run before the first is checked: the set that raises tells causes apart.
    raised = define(student, _ERRORS_RAISED).errors_raised(module, xs, starts)
    check_equal(raised, ["ValueError"] * 3, says="no ValueError is raised for a position past max_length")
    check_shape(module(normal_tensor(2, 3, 4, seed=5), start=2), (2, 3, 4), axes="batch, length, d_model")


def test_learned_positions_hold_one_parameter(student):
    """LearnedPositions: the state dict holds `weight` and nothing else.

    Hint: print the contents of your module's state_dict().
    """
    state = dict(student.LearnedPositions(7, 4).state_dict())
    check_equal(sorted(state), ["weight"], says="the state dict has names other than `weight`, or lacks it")
    check_shape(state["weight"], (7, 4), axes="max_length, d_model")


@given(seeds(), distinct_sizes(count=3, min_size=2))
def test_learned_positions_are_trained(student, seed, sizes):
    """LearnedPositions: gradients reach the input and the rows that were used.

    Hint: what makes a tensor a parameter, and which operations detach it from the graph?
    """
    batch, length, d_model = sizes
    module, rows, name = learned(student, length + 4, d_model, seed)
    x = normal_tensor(batch, length, d_model, seed=seed + 1, requires_grad=True)
    upstream = normal_tensor(batch, length, d_model, seed=seed + 2)
    check_equal(define(student, _TRAINABLE).trainable(module), [[name, True]], says="the rows are not trainable")
    result = module(x, start=2)
    check_that(result.requires_grad, "the result is detached from the graph")
    result.backward(upstream)
    expected = torch.zeros_like(rows)
    expected[2 : 2 + length] = upstream.sum(dim=0)
    found = gradients(module)
    check_that(found.get(name) is not None, "no gradient reaches the rows")
    check_close(found[name], expected)
    check_that(x.grad is not None, "no gradient reaches x")
    check_close(x.grad, upstream)


def test_learned_positions_keep_the_dtype(student):
    """LearnedPositions: the result has the dtype of the input.

    Hint: adding two dtypes gives the wider dtype. Does anything in your code become float32?
    """
    results = {}
    for dtype in DTYPES:
        module, _, _ = learned(student, 6, 4, seed=6, dtype=dtype)
        results[dtype] = module(torch.zeros(2, 3, 4, dtype=dtype))
    check_dtypes(results)
    new = define(student, _UNDER_DEFAULT).call_under_default(student.LearnedPositions, [6, 4], "float32")
    check_dtype(new(torch.zeros(2, 3, 4, dtype=torch.float32)), torch.float32)


def test_learned_positions_leave_the_input_alone(student):
    """LearnedPositions: the input is not changed in place.

    Hint: `+=` on a tensor writes into it.
    """
    module, _, _ = learned(student, 6, 4, seed=8)
    check_varies(module(torch.zeros(2, 3, 4, dtype=torch.float64)))
    check_inputs_unchanged(student, module, normal_tensor(2, 3, 4, seed=9))


def test_learned_positions_work_on_any_device(student):
    """LearnedPositions: the result is on the device of the input.

    Hint: a tensor created in forward needs the device of x.
    """
    module, _, _ = learned(student, 6, 4, seed=10, dtype=torch.float32)
    check_varies(module(torch.zeros(2, 3, 4)))
    check_keeps_device(student, module, torch.ones(2, 3, 4))


# --- rotary_angles ---------------------------------------------------------------------------------------------------


def check_angles(result, positions, d_head, base=10000.0, close=CLOSE):
    """Compare both results, whatever their dtype, with cosines and sines computed one at a time."""
    check_that(type(result) in (tuple, list) and len(result) == 2, "expected two results, cosines and sines")
    for tensor, expected in zip(result, oracles.angles(positions, d_head, base), strict=True):
        check_shape(tensor, tuple(expected.shape))
        check_close(as_float64(tensor), expected, **close)


def check_is_of_pairs(cos, positions):
    """Fail a constant and the positions themselves; other checks cover the values of the angles."""
    check_varies(cos)
    check_that(cos.ndim > positions.ndim, "the result has no axis of pairs")


@given(seeds(), distinct_sizes(count=2))
def test_angles_follow_the_formula(student, seed, sizes):
    """rotary_angles: the angle of pair i is position · base^(−2i/d_head).

    Hint: the first pair turns by one radian per position, whatever the base is. How much slower is the next pair?
    """
    length, pairs = sizes
    for count, width in ((length, pairs), (pairs, pairs), (40, 32)):
        positions = scattered(count, seed)
        check_angles(student.rotary_angles(positions, 2 * width), positions, 2 * width)
    far_out = torch.tensor([511, 512, 1025, 2049, 4100])
    check_angles(student.rotary_angles(far_out, 2 * pairs), far_out, 2 * pairs, close=CLOSE_FAR_OUT)


@given(seeds(), sizes(min_size=2))
def test_angles_add_up(student, seed, pairs):
    """rotary_angles: the angle of p + q is the sum of the angles of p and q.

    Hint: cos(p + q) = cos p · cos q − sin p · sin q. Are your two results the cosine and the sine of the same angle?
    """
    p, q = scattered(5, seed), scattered(5, seed + 1)
    results = [student.rotary_angles(positions, 2 * pairs) for positions in (p, q, p + q)]
    (cos_p, sin_p), (cos_q, sin_q), (cos, sin) = [[as_float64(tensor) for tensor in result] for result in results]
    for tensor in (cos_p, sin_p, cos_q, sin_q, cos, sin):
        check_shape(tensor, (5, pairs))
        check_varies(tensor)
    says = "the angle of p + q is not the sum of the angles of p and q"
    check_close(cos, cos_p * cos_q - sin_p * sin_q, says=says, **CLOSE)
    check_close(sin, sin_p * cos_q + cos_p * sin_q, says=says, **CLOSE)


@given(seeds(), sizes(min_size=2))
def test_angles_use_the_base(student, seed, pairs):
    """rotary_angles: `base` sets the speeds of the pairs.

    Hint: which number in your formula is `base`?
    """
    positions = scattered(4, seed)
    for base in OTHER_BASES:
        by_position = student.rotary_angles(positions, 2 * pairs, base)
        by_keyword = student.rotary_angles(positions, 2 * pairs, base=3 * base)
        check_angles(by_position, positions, 2 * pairs, base)
        check_angles(by_keyword, positions, 2 * pairs, 3 * base)


@given(seeds(), distinct_sizes(count=3, max_size=5))
def test_angles_follow_the_shape_of_positions(student, seed, sizes):
    """rotary_angles: the results keep all axes of `positions` and add an axis of pairs.

    Hint: the axis of pairs comes after all axes of `positions`, however many there are.
    """
    # Axes of size 1 come last: with them, several mistakes give the same result.
    for axes in ((3, 2), (3, 3), (2, 2, 2), sizes[:2], sizes, (1, 4), (4, 1), (1,), ()):
        positions = scattered(torch.Size(axes).numel(), seed).reshape(axes)
        check_angles(student.rotary_angles(positions, 6), positions, 6)


def test_angles_take_any_real_position(student):
    """rotary_angles: positions can be negative or fractional.

    Hint: the formula only multiplies the position. Does your code require more of it?
    """
    for dtype in (torch.float32, torch.float64):
        positions = torch.tensor([2.5, -3.0, 0.25, 17.0, -0.75], dtype=dtype)
        check_angles(student.rotary_angles(positions, 8), positions, 8)
    negative = torch.tensor([-1, 4, -60])
    check_angles(student.rotary_angles(negative, 8), negative, 8)


def test_angles_are_float32(student):
    """rotary_angles: positions of any dtype but float64 give angles computed in float32.

    Hint: in which dtype does the docstring require the angles to be computed? Positions can be narrower.
    """
    positions = torch.tensor([201, 0, 7], dtype=torch.float32)
    wide = check_results(student.rotary_angles(positions, 6), 2)
    for dtype in (torch.int64, torch.int32, torch.float32, torch.uint8, *NARROW):
        angles = check_results(student.rotary_angles(positions.to(dtype), 6), 2)
        for tensor, from_float32 in zip(angles, wide, strict=True):
            check_varies(tensor)
            check_dtype(tensor, torch.float32)
            check_close(as_float64(tensor), as_float64(from_float32), **CLOSE)


def test_angles_of_float64_positions_are_float64(student):
    """rotary_angles: float64 positions give angles of float64 precision.

    Hint: one narrow factor makes the whole product imprecise, even if you widen it afterwards.
    """
    positions = torch.tensor([54321.0, 3.0, 100003.0, 812.5], dtype=torch.float64)
    check_close(student.rotary_angles(positions, 10), oracles.angles(positions, 10))


def test_angles_leave_the_positions_alone(student):
    """rotary_angles: the positions are not changed in place.

    Hint: methods whose name ends in an underscore and operators such as `*=` write into their tensor.
    """
    for dtype in (torch.float32, torch.float64, torch.int64):
        positions = torch.tensor([3, 0, 7], dtype=dtype)
        check_is_of_pairs(student.rotary_angles(positions, 6)[0], positions)
        check_inputs_unchanged(student, student.rotary_angles, positions, 6)


def test_angles_are_made_where_the_positions_are(student):
    """rotary_angles: the results are on the device of the positions.

    Hint: functions that create a tensor take a `device`.
    """
    check_is_of_pairs(student.rotary_angles(torch.arange(5), 6)[0], torch.arange(5))
    check_keeps_device(student, student.rotary_angles, torch.arange(5), 6)


def test_angles_refuse_an_odd_size(student):
    """rotary_angles: an odd `d_head` raises ValueError.

    Hint: features are rotated in pairs.
    """
    for d_head in (1, 7):
        with check_raises(ValueError):
            student.rotary_angles(torch.arange(4), d_head)
    cos, _ = student.rotary_angles(torch.arange(4), 8)
    check_shape(cos, (4, 4), axes="length, pairs")
    check_varies(cos)


# --- apply_rotary ----------------------------------------------------------------------------------------------------


def check_rotated(result, x, positions, base=10000.0):
    """Compare a result, whatever its dtype, with `x` times one rotation matrix per position."""
    check_shape(result, tuple(x.shape))
    check_close(as_float64(result), oracles.rotated(x, positions, base), **CLOSE)


@given(seeds(), distinct_sizes(count=4, max_size=6))
def test_rotary_turns_each_pair(student, seed, sizes):
    """apply_rotary: each adjacent pair rotates counter-clockwise by its angle.

    Hint: put (1, 0) into one pair and zeros everywhere else. Where should that pair be after the rotation?
    """
    # The sizes that differ come first: with equal sizes, several mistakes give the same result.
    for batch, heads, length, pairs in (sizes, (2, 4, 4, 4), (3, 3, 5, 3), (2, 1, 1, 1), (1, 2, 33, 16)):
        x = normal_tensor(batch, heads, length, 2 * pairs, seed=seed)
        positions = scattered(length, seed)
        check_rotated(student.apply_rotary(x, positions), x, positions)


@given(seeds(), sizes(min_size=2))
def test_rotary_scores_depend_on_the_distance(student, seed, pairs):
    """apply_rotary: the score of a query and a key depends only on their distance.

    Hint: rotate the query by m and the key by n: how does their dot product depend on m and n?
    """
    query, key = (normal_tensor(2, 3, 4, 2 * pairs, seed=seed + offset) for offset in range(2))
    positions = scattered(4, seed, limit=50)

    def scores(at):
        sides = [as_float64(student.apply_rotary(side, at)) for side in (query, key)]
        for side in sides:
            check_shape(side, tuple(query.shape), axes="batch, heads, length, d_head")
        return sides[0] @ sides[1].mT

    found = scores(positions)
    says = "the score of a query and a key changes when both move by the same distance"
    check_close(scores(positions + 37), found, says=says, **CLOSE)
    moved = (scores(2 * positions) - found).abs().max().item()
    check_that(moved > 1e-3, "the score of a query and a key does not depend on how far apart they are")


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=6))
def test_rotary_keeps_norms(student, seed, sizes):
    """apply_rotary: the norm of each vector is unchanged.

    Hint: cos² + sin² = 1 if both belong to the same angle.
    """
    heads, length, pairs = sizes
    x = normal_tensor(7, heads, length, 2 * pairs, seed=seed)
    result = as_float64(student.apply_rotary(x, scattered(length, seed)))
    check_shape(result, tuple(x.shape))
    check_that((result - x).abs().max().item() > 1e-3, "the result equals x: nothing is rotated")
    check_close(result.norm(dim=-1), x.norm(dim=-1), says="the norm of a vector changes", **CLOSE)


def positions_by_sequence(batch, length, seed):
    """Different positions for each sequence, `(batch, length)`."""
    return torch.stack([scattered(length, seed + sequence) for sequence in range(batch)])


@given(seeds(), distinct_sizes(count=4, max_size=5))
def test_rotary_takes_positions_of_each_sequence(student, seed, sizes):
    """apply_rotary: each sequence can have its own positions, shared by all heads.

    Hint: positions have the axes (batch, length), and x has heads between the two: which axis of x do they line up
    with?
    """
    batch, heads, length, pairs = sizes
    # Confusing two axes raises an error where they differ in size, and gives wrong values where they don't.
    shapes = (batch, heads, length), (heads, heads, length), (length, heads, length), (1, heads, length), (3, 3, 3)
    for shape in shapes:
        x = normal_tensor(*shape, 2 * pairs, seed=seed)
        positions = positions_by_sequence(shape[0], shape[-1], seed)
        result = student.apply_rotary(x, positions)
        check_shape(result, tuple(x.shape))
        for sequence in range(shape[0]):
            check_rotated(result[sequence].contiguous(), x[sequence], positions[sequence])


@given(seeds(), sizes(min_size=4), distinct_sizes(count=2, max_size=5))
def test_rotary_takes_positions_of_each_sequence_at_any_rank(student, seed, batch, sizes):
    """apply_rotary: positions per sequence also work with no heads axis or one axis more.

    Hint: how many axes does x have between its first axis and its length axis? There can be none.
    """
    length, pairs = sizes
    for between in ((3, 2), ()):
        x = normal_tensor(batch, *between, length, 2 * pairs, seed=seed)
        positions = positions_by_sequence(batch, length, seed)
        result = student.apply_rotary(x, positions)
        check_shape(result, tuple(x.shape))
        for sequence in range(batch):
            check_rotated(result[sequence].contiguous(), x[sequence], positions[sequence])


@given(seeds(), distinct_sizes(count=3, max_size=5))
def test_rotary_takes_any_leading_axes(student, seed, sizes):
    """apply_rotary: `(length,)` positions work for x of two, three and five axes.

    Hint: count axes from the end: the last two are length and d_head.
    """
    batch, length, pairs = sizes
    # In the last case `positions` has the size, but not the axes, of one position per sequence.
    for leading in ((), (batch,), (batch, 2, 3), (length, 2)):
        x = normal_tensor(*leading, length, 2 * pairs, seed=seed)
        positions = scattered(length, seed)
        check_rotated(student.apply_rotary(x, positions), x, positions)


@given(seeds(), sizes(min_size=2))
def test_rotary_uses_the_base(student, seed, pairs):
    """apply_rotary: `base` sets the angles.

    Hint: do you pass `base` on to the code that computes the angles?
    """
    x = normal_tensor(2, 3, 4, 2 * pairs, seed=seed)
    positions = scattered(4, seed)
    for base in OTHER_BASES:
        by_position = student.apply_rotary(x, positions, base)
        by_keyword = student.apply_rotary(x, positions, base=3 * base)
        check_rotated(by_position, x, positions, base)
        check_rotated(by_keyword, x, positions, 3 * base)


def test_rotary_turns_back_for_negative_positions(student):
    """apply_rotary: a negative position rotates in the opposite direction.

    Hint: the formula holds for any position. What else does your code require of it?
    """
    x = normal_tensor(2, 3, 4, 6, seed=11)
    positions = torch.tensor([-7, 5, -40, 0])
    check_rotated(student.apply_rotary(x, positions), x, positions)


def test_rotary_keeps_the_dtype(student):
    """apply_rotary: the result has the dtype of x, whatever the integers of the positions.

    Hint: the product of two dtypes has the wider dtype.
    """
    positions = torch.tensor([3, 0, 7, 12])
    x = torch.ones(2, 3, 4, 6, dtype=torch.float32)
    results = {dtype: student.apply_rotary(x.to(dtype), positions) for dtype in DTYPES}
    with_narrow_positions = student.apply_rotary(x, positions.int())
    check_dtypes(results)
    check_dtype(with_narrow_positions, torch.float32)


def test_rotary_angles_of_narrow_inputs_are_float32(student):
    """apply_rotary: late positions get the right angle when x is bfloat16 or float16.

    Hint: how does bfloat16 represent the number 2049? An angle must not be computed with so few digits.
    """
    positions = torch.tensor([2049, 257, 1001, 3333, 601])
    for dtype in NARROW:
        x = normal_tensor(2, 3, 5, 8, seed=13).sign().to(dtype)
        result = as_float64(student.apply_rotary(x, positions))
        check_shape(result, tuple(x.shape))
        check_close(result, oracles.rotated(x, positions), rtol=0.0, atol=5e-2)


def test_rotary_of_float64_is_float64(student):
    """apply_rotary: float64 inputs are rotated with float64 precision.

    Hint: one narrow factor makes the whole product imprecise; the angles for a float64 x are float64 too.
    """
    x = normal_tensor(2, 3, 5, 8, seed=14)
    positions = torch.tensor([54321, 257, 100003, 3333, 12])
    check_close(student.apply_rotary(x, positions), oracles.rotated(x, positions))


@given(seeds(), distinct_sizes(count=3, max_size=5))
def test_rotary_lets_gradients_through(student, seed, sizes):
    """apply_rotary: the gradient of x is the upstream gradient, rotated back.

    Hint: a rotation is a linear map. Which operations detach a tensor from the graph?
    """
    heads, length, pairs = sizes
    x = normal_tensor(7, heads, length, 2 * pairs, seed=seed, requires_grad=True)
    upstream = normal_tensor(7, heads, length, 2 * pairs, seed=seed + 1)
    positions = scattered(length, seed)
    result = student.apply_rotary(x, positions)
    check_shape(result, tuple(x.shape))
    check_that(result.requires_grad, "the result is detached from the graph")
    result.backward(upstream.to(result.dtype))
    check_that(x.grad is not None, "no gradient reaches x")
    check_close(x.grad, oracles.rotated(upstream, -positions), **CLOSE)


def test_rotary_leaves_its_inputs_alone(student):
    """apply_rotary: neither x nor the positions are changed in place.

    Hint: writing into a slice of x writes into x.
    """
    positions = torch.tensor([3, 0, 7])
    for dtype in (torch.float32, torch.float64):
        check_varies(student.apply_rotary(torch.ones(2, 2, 3, 6, dtype=dtype), positions))
        x = normal_tensor(2, 2, 3, 6, seed=15, dtype=dtype)
        check_inputs_unchanged(student, student.apply_rotary, x, positions)
        check_inputs_unchanged(student, student.apply_rotary, x, positions.int())


def test_rotary_works_on_any_device(student):
    """apply_rotary: the result is on the device of x.

    Hint: functions that create a tensor take a `device`.
    """
    x, positions = torch.ones(2, 3, 4, 6), torch.arange(4)
    check_varies(student.apply_rotary(x, positions))
    check_keeps_device(student, student.apply_rotary, x, positions)


# --- alibi_bias ------------------------------------------------------------------------------------------------------

HEADS = (4, 8, 2, 16, 1, 32)


def past_bias(student, heads, query, key):
    """Return the biases of past keys, with zeros elsewhere, and the distances back."""
    past = define(student, _PAST_BIASES).past_biases(student.alibi_bias, heads, query, key)
    check_shape(past, (heads, query, key), axes="heads, query, key")
    check_varies(past)
    past = as_float64(past)
    check_finite(past)
    distance = torch.arange(key - query, key)[:, None] - torch.arange(key)
    return past, distance.clamp(min=0).double()


def test_alibi_lowers_scores_by_distance(student):
    """alibi_bias: the bias is 0 at the query and falls linearly with the distance back.

    Hint: look at one row: it is 0 at the query itself, and each step back subtracts the same amount.
    """
    for heads in HEADS:
        for length in (5, 3, heads, 40):
            past, distance = past_bias(student, heads, max(length, 2), max(length, 2))
            slope = -past[:, 1, 0]  # (heads,); the penalty of one step back, right or wrong
            check_that(slope.min().item() > 0, "the bias is not lower for a key that is further back")
            check_close(past, -slope[:, None, None] * distance, **CLOSE)


def test_alibi_slopes_follow_the_formula(student):
    """alibi_bias: head h has slope 2^(−8(h+1)/heads).

    Hint: with 8 heads the slopes are 1/2, 1/4, … 1/256; what are they with 4 heads?
    """
    for heads in HEADS:
        past, _ = past_bias(student, heads, 3, 3)
        expected = torch.tensor([2.0 ** (-8 * (head + 1) / heads) for head in range(heads)], dtype=torch.float64)
        check_close(-past[:, 1, 0], expected, rtol=1e-5, atol=0.0)


def test_alibi_lines_up_the_last_query(student):
    """alibi_bias: with fewer queries than keys, the last query lines up with the last key.

    Hint: in a cached step the only query is the newest token.
    """
    for heads in HEADS:
        for query, key in ((2, 5), (1, 2), (1, 7), (heads, heads + 3), (6, 40)):
            past, distance = past_bias(student, heads, query, key)
            slope = -past[:, -1, -2]
            check_close(past, -slope[:, None, None] * distance, **CLOSE)


def test_alibi_has_the_default_dtype(student):
    """alibi_bias: the result has PyTorch's default dtype.

    Hint: `torch.get_default_dtype()` returns it. Most functions that create a tensor use it unless you pass a `dtype`.
    """
    past_bias(student, 4, 3, 5)
    check_has_default_dtype(student, student.alibi_bias, 4, 3, 5)


def test_alibi_is_made_on_the_device(student):
    """alibi_bias: the result is on the given `device`.

    Hint: functions that create a tensor take a `device`.
    """
    past_bias(student, 4, 3, 5)
    check_keeps_device(student, student.alibi_bias, 4, 3, 5, device=META)
