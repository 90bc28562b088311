"""Hidden tests of kernel weights, Nadaraya–Watson regression and the choice of its bandwidth."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from kernels_oracles import (
    biweight,
    check_computed,
    define_kernels,
    gaussian_weights_of,
    left_out_errors,
    weights_of,
)

from autograder.judge.compare import check_close, check_shape, check_that
from autograder.judge.probes import check_inputs_unchanged
from autograder.judge.strategies import distinct_sizes, normal_array, seeds

TINY = (1e-3, 1e-30, 1e-100)
TINY_FOR_FLOAT32 = (1e-3, 1e-8, 1e-15)
INTEGERS = "integer inputs give wrong values: cast them to float"


def draw_near(seed, queries, keys, d):
    """Queries that each have a key within 0.5, and the keys; there may be fewer or more queries than keys."""
    key = normal_array(keys, d, seed=seed, scale=1.5)
    query = key[np.arange(queries) % keys] + np.random.default_rng(seed + 1).uniform(-0.25, 0.25, (queries, d))
    return query, key


def pairs_of_points(seed, queries, keys, d):
    """Queries and keys of the sizes that matter; the sizes that differ come first.

    With equal sizes or an axis of size 1, several mistakes give the same result.
    """
    query, key = draw_near(seed, queries, keys, d)
    repeated = np.repeat(key, 1 + np.arange(keys) % 3, axis=0)
    small = [(query[:1], key), (query[:1], key[:1]), (query[:, :1], key[:, :1])]
    crowded = tuple(0.1 * points for points in draw_near(seed, 5, 34, d))  # all keys in each window
    return [
        (query, key),
        draw_near(seed, 21, 34, d),
        draw_near(seed, keys, keys, d),
        crowded,
        (query, repeated),
        *small,
    ]


@given(seeds(), distinct_sizes(count=3, min_size=2), st.floats(1.0, 4.0))
def test_kernel_weights_are_shares_of_the_kernel(student, seed, sizes, bandwidth):
    """kernel_weights: a weight is the kernel of the distance, divided by the sum over keys.

    Hint: pass the Euclidean distance over all coordinates, divided by the bandwidth, to `kernel`. Then normalise row
    by row: over which axis is the sum?
    """
    kernel = define_kernels(student).biweight
    for queries, keys in pairs_of_points(seed, *sizes[:2], d=min(sizes[2], 4)):
        weights = student.kernel_weights(queries, keys, bandwidth, kernel)
        check_close(weights, weights_of(queries, keys, bandwidth, biweight), axes="query, key")


@given(seeds(), distinct_sizes(count=2, min_size=2))
def test_kernel_weights_sum_to_one_over_the_keys(student, seed, sizes):
    """kernel_weights: rows sum to one, even if the only key is at the edge of the window.

    Hint: each query distributes one unit of weight over the keys. How does a small number added to the divisor change
    a small sum?
    """
    kernels = define_kernels(student)
    query, key = draw_near(seed, *sizes, d=2)
    for kernel in (kernels.biweight, kernels.box):
        sums = student.kernel_weights(query, key, 1.7, kernel=kernel).sum(axis=1)
        check_close(sums, np.ones(len(query)), says="rows do not sum to one over the keys")
    at_the_edge = student.kernel_weights(np.zeros((1, 1)), np.array([[-0.999], [3.0]]), 1.0, kernel=kernels.biweight)
    check_close(at_the_edge, np.array([[1.0, 0.0]]), says="rows do not sum to one over the keys")


@given(seeds(), distinct_sizes(count=2, min_size=2))
def test_kernel_weights_of_an_empty_window_are_zero(student, seed, sizes):
    """kernel_weights: a row whose window holds no key is zero; other rows are unaffected.

    Hint: 0/0 is NaN. Which rows have a sum that you can divide by?
    """
    query, key = draw_near(seed, *sizes, d=3)
    query[::2] += 100.0
    kernels = define_kernels(student)
    weights = student.kernel_weights(query, key, 1.2, kernel=kernels.biweight)
    check_shape(weights, (len(query), len(key)), axes="query, key")
    check_close(weights[::2], np.zeros_like(weights[::2]))
    check_that(bool(weights[1::2].max(axis=1).min() > 0), "a row is zero although its window holds keys")
    check_close(weights[1::2], student.kernel_weights(query[1::2], key, 1.2, kernel=kernels.biweight))
    outside = student.kernel_weights(query + 1000.0, key, 1.2, kernel=kernels.box)
    check_close(outside, np.zeros((len(query), len(key))))


@given(seeds(), distinct_sizes(count=3, min_size=2), st.floats(0.6, 4.0))
def test_kernel_weights_are_gaussian_by_default(student, seed, sizes, bandwidth):
    """kernel_weights: the weights are Gaussian by default and with `kernel=gaussian`.

    Hint: for ordinary distances, logarithms must give the same weights as the kernel itself. Remember the 2 in
    exp(-u²/2).
    """
    for query, key in pairs_of_points(seed, *sizes[:2], d=min(sizes[2], 4)):
        expected = gaussian_weights_of(query, key, bandwidth)
        check_close(student.kernel_weights(query, key, bandwidth), expected, axes="query, key")
        check_close(student.kernel_weights(query, key, bandwidth, kernel=student.gaussian), expected)


@given(seeds(), distinct_sizes(count=2, min_size=2))
def test_kernel_weights_far_away_go_to_the_nearest_key(student, seed, sizes):
    """kernel_weights: Gaussian rows never vanish: in the limit, the nearest key takes all weight.

    Hint: exp(-5000) is 0 and 0/0 is NaN. Shift the exponents of a row so that the largest is 0: how do the normalised
    weights change?
    """
    query, key = normal_array(sizes[0], 2, seed=seed), normal_array(sizes[1], 2, seed=seed + 1)
    query[0] += 300.0
    query[1] += 30.0
    assume(separated(query, key))
    alone = student.kernel_weights(query[:1], key, 1.0)
    check_close(alone, gaussian_weights_of(query[:1], key, 1.0), axes="query, key")
    for bandwidth in (1.0, *TINY):
        expected = gaussian_weights_of(query, key, bandwidth)
        check_close(student.kernel_weights(query, key, bandwidth, student.gaussian), expected, axes="query, key")
    nearest = gaussian_weights_of(query, key, TINY_FOR_FLOAT32[0]).round().astype(np.float32)
    for bandwidth in TINY_FOR_FLOAT32:
        narrow = student.kernel_weights(query.astype(np.float32), key.astype(np.float32), bandwidth)
        check_shape(narrow, nearest.shape, axes="query, key")
        check_close(narrow.astype(np.float32), nearest)
    # A tiny bandwidth is not narrow if the distances are as tiny.
    in_small_units = student.kernel_weights(query * 1e-100, key * 1e-100, 1e-100)
    check_close(in_small_units, gaussian_weights_of(query, key, 1.0), axes="query, key")


def separated(query, key):
    """Whether no two keys are almost equally near to any query, so that rounding does not decide which key wins."""
    distance = np.linalg.norm(query[:, None] - key, axis=2)
    return bool(np.diff(np.sort(distance, axis=1), axis=1).min() > 1e-3)


def test_kernel_weights_keep_the_dtype(student):
    """kernel_weights: float32 stays float32, and integers give float64.

    Hint: np.zeros and np.empty make float64; zeros_like of an integer array makes integers, which hold no fractions.
    """
    query, key = draw_near(1, 4, 6, d=2)
    integers = np.array([[0, 1], [3, 2], [1, 1]]), np.array([[1, 0], [-2, 2], [4, 1], [0, 0]])
    for kernel in (student.gaussian, define_kernels(student).biweight):
        wide = student.kernel_weights(query, key, 1.5, kernel)
        check_computed(wide, (4, 6), axes="query, key")
        narrow = student.kernel_weights(query.astype(np.float32), key.astype(np.float32), 1.5, kernel)
        check_close(narrow, wide.astype(np.float32), axes="query, key")
        as_floats = student.kernel_weights(*(array * 1.0 for array in integers), 4.5, kernel)
        check_close(student.kernel_weights(*integers, 4.5, kernel), as_floats, says=INTEGERS, axes="query, key")


def test_kernel_weights_leave_their_inputs_alone(student):
    """kernel_weights: query and key are not modified.

    Hint: an operator such as `/=` writes into the array on its left.
    """
    query, key = draw_near(1, 4, 6, d=2)
    for kernel in (student.gaussian, define_kernels(student).box):
        check_inputs_unchanged(student, student.kernel_weights, query, key, 0.7, kernel)
        check_computed(student.kernel_weights(query, key, 0.7, kernel), (4, 6), axes="query, key")


@given(seeds(), distinct_sizes(count=4, min_size=2), st.floats(0.8, 3.0))
def test_nadaraya_watson_is_the_weighted_average(student, seed, sizes, bandwidth):
    """nadaraya_watson: a prediction is the weighted average of each column of `value`.

    Hint: (query, key) times (key, d_value) gives (query, d_value). Do you pass `kernel` on?
    """
    query, key = draw_near(seed, *sizes[:2], d=min(sizes[2], 3))
    value = normal_array(sizes[1], sizes[3], seed=seed + 2, scale=3.0)
    square = (*draw_near(seed, sizes[1], sizes[1], d=2), normal_array(sizes[1], sizes[1], seed=seed + 3))
    large = (*draw_near(seed, 21, 34, d=1), normal_array(34, 1, seed=seed + 4))
    for queries, keys, values in ((query, key, value), large, square, (query[:1], key[:1], value[:1, :1])):
        expected = gaussian_weights_of(queries, keys, bandwidth) @ values
        gaussian = student.nadaraya_watson(queries, keys, values, bandwidth)
        check_close(gaussian, expected, axes="query, d_value")
        check_close(student.nadaraya_watson(queries, keys, values, bandwidth, kernel=student.gaussian), gaussian)
    in_the_box = np.linalg.norm(query[:, None] - key, axis=2) <= bandwidth
    means = np.stack([value[inside].mean(axis=0) for inside in in_the_box])
    boxed = student.nadaraya_watson(query, key, value, bandwidth, define_kernels(student).box)
    check_close(boxed, means, axes="query, d_value")


FAR = np.array([[0.0], [90.0], [-400.0]]), np.array([[1.0], [0.2], [2.5], [-1.5]])


def test_nadaraya_watson_far_away_is_the_nearest_value(student):
    """nadaraya_watson: far from the data, the Gaussian average is the nearest key's value.

    Hint: do your weights come from `kernel_weights`, which works with logarithms?
    """
    value = normal_array(4, 3, seed=5)
    prediction = student.nadaraya_watson(*FAR, value, 1.0)
    check_shape(prediction, (3, 3), axes="query, d_value")
    check_close(prediction[1:], value[[2, 3]], axes="query, d_value")


def test_nadaraya_watson_of_an_empty_window_is_zero(student):
    """nadaraya_watson: where the window holds no key, the prediction is 0.

    Hint: do your weights come from `kernel_weights`, which gives a row of zeros there?
    """
    prediction = student.nadaraya_watson(*FAR, normal_array(4, 3, seed=5), 1.1, define_kernels(student).box)
    check_shape(prediction, (3, 3), axes="query, d_value")
    check_close(prediction[1:], np.zeros((2, 3)), axes="query, d_value")
    check_computed(prediction[:1], (1, 3), axes="query, d_value")


def test_nadaraya_watson_keeps_the_dtype(student):
    """nadaraya_watson: float32 stays float32, and integers give float64.

    Hint: np.zeros and np.empty make float64; zeros_like of an integer array makes integers, which hold no fractions.
    """
    query, key = draw_near(1, 4, 6, d=2)
    value = normal_array(6, 3, seed=2)
    wide = student.nadaraya_watson(query, key, value, 1.5)
    check_computed(wide, (4, 3), axes="query, d_value")
    narrow = (array.astype(np.float32) for array in (query, key, value))
    check_close(student.nadaraya_watson(*narrow, 1.5), wide.astype(np.float32), axes="query, d_value")
    integers = np.array([[0], [3]]), np.array([[1], [-2], [4]]), np.array([[5, 1], [2, -3], [7, 0]])
    as_floats = student.nadaraya_watson(*(array * 1.0 for array in integers), 1.5)
    check_close(student.nadaraya_watson(*integers, 1.5), as_floats, says=INTEGERS, axes="query, d_value")


def test_nadaraya_watson_leaves_its_inputs_alone(student):
    """nadaraya_watson: query, key and value are not modified.

    Hint: an operator such as `*=` writes into the array on its left.
    """
    query, key = draw_near(1, 4, 6, d=2)
    value = normal_array(6, 3, seed=2)
    check_inputs_unchanged(student, student.nadaraya_watson, query, key, value, 0.7)
    check_computed(student.nadaraya_watson(query, key, value, 0.7), (4, 3), axes="query, d_value")


def check_choices(choices, expected):
    """Check several choices together: a wrong implementation may make a single choice correctly at random."""
    for choice, best in zip(choices, expected, strict=True):
        check_close(choice, best)


@given(seeds(), st.integers(8, 14))
def test_choose_bandwidth_predicts_each_point_from_the_others(student, seed, n):
    """choose_bandwidth: the candidate with the least leave-one-out error is chosen.

    Hint: a point must not help to predict itself: leave it out before you normalise the weights. Square the
    differences and add them up.
    """
    x = normal_array(n, seed=seed, scale=2.0)
    noise = np.array([[0.1], [0.4], [0.8], [1.5]]) * normal_array(4, n, seed=seed + 1)
    ys = 3.0 + np.sin(x) + noise
    bandwidths = np.random.default_rng(seed + 2).permutation(np.geomspace(0.15, 4.0, 9)).tolist()
    errors = left_out_errors(x, ys, bandwidths)
    least, second = np.sort(errors, axis=1)[:, :2].T
    assume((second / least).min() > 1 + 1e-6)
    choices = [student.choose_bandwidth(x, y, bandwidths) for y in ys]
    check_choices(choices, [bandwidths[index] for index in errors.argmin(axis=1)])


def check_chooses(student):
    """Check an easy choice, which nearly every implementation gets right and no stub does."""
    x = np.linspace(0.0, 6.0, 13)
    check_close(student.choose_bandwidth(x, np.sin(x), [8.0, 0.5, 6.0]), 0.5)


def test_choose_bandwidth_takes_the_first_on_ties(student):
    """choose_bandwidth: on ties, the first candidate in the given order is chosen.

    Hint: do not sort the candidates, and compare errors with `<`, not with `<=`.
    """
    check_chooses(student)
    candidates = [[0.7, 0.3, 1.9], [1.9, 0.3], [0.3, 0.7]]
    # Of two points, each predicts the other, whatever the bandwidth is.
    plots = [(normal_array(7, seed=1), np.zeros(7)), (np.array([0.3, 1.7]), np.array([5.0, -2.0]))]
    choices = [student.choose_bandwidth(x, y, group) for x, y in plots for group in candidates]
    check_choices(choices, [group[0] for group in candidates] * len(plots))


def test_choose_bandwidth_takes_lists_and_arrays(student):
    """choose_bandwidth: from a list, tuple or array, the candidate is returned, not its index.

    Hint: np.argmin returns an index: which candidate has that index?
    """
    x = np.linspace(0.0, 6.0, 13)
    candidates = [kind(values) for kind in (list, tuple, np.array) for values in ([8.0, 0.5, 6.0], [2.5])]
    choices = [student.choose_bandwidth(x, np.sin(x), group) for group in candidates]
    check_choices(choices, [0.5, 2.5] * 3)


def test_choose_bandwidth_knows_the_nearest_neighbour(student):
    """choose_bandwidth: a tiny bandwidth is scored by nearest-neighbour prediction.

    Hint: exp(-5000) is 0 and 0/0 is NaN, which np.argmin takes for the minimum. Work with logarithms here too.
    """
    x = np.array([0.0, 0.1, 0.25, 1.0, 1.12, 1.3, 2.4, 2.5, 2.7])
    steps = np.array([5.0, 5.1, 5.4, 9.0, 9.2, 9.3, 2.0, 2.3, 2.2])  # the nearest neighbour predicts best
    noise = np.array([5.0, 9.0, 5.5, 8.0, 4.0, 8.4, 4.5, 9.5, 6.0])  # the mean predicts best
    curve = np.array([5.0, 8.5, 6.0, 9.5, 6.5, 9.0, 11.0, 7.5, 11.5])  # a bandwidth in between predicts best
    choices, expected = [], []
    for tiny in (1e-4, 1e-100):
        for others in ([0.7, 8.0, 1.2, 3.0], [3.0, 1.2, 8.0, 0.7]):
            choices += [student.choose_bandwidth(x, y, [tiny, *others]) for y in (noise, steps, curve)]
            choices += [student.choose_bandwidth(x, y, [*others, tiny]) for y in (noise, steps, curve)]
            expected += [8.0, tiny, 1.2] * 2
    check_choices(choices, expected)


def test_choose_bandwidth_keeps_other_points_at_the_same_position(student):
    """choose_bandwidth: only the point itself is left out, not the others at its position.

    Hint: how do you find the point itself: by its index, or by its distance of 0?
    """
    x = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    ys = np.array(
        [
            [4.0, 4.1, 9.0, 9.1, 9.0, 2.0, 2.1, 7.0, 7.1],  # points at one position agree
            [9.0, 1.0, 8.0, 5.0, 2.0, 1.0, 9.0, 8.0, 2.0],  # points at one position differ
            [1.0, 3.0, 2.5, 4.5, 4.0, 4.5, 7.0, 5.5, 8.0],
        ]
    )
    bandwidths = [8.0, 0.01, 0.8, 1.5, 0.4]
    best = left_out_errors(x, ys, bandwidths).argmin(axis=1)
    check_choices([student.choose_bandwidth(x, y, bandwidths) for y in ys], [bandwidths[index] for index in best])


def test_choose_bandwidth_takes_integers(student):
    """choose_bandwidth: x and y may hold integers or float32.

    Hint: an array of integers can hold neither infinity nor a fraction.
    """
    x, y = np.array([0, 2, 3, 5, 7, 8, 10, 12, 13]), np.array([0, 4, 6, 9, 12, 13, 15, 17, 18])
    bandwidths = [30.0, 0.6, 4.0, 12.0]
    best = bandwidths[left_out_errors(x * 1.0, y[None] * 1.0, bandwidths).argmin()]
    kinds = [(np.int64, np.int64), (np.int64, float), (float, np.int64), (np.float32, np.float32)]
    choices = [student.choose_bandwidth(x.astype(kind), y.astype(other), bandwidths) for kind, other in kinds]
    check_choices(choices, [best] * len(kinds))


def test_choose_bandwidth_leaves_its_inputs_alone(student):
    """choose_bandwidth: x, y and the candidates are not modified.

    Hint: `sort()` sorts in place; np.fill_diagonal writes into its argument.
    """
    x, y = normal_array(7, seed=1), normal_array(7, seed=2)
    check_inputs_unchanged(student, student.choose_bandwidth, x, y, np.array([0.7, 0.3, 1.9]))
    check_chooses(student)
