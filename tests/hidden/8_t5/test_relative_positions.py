"""Hidden tests of relative_position_bucket and RelativePositionBias. Oracle: the definition in Python numbers."""

import torch
from hypothesis import given
from t5_oracles import BUCKETS, DISTANCE, buckets, flat, in_worker, position_bias

from autograder.judge.compare import check_dtype, check_equal, check_finite, check_shape, check_that, check_values
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device, gradients
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

# Tables of two axes, as for queries and keys; one check takes other shapes.
NEAR, FAR = torch.arange(-7, 8)[None], torch.cat([torch.arange(-127, -15), torch.arange(16, 128)])[None]
AXES = "heads, query, key"


def check_buckets(student, positions, **options):
    found = student.relative_position_bucket(positions, **options)
    check_shape(found, tuple(positions.shape))
    check_values(found.long(), buckets(positions, **options), says="a relative position is in the wrong bucket")


def test_bucket_of_near_positions(student):
    """relative_position_bucket: near positions have a bucket each, in each direction.

    Hint: with 32 buckets in two directions, a direction has 16, and 8 of them hold one distance each.
    """
    check_buckets(student, NEAR, bidirectional=True, num_buckets=32, max_distance=128)


def test_bucket_of_far_positions(student):
    """relative_position_bucket: far positions share buckets by their logarithm.

    Hint: the share log(d/e) / log(max_distance/e) of the remaining buckets, rounded down.
    """
    check_buckets(student, FAR, bidirectional=True, num_buckets=32, max_distance=128)


def test_bucket_in_one_direction(student):
    """relative_position_bucket: unidirectional, the past has all buckets.

    Hint: the distance is query − key there, and 0 for a key after the query; no half is left for the future.
    """
    positions = torch.cat([NEAR, FAR], dim=1)
    for num_buckets, max_distance in ((32, 128), (16, 64), (6, 9), (3, 3)):
        check_buckets(student, positions, bidirectional=False, num_buckets=num_buckets, max_distance=max_distance)


def test_bucket_of_the_farthest_positions(student):
    """relative_position_bucket: from `max_distance` on, all positions share the last bucket.

    Hint: clip the bucket to the last bucket of its direction.
    """
    positions = torch.tensor([[-100_000, -1000, -129, -128], [128, 129, 1000, 100_000]])
    for bidirectional in (True, False):
        check_buckets(student, positions, bidirectional=bidirectional, num_buckets=32, max_distance=128)


def test_bucket_with_other_settings(student):
    """relative_position_bucket: `num_buckets` and `max_distance` are used.

    Hint: no size may be written into the formula as a number.
    """
    for num_buckets, max_distance in ((16, 64), (8, 20), (12, 20), (8, 10), (4, 6)):
        check_buckets(student, torch.arange(-40, 41)[None], num_buckets=num_buckets, max_distance=max_distance)


def test_bucket_has_its_usual_defaults(student):
    """relative_position_bucket: defaults are 32 buckets, in two directions, up to 128.

    Hint: look at the defaults in the signature.
    """
    check_buckets(student, torch.arange(-140, 141)[None])
    check_buckets(student, torch.arange(-140, 141)[None], bidirectional=False)


def test_bucket_takes_any_shape(student):
    """relative_position_bucket: relative positions have any shape; the buckets are int64.

    Hint: work elementwise, and convert the floats of the logarithm back.
    """
    for shape in ((), (1,), (4, 5), (2, 3, 3, 2)):
        positions = torch.randint(-150, 150, shape, generator=torch.Generator().manual_seed(3))
        check_buckets(student, positions)
        check_dtype(student.relative_position_bucket(positions), torch.int64)


def test_bucket_keeps_the_device(student):
    """relative_position_bucket: the buckets are on the device of the relative positions.

    Hint: create constants with the device of the input, or use Python numbers.
    """
    check_computes(student.relative_position_bucket, [NEAR], [NEAR + 3])
    check_keeps_device(student, student.relative_position_bucket, NEAR)


