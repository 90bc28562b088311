"""Hidden tests of stage 4.

Inputs are float64 and values are held to a tolerance that float32 angles keep; precision and dtype
have checks of their own.
"""

import positions_oracles as oracles
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.isolation.proxy import gradients
from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_raises,
    check_shape,
    check_tensor_type,
    check_that,
)
from autograder.judge.probes import check_inputs_unchanged, check_keeps_device, define
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds, sizes

# Angles in float32 are off by this much at some hundred positions; the smallest real bug is off by more.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
# None is a power of 10000: at some sizes that would look like another exponent.
OTHER_BASES = (70.0, 650.0, 300000.0)
NARROW = (torch.bfloat16, torch.float16)
DTYPES = (*NARROW, torch.float32, torch.float64)
META = torch.device("meta")

_UNDER_FLOAT64 = """
import torch

def call_under_float64(function, args):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return function(*args)
    finally:
        torch.set_default_dtype(before)
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
        return "another"
    return "none"
"""


def as_float64(result):
    """The values of a result, whatever its dtype: dtypes are judged elsewhere."""
    check_tensor_type(result)
    return result.detach().to(torch.float64)


def scattered(length, seed, most=200):
    """Positions that are neither sorted nor consecutive, all different."""
    return torch.randperm(most, generator=torch.Generator().manual_seed(seed))[:length]


def check_varies(result):
    """Zeros, ones or a constant input handed back keep every dtype and device, and deserve nothing for it."""
    check_tensor_type(result)
    check_that((result.max() - result.min()).item() > 0, "the result is the same number everywhere")


def check_dtypes(results):
    """Results by the dtype they should have: all are there before the first one is judged, which tells causes apart."""
    for dtype, result in results.items():
        check_varies(result)
        check_dtype(result, dtype)


def check_has_default_dtype(student, function, *args):
    check_dtype(function(*args), torch.float32)
    check_dtype(define(student, _UNDER_FLOAT64).call_under_float64(function, list(args)), torch.float64)


# --- sinusoidal_encoding ---------------------------------------------------------------------------------------------


@given(sizes(min_size=3, max_size=40), sizes(min_size=2, max_size=8))
def test_sinusoids_follow_the_formula(student, length, pairs):
    """Each column is the sine or cosine of its clock.

    Hint: write out row 1 for d_model = 4 by hand: which clock does each column read, and how fast is it?
    """
    for shape in ((length, 2 * pairs), (1, 2 * pairs), (length, 2)):
        result = student.sinusoidal_encoding(*shape)
        check_shape(result, shape, axes="length, d_model")
        check_close(as_float64(result), oracles.sinusoids(*shape), **CLOSE)


@given(sizes(min_size=3, max_size=12), sizes(min_size=2, max_size=8))
def test_sinusoids_compare_by_distance(student, length, pairs):
    """The dot product of two rows depends on their distance alone.

    Hint: cos(p)·cos(q) + sin(p)·sin(q) = cos(p − q) needs the sine and the cosine of the same clock.
    """
    rows = as_float64(student.sinusoidal_encoding(length, 2 * pairs))
    check_shape(rows, (length, 2 * pairs), axes="length, d_model")
    products = rows @ rows.T
    says = "the dot product of two rows changes when both move on by one position"
    check_close(products[1:, 1:].contiguous(), products[:-1, :-1].contiguous(), says=says, **CLOSE)
    norms = products.diagonal().contiguous()
    check_close(norms, torch.full_like(norms, pairs), says="a row's squared norm is not d_model/2", **CLOSE)


@given(st.sampled_from(OTHER_BASES), sizes(min_size=2, max_size=6))
def test_sinusoids_use_the_base(student, base, pairs):
    """Another base gives other clocks.

    Hint: which number in your formula is `base`?
    """
    one = student.sinusoidal_encoding(9, 2 * pairs, base)
    other = student.sinusoidal_encoding(9, 2 * pairs, base=3 * base)
    check_close(as_float64(one), oracles.sinusoids(9, 2 * pairs, base), **CLOSE)
    check_close(as_float64(other), oracles.sinusoids(9, 2 * pairs, 3 * base), **CLOSE)


