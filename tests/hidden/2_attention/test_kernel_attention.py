"""Hidden tests of kernel_attention.

Oracle: Gaussian weights from differences of squared distances, as in stage 1; an invariant: shifting queries and keys
together changes nothing.
"""

import torch
from attention_oracles import LONG
from hypothesis import example, given

from autograder.judge.compare import check_dtype, check_that, check_values
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds


def regression(query, key, value, bandwidth):
    """Nadaraya–Watson: a key's weight is `1 / Σⱼ exp((d² − dⱼ²) / 2h²)`."""
    squares = ((query.unsqueeze(1) - key) / bandwidth).pow(2).sum(dim=-1)  # (query, key)
    weights = 1 / torch.exp((squares.unsqueeze(2) - squares.unsqueeze(1)) / 2).sum(dim=-1)
    return weights @ value


def points_of(query, key, d, d_value, *, leading=(), seed=0):
    """Queries, keys and values; the norms of the keys differ, so that a missing |k|² changes the result."""
    queries, keys = normal_tensor(*leading, query, d, seed=seed), normal_tensor(*leading, key, d, seed=seed + 1)
    return queries, 2 * keys + 1, normal_tensor(*leading, key, d_value, seed=seed + 2)


@given(seeds(), distinct_sizes(count=4, min_size=1))
@example(1, (LONG, LONG + 1, 2, 3))
@example(2, (4, 4, 4, 4))
@example(3, (3, 1, 1, 1))
def test_kernel_attention_equals_kernel_regression(student, seed, shape):
    """kernel_attention: the result is the average of the values under a Gaussian kernel.

    Hint: the Gaussian weight is exp(−distance² / 2h²). Which scores give this weight after a softmax?
    """
    query, key, value = points_of(*shape, seed=seed)
    repeated = key.clone()
    repeated[-1] = key[0]  # two keys in the same place count twice
    for keys in (key, repeated):
        for bandwidth in (0.5, 1.0, 3.0):
            expected = regression(query, keys, value, bandwidth)
            found = student.kernel_attention(query, keys, value, bandwidth)
            check_values(found, expected, axes="query, d_value")


@given(seeds(), distinct_sizes(count=4, min_size=2))
@example(1, (4, LONG, 2, 3))
def test_kernel_attention_depends_on_distances_alone(student, seed, shape):
    """kernel_attention: shifting all queries and keys by the same vector changes nothing.

    Hint: |q − k|² = |q|² − 2·q·k + |k|². Which of the three terms are the same for every key?
    """
    query, key, value = points_of(*shape, seed=seed)
    step = normal_tensor(shape[2], seed=seed + 5, scale=3.0)
    shifted = student.kernel_attention(query + step, key + step, value, 0.7)
    check_values(shifted, student.kernel_attention(query, key, value, 0.7))
    check_that(float(shifted.std()) > 0, "the result does not depend on the input")


@given(seeds(), distinct_sizes(count=2, min_size=3))
@example(1, (LONG, 3))
def test_kernel_attention_works_far_away_and_with_a_tiny_bandwidth(student, seed, shape):
    """kernel_attention: where every kernel value underflows, the nearest key decides.

    Hint: exp(−1000) is 0 and 0 / 0 is NaN; leave the exponential to a softmax that subtracts the largest score.
    """
    count, d_value = shape
    for dtype, least in ((torch.float64, 1e-100), (torch.float32, 1e-15)):
        key = 3.0 * torch.arange(count, dtype=dtype).flip(0).unsqueeze(-1)
        value = normal_tensor(count, d_value, seed=seed, dtype=dtype)
        query = key + 0.5 * torch.tanh(normal_tensor(count, 1, seed=seed + 1, dtype=dtype))
        for bandwidth in (1e-3, 1e-12, least):
            check_values(student.kernel_attention(query, key, value, bandwidth), value)
        far = torch.tensor([[-1000.0], [1000.0]], dtype=dtype)
        check_values(student.kernel_attention(far, key, value, 1.0), value[[-1, 0]])


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
@example(1, (2, 3, 4, LONG))
@example(2, (3, 3, 3, 3))
def test_kernel_attention_takes_any_leading_axes(student, seed, shape):
    """kernel_attention: any number of leading axes is accepted.

    Hint: count axes from the end when you pair each query with each key.
    """
    *leading, query, key = shape
    points = points_of(query, key, 2, 3, leading=leading, seed=seed)
    together = student.kernel_attention(*points, 0.9)
    for index in range(leading[0]):
        apart = torch.stack(
            [regression(*item, 0.9) for item in zip(*(tensor[index] for tensor in points), strict=True)]
        )
        check_values(together[index], apart)
    check_values(student.kernel_attention(*(tensor[0] for tensor in points), 0.9), together[0])


def test_kernel_attention_keeps_the_dtype(student):
    """kernel_attention: the result has the dtype of the inputs.

    Hint: a tensor that you create for the bandwidth may widen the dtype of the result.
    """
    for dtype in (torch.float64, torch.float32):  # PyTorch's distance functions support no narrower dtype
        points = [tensor.to(dtype) for tensor in points_of(4, 4, 2, 3, leading=(1,), seed=61)]
        check_computes(student.kernel_attention, [*points, 0.7], [*points, 1.1])
        check_dtype(student.kernel_attention(*points, 0.7), dtype)


def test_kernel_attention_keeps_the_device(student):
    """kernel_attention: the result is on the device of the inputs.

    Hint: tensors that you create need the device of the query.
    """
    points = points_of(4, 4, 2, 3, leading=(1,), seed=62)
    check_computes(student.kernel_attention, [*points, 0.7], [*points, 1.1])
    check_keeps_device(student, student.kernel_attention, *points, 0.7)


def test_kernel_attention_leaves_its_inputs_alone(student):
    """kernel_attention: query, key and value are not modified.

    Hint: `query /= bandwidth` modifies the tensor it is given; `query = query / bandwidth` does not.
    """
    points = points_of(4, 4, 2, 3, leading=(1,), seed=63)
    check_computes(student.kernel_attention, [*points, 0.7], [*points, 1.1])
    check_inputs_unchanged(student, student.kernel_attention, *points, 0.7)