def test_bucket_leaves_its_input_alone(student):
    """relative_position_bucket: the relative positions are not changed in place.

    Hint: functions whose names end in an underscore modify the tensor they are given.
    """
    for bidirectional in (True, False):
        check_computes(student.relative_position_bucket, [NEAR, bidirectional], [NEAR - 3, bidirectional])
        check_inputs_unchanged(student, student.relative_position_bucket, NEAR, bidirectional)


# --- RelativePositionBias --------------------------------------------------------------------------------------------


def bias_with(student, weight, bidirectional, max_distance=DISTANCE):
    sizes = [weight.shape[1], weight.shape[0], max_distance, bidirectional]
    return in_worker(student).make(student.RelativePositionBias, sizes, *flat({"weight": weight}))


def check_bias(student, seed, bidirectional, cases):
    for number, (heads, query, key, num_buckets, max_distance) in enumerate(cases):
        weight = normal_tensor(num_buckets, heads, seed=seed + number)
        module = bias_with(student, weight, bidirectional, max_distance)
        check_values(module(query, key), position_bias(weight, query, key, bidirectional, max_distance), axes=AXES)


def test_bias_has_a_weight(student):
    """RelativePositionBias: the only parameter is `weight` `(num_buckets, num_heads)`.

    Hint: `nn.Parameter`; an `nn.Embedding` would add its own name to that of the weight.
    """
    module = student.RelativePositionBias(3, BUCKETS, DISTANCE, True)
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    says = "the state dict does not hold just `weight` with the listed shape"
    check_equal(shapes, {"weight": (BUCKETS, 3)}, says=says)
    check_finite(module.state_dict()["weight"])


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=9))
def test_bias_in_two_directions(student, seed, sizes):
    """RelativePositionBias: bidirectional, each query and key get the bias of their bucket.

    Hint: the relative position is key index minus query index; heads come first in the result.
    """
    sizes = [(*sizes, BUCKETS, DISTANCE), (3, 3, 3, BUCKETS, DISTANCE), (1, 1, 1, BUCKETS, DISTANCE)]
    check_bias(student, seed, True, [*sizes, (2, 11, 11, BUCKETS, DISTANCE)])


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=9))
def test_bias_in_one_direction(student, seed, sizes):
    """RelativePositionBias: unidirectional, keys after the query get the bias of bucket 0.

    Hint: pass `bidirectional` on to `relative_position_bucket`.
    """
    check_bias(student, seed, False, [(*sizes, BUCKETS, DISTANCE), (3, 3, 3, BUCKETS, DISTANCE), (2, 9, 4, 8, 10)])


@given(seeds())
def test_bias_uses_its_settings(student, seed):
    """RelativePositionBias: `num_buckets` and `max_distance` reach the buckets.

    Hint: pass both on; the defaults of `relative_position_bucket` are for 32 buckets.
    """
    for bidirectional in (True, False):
        cases = [(2, 25, 20, 8, 20), (3, 20, 25, 16, 64), (2, 40, 30, 32, 128)]
        check_bias(student, seed, bidirectional, cases)


def test_bias_learns_its_weight(student):
    """RelativePositionBias: the gradient of a bucket is the sum over the pairs in it.

    Hint: look the weight up with tensor operations, and detach nothing.
    """
    weight = normal_tensor(BUCKETS, 3, seed=1, requires_grad=True)
    towards = normal_tensor(3, 6, 9, seed=2)
    module = bias_with(student, weight.detach(), True)
    result = module(6, 9)
    check_shape(result, (3, 6, 9), axes=AXES)
    check_that(result.requires_grad, "the result is detached from the graph")
    result.backward(towards)
    position_bias(weight, 6, 9, True).backward(towards)
    found = gradients(module).get("weight")
    check_that(found is not None, "no gradient reaches `weight`")
    check_values(found, weight.grad)


def test_bias_keeps_dtype_and_device(student):
    """RelativePositionBias: the bias has the dtype and the device of `weight`.

    Hint: create the positions on the device of the weight.
    """
    for dtype in (torch.bfloat16, torch.float64):
        module = bias_with(student, normal_tensor(BUCKETS, 3, seed=1), True).to(dtype)
        check_computes(module, [4, 5], [5, 4])
        check_dtype(module(4, 5), dtype)
    check_keeps_device(student, module, 4, 5)