def test_sinusoids_hold_far_out(student):
    """Late positions of a long sequence are right too.

    Hint: a small error in a clock's speed adds up; is there a limit or a rounded number in your code?
    """
    expected = oracles.sinusoids(700, 32)
    check_close(as_float64(student.sinusoidal_encoding(700, 32)), expected, rtol=0.0, atol=5e-4)


def test_sinusoids_have_the_default_dtype(student):
    """The numbers have PyTorch's default dtype.

    Hint: torch.get_default_dtype() tells which one that is; most functions follow it unless told otherwise.
    """
    check_varies(student.sinusoidal_encoding(5, 6))
    check_has_default_dtype(student, student.sinusoidal_encoding, 5, 6)


def test_sinusoids_are_made_on_the_device(student):
    """The result is made on the device asked for.

    Hint: what creates a tensor takes a `device`.
    """
    check_varies(student.sinusoidal_encoding(5, 6))
    check_keeps_device(student, student.sinusoidal_encoding, 5, 6, device=META)


def test_sinusoids_refuse_an_odd_size(student):
    """An odd d_model is a ValueError.

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
    """A module with known rows, the rows and their name: a wrong name costs its own check only."""
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
    """The first token gets the first row, the next one the second.

    Hint: the rows are added, and they are the same for every sequence of the batch.
    """
    batch, length, d_model = sizes
    module, rows, _ = learned(student, length + 3, d_model, seed)
    x = normal_tensor(batch, length, d_model, seed=seed + 1)
    positions = torch.arange(length).expand(batch, length)
    expected = x + torch.nn.functional.embedding(positions, rows)
    result = module(x)
    check_shape(result, (batch, length, d_model), axes="batch, length, d_model")
    check_close(as_float64(result), expected, **CLOSE)


@given(seeds(), distinct_sizes(count=3, min_size=2), sizes(max_size=5))
def test_learned_positions_start_where_told(student, seed, sizes, start):
    """With `start` the rows begin there.

    Hint: the first token of x stands at position `start`, counted from 0.
    """
    batch, length, d_model = sizes
    module, rows, _ = learned(student, start + length + 2, d_model, seed)
    x = normal_tensor(batch, length, d_model, seed=seed + 1)
    expected = torch.stack([x[:, place] + rows[start + place] for place in range(length)], dim=1)
    check_close(as_float64(module(x, start)), expected, **CLOSE)
    check_close(as_float64(module(x, start=start)), expected, **CLOSE)


def test_learned_positions_reach_the_last_row(student):
    """The last row may be used.

    Hint: positions count from 0, so the last of max_length positions is max_length − 1.
    """
    for length, start in ((6, 0), (2, 4), (1, 5)):
        module, rows, _ = learned(student, 6, 4, seed=3)
        x = normal_tensor(2, length, 4, seed=length)
        last = as_float64(module(x, start=start))[:, -1].contiguous()
        check_close(last, x[:, -1] + rows[-1], **CLOSE)


def test_learned_positions_refuse_to_run_past_the_end(student):
    """A position past max_length is a ValueError.

    Hint: where does the last token stand, when the first one stands at `start`?
    """
    module, _, _ = learned(student, 6, 4, seed=4)
    places = [(7, 0), (3, 4), (1, 6)]
    xs = [normal_tensor(2, length, 4, seed=length) for length, _ in places]
    starts = [start for _, start in places]
    # All three are tried before the first one is judged: which of them pass tells causes apart.
    raised = define(student, _ERRORS_RAISED).errors_raised(module, xs, starts)
    check_equal(raised, ["ValueError"] * 3, says="no ValueError is raised for a position past max_length")
    check_shape(module(normal_tensor(2, 3, 4, seed=5), start=2), (2, 3, 4), axes="batch, length, d_model")


def test_learned_positions_hold_one_parameter(student):
    """The state dict holds `weight` and nothing else.

    Hint: print what state_dict() of your module contains.
    """
    state = dict(student.LearnedPositions(7, 4).state_dict())
    check_equal(sorted(state), ["weight"], says="the names in the state dict are not just `weight`")
    check_shape(state["weight"], (7, 4), axes="max_length, d_model")


@given(seeds(), distinct_sizes(count=3, min_size=2))
def test_learned_positions_are_trained(student, seed, sizes):
    """Gradients reach the rows that were used, and the input.

    Hint: what makes a tensor a parameter, and what cuts it off from the gradient?
    """
    batch, length, d_model = sizes
    module, rows, name = learned(student, length + 4, d_model, seed)
    x = normal_tensor(batch, length, d_model, seed=seed + 1, requires_grad=True)
    upstream = normal_tensor(batch, length, d_model, seed=seed + 2)
    result = module(x, start=2)
    check_that(result.requires_grad, "the result is cut off from the gradient")
    result.backward(upstream)
    expected = torch.zeros_like(rows)
    expected[2 : 2 + length] = upstream.sum(dim=0)
    found = gradients(module)
    check_that(found.get(name) is not None, "no gradient reaches the rows")
    check_close(found[name], expected)
    check_that(x.grad is not None, "no gradient reaches x")
    check_close(x.grad, upstream)


def test_learned_positions_keep_the_dtype(student):
    """The result has the dtype of the input.

    Hint: adding two dtypes gives the wider one; does anything in your code turn into float32?
    """
    results = {}
    for dtype in DTYPES:
        module, _, _ = learned(student, 6, 4, seed=6, dtype=dtype)
        results[dtype] = module(torch.zeros(2, 3, 4, dtype=dtype))
    check_dtypes(results)


def test_learned_positions_leave_the_input_alone(student):
    """The input is not changed in place.

    Hint: `+=` on a tensor writes into it.
    """
    module, _, _ = learned(student, 6, 4, seed=8)
    check_varies(module(torch.zeros(2, 3, 4, dtype=torch.float64)))
    check_inputs_unchanged(student, module, normal_tensor(2, 3, 4, seed=9))


def test_learned_positions_work_on_any_device(student):
    """The module works where its input is.

    Hint: a tensor made in forward needs the device of x.
    """
    module, _, _ = learned(student, 6, 4, seed=10, dtype=torch.float32)
    check_varies(module(torch.zeros(2, 3, 4)))
    check_keeps_device(student, module, torch.ones(2, 3, 4))


# --- rotary_angles ---------------------------------------------------------------------------------------------------


def check_angles(result, positions, d_head, base=10000.0):
    """Both results, whatever their dtype, against cosines and sines worked out one by one."""
    check_that(type(result) in (tuple, list) and len(result) == 2, "expected two results, cosines and sines")
    for one, expected in zip(result, oracles.angles(positions, d_head, base), strict=True):
        check_shape(one, tuple(expected.shape))
        check_close(as_float64(one), expected, **CLOSE)


def check_is_of_pairs(cos, positions):
    """No constant, and not the positions handed back; all else about the angles is judged elsewhere."""
    check_varies(cos)
    check_that(cos.ndim > positions.ndim, "the result has no axis of pairs")


@given(seeds(), distinct_sizes(count=2))
def test_angles_follow_the_formula(student, seed, sizes):
    """Pair i turns by position · base^(−2i/d_head).

    Hint: the first pair turns by one radian per position whatever the base; how much slower is the next one?
    """
    length, pairs = sizes
    positions = scattered(length, seed)
    check_angles(student.rotary_angles(positions, 2 * pairs), positions, 2 * pairs)


@given(seeds(), sizes(min_size=2))
def test_angles_add_up(student, seed, pairs):
    """Turning by p and then by q is turning by p + q.

    Hint: cos(p + q) = cos p · cos q − sin p · sin q; are your two results the cosine and the sine of one angle?
    """
    p, q = scattered(5, seed), scattered(5, seed + 1)
    results = [student.rotary_angles(positions, 2 * pairs) for positions in (p, q, p + q)]
    (cos_p, sin_p), (cos_q, sin_q), (cos, sin) = [[as_float64(one) for one in result] for result in results]
    for one in (cos_p, sin_p, cos_q, sin_q, cos, sin):
        check_shape(one, (5, pairs))
        check_varies(one)
    says = "the angle of p + q is not the sum of the angles of p and q"
    check_close(cos, cos_p * cos_q - sin_p * sin_q, says=says, **CLOSE)
    check_close(sin, sin_p * cos_q + cos_p * sin_q, says=says, **CLOSE)


@given(seeds(), st.sampled_from(OTHER_BASES), sizes(min_size=2))
def test_angles_use_the_base(student, seed, base, pairs):
    """Another base gives other angles.

    Hint: which number in your formula is `base`?
    """
    positions = scattered(4, seed)
    one = student.rotary_angles(positions, 2 * pairs, base)
    other = student.rotary_angles(positions, 2 * pairs, base=3 * base)
    check_angles(one, positions, 2 * pairs, base)
    check_angles(other, positions, 2 * pairs, 3 * base)


@given(seeds(), distinct_sizes(count=3, max_size=5))
def test_angles_follow_the_shape_of_positions(student, seed, sizes):
    """Positions of several axes keep them.

    Hint: the axis of pairs comes after all axes that `positions` has, however many they are.
    """
    for axes in (sizes[:2], sizes):
        positions = scattered(torch.Size(axes).numel(), seed).reshape(axes)
        check_angles(student.rotary_angles(positions, 6), positions, 6)


def test_angles_take_any_real_position(student):
    """Positions may be negative, and lie between whole numbers.

    Hint: the formula asks nothing more of a position than that it can be multiplied.
    """
    for dtype in (torch.float32, torch.float64):
        positions = torch.tensor([2.5, -3.0, 0.25, 17.0, -0.75], dtype=dtype)
        check_angles(student.rotary_angles(positions, 8), positions, 8)
    negative = torch.tensor([-1, 4, -60])
    check_angles(student.rotary_angles(negative, 8), negative, 8)


def test_angles_are_float32(student):
    """Whole positions and float32 positions give float32.

    Hint: which dtype does the docstring ask the angles to be computed in?
    """
    for dtype in (torch.int64, torch.int32, torch.float32):
        cos, sin = student.rotary_angles(torch.tensor([3, 0, 7], dtype=dtype), 6)
        for one in (cos, sin):
            check_varies(one)
            check_dtype(one, torch.float32)


def test_angles_of_float64_positions_are_float64(student):
    """Float64 positions give angles of that precision.

    Hint: one narrow factor makes the whole product imprecise, even if it is widened afterwards.
    """
    positions = torch.tensor([54321.0, 3.0, 100003.0, 812.5], dtype=torch.float64)
    check_close(student.rotary_angles(positions, 10), oracles.angles(positions, 10))


def test_angles_leave_the_positions_alone(student):
    """The positions are not changed in place.

    Hint: names that end in an underscore and operators such as `*=` write into their tensor.
    """
    for dtype in (torch.float32, torch.float64, torch.int64):
        positions = torch.tensor([3, 0, 7], dtype=dtype)
        check_is_of_pairs(student.rotary_angles(positions, 6)[0], positions)
        check_inputs_unchanged(student, student.rotary_angles, positions, 6)


def test_angles_are_made_where_the_positions_are(student):
    """The angles are on the device of the positions.

    Hint: what creates a tensor takes a `device`.
    """
    check_is_of_pairs(student.rotary_angles(torch.arange(5), 6)[0], torch.arange(5))
    check_keeps_device(student, student.rotary_angles, torch.arange(5), 6)


def test_angles_refuse_an_odd_size(student):
    """An odd d_head is a ValueError.

    Hint: numbers that turn come in pairs.
    """
    for d_head in (1, 7):
        with check_raises(ValueError):
            student.rotary_angles(torch.arange(4), d_head)
    cos, _ = student.rotary_angles(torch.arange(4), 8)
    check_shape(cos, (4, 4), axes="length, pairs")
    check_varies(cos)


# --- apply_rotary ----------------------------------------------------------------------------------------------------


def check_turned(result, x, positions, base=10000.0):
    """A result, whatever its dtype, against `x` times one rotation matrix per position."""
    check_shape(result, tuple(x.shape))
    check_close(as_float64(result), oracles.turned(x, positions, base), **CLOSE)


@given(seeds(), distinct_sizes(count=4, max_size=6))
def test_rotary_turns_each_pair(student, seed, sizes):
    """Each pair of neighbours turns counter-clockwise by its angle.

    Hint: put (1, 0) into one pair and zeros everywhere else: where should it be after the turn?
    """
    batch, heads, length, pairs = sizes
    x = normal_tensor(batch, heads, length, 2 * pairs, seed=seed)
    positions = scattered(length, seed)
    check_turned(student.apply_rotary(x, positions), x, positions)


@given(seeds(), sizes(min_size=2))
def test_rotary_scores_depend_on_the_distance(student, seed, pairs):
    """A query and a key that move together keep their score.

    Hint: turn the query by m and the key by n: what is left of m and n in their dot product?
    """
    query, key = (normal_tensor(2, 3, 4, 2 * pairs, seed=seed + offset) for offset in range(2))
    positions = scattered(4, seed, most=50)

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
    """No vector changes its norm.

    Hint: cos² + sin² = 1, if both belong to the same angle.
    """
    heads, length, pairs = sizes
    x = normal_tensor(7, heads, length, 2 * pairs, seed=seed)
    result = as_float64(student.apply_rotary(x, scattered(length, seed)))
    check_shape(result, tuple(x.shape))
    check_that((result - x).abs().max().item() > 1e-3, "nothing turns")
    check_close(result.norm(dim=-1), x.norm(dim=-1), says="a vector has another norm after the turn", **CLOSE)


def positions_by_sequence(batch, length, seed):
    """Other positions for each sequence, `(batch, length)`."""
    return torch.stack([scattered(length, seed + sequence) for sequence in range(batch)])


@given(seeds(), distinct_sizes(count=4, max_size=5))
def test_rotary_takes_positions_of_each_sequence(student, seed, sizes):
    """Each sequence of a batch has its own positions, which all its heads share.

    Hint: positions have the axes (batch, length), x has heads between the two: which axis do they line up with?
    """
    batch, heads, length, pairs = sizes
    # A mix-up of the two axes raises when they differ in size, and is only wrong when they don't.
    for shape in ((batch, heads, length), (heads, heads, length), (length, heads, length)):
        x = normal_tensor(*shape, 2 * pairs, seed=seed)
        positions = positions_by_sequence(shape[0], length, seed)
        result = student.apply_rotary(x, positions)
        check_shape(result, tuple(x.shape))
        for sequence in range(shape[0]):
            check_turned(result[sequence].contiguous(), x[sequence], positions[sequence])


@given(seeds(), sizes(min_size=4), distinct_sizes(count=2, max_size=5))
def test_rotary_takes_positions_of_each_sequence_at_any_rank(student, seed, batch, sizes):
    """Positions of each sequence also work when x has no axis of heads, or one more.

    Hint: how many axes stand between the first one of x and its length? There may be none.
    """
    length, pairs = sizes
    for between in ((3, 2), ()):
        x = normal_tensor(batch, *between, length, 2 * pairs, seed=seed)
        positions = positions_by_sequence(batch, length, seed)
        result = student.apply_rotary(x, positions)
        check_shape(result, tuple(x.shape))
        for sequence in range(batch):
            check_turned(result[sequence].contiguous(), x[sequence], positions[sequence])


@given(seeds(), distinct_sizes(count=3, max_size=5))
def test_rotary_takes_any_leading_axes(student, seed, sizes):
    """One list of positions serves x of two, three and five axes.

    Hint: count axes from the end; the last two are length and d_head.
    """
    batch, length, pairs = sizes
    # In the last case `positions` could be taken for one position per sequence by its size, not by its axes.
    for leading in ((), (batch,), (batch, 2, 3), (length, 2)):
        x = normal_tensor(*leading, length, 2 * pairs, seed=seed)
        positions = scattered(length, seed)
        check_turned(student.apply_rotary(x, positions), x, positions)


@given(seeds(), st.sampled_from(OTHER_BASES), sizes(min_size=2))
def test_rotary_uses_the_base(student, seed, base, pairs):
    """Another base gives other angles.

    Hint: does `base` reach the place where the angles are computed?
    """
    x = normal_tensor(2, 3, 4, 2 * pairs, seed=seed)
    positions = scattered(4, seed)
    one = student.apply_rotary(x, positions, base)
    other = student.apply_rotary(x, positions, base=3 * base)
    check_turned(one, x, positions, base)
    check_turned(other, x, positions, 3 * base)


def test_rotary_turns_back_for_negative_positions(student):
    """A negative position turns the other way.

    Hint: the formula holds for any position; what does your code ask of it besides?
    """
    x = normal_tensor(2, 3, 4, 6, seed=11)
    positions = torch.tensor([-7, 5, -40, 0])
    check_turned(student.apply_rotary(x, positions), x, positions)


def test_rotary_keeps_the_dtype(student):
    """The result has the dtype of x, whatever the positions are.

    Hint: a product of two dtypes has the wider one.
    """
    positions = torch.tensor([3, 0, 7, 12])
    x = torch.ones(2, 3, 4, 6)
    results = {dtype: student.apply_rotary(x.to(dtype), positions) for dtype in DTYPES}
    of_other_positions = [student.apply_rotary(x, positions.to(dtype)) for dtype in (torch.int32, torch.float64)]
    check_dtypes(results)
    for result in of_other_positions:
        check_dtype(result, torch.float32)


def test_rotary_angles_of_narrow_inputs_are_float32(student):
    """Late positions turn by the right angle when x is bfloat16 or float16.

    Hint: how does bfloat16 write the number 2049? An angle must not be computed in so few digits.
    """
    positions = torch.tensor([2049, 257, 1001, 3333, 601])
    for dtype in NARROW:
        x = normal_tensor(2, 3, 5, 8, seed=13).sign().to(dtype)
        result = as_float64(student.apply_rotary(x, positions))
        check_shape(result, tuple(x.shape))
        check_close(result, oracles.turned(x, positions), rtol=0.0, atol=5e-2)


def test_rotary_of_float64_is_float64(student):
    """Float64 inputs are turned with that precision.

    Hint: one narrow factor makes the whole product imprecise; the angles of a float64 x are float64 too.
    """
    x = normal_tensor(2, 3, 5, 8, seed=14)
    positions = torch.tensor([54321, 257, 100003, 3333, 12])
    check_close(student.apply_rotary(x, positions), oracles.turned(x, positions))


@given(seeds(), distinct_sizes(count=3, max_size=5))
def test_rotary_lets_gradients_through(student, seed, sizes):
    """The gradient of x is the incoming one, turned back.

    Hint: a turn is a linear map; what cuts a tensor off from the gradient?
    """
    heads, length, pairs = sizes
    x = normal_tensor(7, heads, length, 2 * pairs, seed=seed, requires_grad=True)
    upstream = normal_tensor(7, heads, length, 2 * pairs, seed=seed + 1)
    positions = scattered(length, seed)
    result = student.apply_rotary(x, positions)
    check_shape(result, tuple(x.shape))
    check_that(result.requires_grad, "the result is cut off from the gradient")
    result.backward(upstream.to(result.dtype))
    check_that(x.grad is not None, "no gradient reaches x")
    check_close(x.grad, oracles.turned(upstream, -positions), **CLOSE)


def test_rotary_leaves_its_inputs_alone(student):
    """Neither x nor the positions are changed in place.

    Hint: writing into a slice of x writes into x.
    """
    positions = torch.tensor([3, 0, 7])
    for dtype in (torch.float32, torch.float64):
        check_varies(student.apply_rotary(torch.ones(2, 2, 3, 6, dtype=dtype), positions))
        x = normal_tensor(2, 2, 3, 6, seed=15, dtype=dtype)
        check_inputs_unchanged(student, student.apply_rotary, x, positions)
        check_inputs_unchanged(student, student.apply_rotary, x, positions.to(dtype))


def test_rotary_works_on_any_device(student):
    """The result is on the device of x.

    Hint: what creates a tensor takes a `device`.
    """
    x, positions = torch.ones(2, 3, 4, 6), torch.arange(4)
    check_varies(student.apply_rotary(x, positions))
    check_keeps_device(student, student.apply_rotary, x, positions)


# --- alibi_bias ------------------------------------------------------------------------------------------------------

HEADS = (4, 8, 2, 16, 1)


def past_bias(student, heads, query, key):
    """The biases of past keys, zeros elsewhere, and the distances back."""
    result = student.alibi_bias(heads, query, key)
    check_shape(result, (heads, query, key), axes="heads, query, key")
    distance = torch.arange(key - query, key)[:, None] - torch.arange(key)
    check_varies(result[:, distance >= 0])
    past = torch.where(distance >= 0, as_float64(result), 0.0)
    check_finite(past)
    return past, distance.clamp(min=0).double()


@given(st.sampled_from(HEADS), sizes(min_size=3))
def test_alibi_lowers_scores_by_distance(student, heads, length):
    """Each step back costs the same, and the query's own place nothing.

    Hint: look at one row: 0 at the query itself, then as much less with each step back.
    """
    past, distance = past_bias(student, heads, length, length)
    slope = -past[:, 1, 0]  # what one step back costs, be it the right amount or not
    check_that(slope.min().item() > 0, "a key further back does not get a lower bias")
    check_close(past, -slope[:, None, None] * distance, **CLOSE)


@given(st.sampled_from(HEADS), sizes(min_size=2))
def test_alibi_slopes_follow_the_formula(student, heads, length):
    """Head h has slope 2^(−8(h+1)/heads).

    Hint: with 8 heads the slopes are 1/2, 1/4, … 1/256; what are they with 4?
    """
    past, _ = past_bias(student, heads, length, length)
    expected = torch.tensor([2.0 ** (-8 * (head + 1) / heads) for head in range(heads)], dtype=torch.float64)
    check_close(past[:, 1, 0].abs(), expected, rtol=1e-5, atol=0.0)


@given(st.sampled_from(HEADS), seeds(), distinct_sizes(count=2))
def test_alibi_lines_up_the_last_query(student, heads, seed, sizes):
    """With fewer queries than keys the last query stands at the last key.

    Hint: in a cached step the one query is the newest token.
    """
    query, key = sorted(sizes)
    past, distance = past_bias(student, heads, query, key)
    slope = -past[:, -1, -2]
    check_close(past, -slope[:, None, None] * distance, **CLOSE)


def test_alibi_has_the_default_dtype(student):
    """The numbers have PyTorch's default dtype.

    Hint: torch.get_default_dtype() tells which one that is; most functions follow it unless told otherwise.
    """
    past_bias(student, 4, 3, 5)
    check_has_default_dtype(student, student.alibi_bias, 4, 3, 5)


def test_alibi_is_made_on_the_device(student):
    """The result is made on the device asked for.

    Hint: what creates a tensor takes a `device`.
    """
    past_bias(student, 4, 3, 5)
    check_keeps_device(student, student.alibi_bias, 4, 3, 5, device=META)
