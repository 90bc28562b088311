"""Hidden tests of local linear regression and LOWESS."""

from pathlib import Path

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from kernels_oracles import (
    biweight,
    check_computed,
    define_kernels,
    gaussian_weights_of,
    lines_at,
    lowess_of,
    weights_of,
)

from autograder.judge.compare import check_close, check_shape, check_that
from autograder.judge.probes import check_inputs_unchanged
from autograder.judge.strategies import distinct_sizes, normal_array, seeds

INTEGERS = "integer inputs give wrong values: cast them to float"


def column(x):
    return x[:, None]


def pair(result, shape):
    """Check that the result is a prediction and a slope of this shape, the prediction computed; return it."""
    check_that(type(result) in (tuple, list) and len(result) == 2, "expected prediction and slope as a pair")
    check_computed(result[0], shape, axes="query")
    check_shape(result[1], shape, axes="query")
    return result


def near_a_curve(seed, queries, keys):
    """Queries that each have a key within 0.6, the keys, and noisy values on a curve."""
    key = normal_array(keys, seed=seed, scale=1.5) + 4.0
    query = key[np.arange(queries) % keys] + np.random.default_rng(seed + 1).uniform(-0.6, 0.6, queries)
    return query, key, np.sin(2 * key) + normal_array(keys, seed=seed + 2)


@given(seeds(), distinct_sizes(count=2, min_size=4, max_size=12), st.floats(0.7, 3.0))
def test_local_linear_is_weighted_least_squares(student, seed, sizes, bandwidth):
    """local_linear: prediction and slope are those of weighted least squares at the query.

    Hint: write down the sum to minimise. Does each weight count once? Do you evaluate the line at the query?
    """
    plots = [near_a_curve(seed, *counts) for counts in (sizes, (sizes[1], sizes[1]), (7, 30))]
    query, key, value = plots[0]
    plots.append((query, np.append(key, key[:2]), np.append(value, value[2:4])))  # two positions have two keys
    expected = [gaussian_weights_of(column(query), column(key), bandwidth) for query, key, _ in plots]
    expected = [lines_at(*plot, weights) for plot, weights in zip(plots, expected, strict=True)]
    inside = [weights_of(column(query), column(key), 4 * bandwidth, biweight) for query, key, _ in plots]
    assume(min((weights > 0).sum(axis=1).min() for weights in inside) >= 3)
    expected_inside = [lines_at(*plot, weights) for plot, weights in zip(plots, inside, strict=True)]
    kernel = define_kernels(student).biweight
    for plot, line, line_inside in zip(plots, expected, expected_inside, strict=True):
        check_close(student.local_linear(*plot, bandwidth), line, axes="query")
        check_close(student.local_linear(*plot, 4 * bandwidth, kernel), line_inside, axes="query")


@given(seeds(), st.floats(-3.0, 3.0))
def test_local_linear_reproduces_straight_lines(student, seed, slope):
    """local_linear: a line and its slope are reproduced exactly, even beyond the outermost keys.

    Hint: a weighted mean of the values is biased inwards at the boundary; a line is not. Do you add anything to a
    divisor?
    """
    key = np.random.default_rng(seed).uniform(-2.0, 2.0, 12)
    key[:2] = -2.0, 2.0
    query = np.array([-3.0, -2.0, -0.3, 1.1, 2.0, 2.8])
    for unit, offset in [(1.0, 0.0), (1.0, 20.0), (1e-3, 0.0), (1e3, 0.0)]:
        line = student.local_linear(query * unit + offset, key * unit + offset, 1.5 + slope * key, 1.3 * unit)
        expected = (1.5 + slope * query, np.full(6, slope / unit))
        check_close(line, expected, says="a straight line is not reproduced", axes="query")
    # Two keys determine a line.
    key, query = np.array([1.0, 2.0]), np.array([1.2, 1.5, 1.9])
    expected = (1.5 + slope * query, np.full(3, slope))
    line = student.local_linear(query, key, 1.5 + slope * key, 2.0, define_kernels(student).biweight)
    check_close(line, expected, says="a straight line is not reproduced", axes="query")


def test_local_linear_falls_back_to_the_mean_of_one_position(student):
    """local_linear: with all weight on one position, the result is the mean there and slope 0.

    Hint: one position does not determine a line: what is the variance of the keys then, and what do you divide by it?
    """
    kernels = define_kernels(student)
    query, value = np.array([0.1, 0.9, -0.4]), np.array([1.0, 4.0, 2.0, 9.0, 3.0, 4.0, 5.0])
    expected = (np.full(3, 4.0), np.zeros(3))
    for position in (0.0, 0.1 + 0.2, 1900.3):
        key = np.full(7, position)
        check_close(student.local_linear(query + position, key, value, 0.8), expected, axes="query")
        check_close(student.local_linear(query + position, key, value, 2.0, kernels.biweight), expected, axes="query")
    check_close(student.local_linear(query[:1], key[:1], value[:1], 0.8), (value[:1], np.zeros(1)), axes="query")
    # One key in each window, and two keys at the same position in the last window.
    key, value = np.array([5.0, 7.7, 11.1, 11.1]), np.array([1.0, 4.0, 2.0, 9.0])
    expected = (np.array([1.0, 4.0, 5.5]), np.zeros(3))
    near = np.array([5.3, 7.5, 11.2])
    check_close(student.local_linear(near, key, value, 1.0, kernels.biweight), expected, axes="query")
    # The Gaussian is so narrow that a key has all the weight at its own position.
    check_close(student.local_linear(key[:2], key, value, 1e-100), (value[:2], np.zeros(2)), axes="query")


def test_local_linear_is_zero_in_an_empty_window(student):
    """local_linear: where the window holds no key, prediction and slope are 0.

    Hint: the weights of an empty window sum to 0. What do you divide by that sum?
    """
    query, key = np.array([-50.0, 0.2, 50.0, 0.9]), np.array([-1.0, 0.0, 0.5, 1.5])
    value = np.array([2.0, 3.0, 5.0, 1.0])
    line = pair(student.local_linear(query, key, value, 1.6, kernel=define_kernels(student).biweight), (4,))
    check_close([part[[0, 2]] for part in line], [np.zeros(2), np.zeros(2)])
    check_computed(line[0][[1, 3]], (2,))


def test_local_linear_keeps_the_dtype(student):
    """local_linear: float32 stays float32, and integers give float64.

    Hint: np.zeros and np.empty make float64; zeros_like of an integer array makes integers, which hold no fractions.
    """
    query, key, value = normal_array(4, seed=1), normal_array(9, seed=2), normal_array(9, seed=3)
    wide = pair(student.local_linear(query, key, value, 1.5), (4,))
    narrow = student.local_linear(*(array.astype(np.float32) for array in (query, key, value)), 1.5)
    check_close(narrow, tuple(array.astype(np.float32) for array in wide), axes="query", rtol=1e-3, atol=1e-3)
    integers = np.array([0, 3, 5]), np.array([1, -2, 4, 6]), np.array([5, 2, 7, 7])
    as_floats = pair(student.local_linear(*(array * 1.0 for array in integers), 2.5), (3,))
    check_close(student.local_linear(*integers, 2.5), as_floats, says=INTEGERS, axes="query")


def test_local_linear_leaves_its_inputs_alone(student):
    """local_linear: query, key and value are not modified.

    Hint: an operator such as `-=` writes into the array on its left.
    """
    query, key, value = normal_array(4, seed=1), normal_array(6, seed=2), normal_array(6, seed=3)
    check_inputs_unchanged(student, student.local_linear, query, key, value, 0.9)
    pair(student.local_linear(query, key, value, 0.9), (4,))


def check_smoothed(fit, y):
    """Check that the fit is computed and differs from `y`."""
    check_computed(fit, y.shape, axes="n")
    check_that(float(abs(fit - y).max()) > 1e-6, "the fit does not smooth the points")


def scatter(seed, n, noise):
    """Distinct, sorted positions and a noisy curve."""
    x = np.cumsum(np.random.default_rng(seed).uniform(0.2, 1.0, n))
    return x, np.sin(x) + noise * normal_array(n, seed=seed + 1)


def with_outliers(seed, n):
    """A scatter plot with one point in five far off the curve."""
    x, y = scatter(seed, n, 0.3)
    y[np.random.default_rng(seed + 2).permutation(n)[: n // 5]] += 40.0
    return x, y


@given(seeds(), st.integers(10, 16), st.integers(5, 10))
def test_lowess_fits_a_line_in_each_window(student, seed, n, k):
    """lowess: without robust steps, each point gets a local line with tricube weights.

    Hint: for one point, sort the distances to all points. The k-th is the bandwidth; the point's own distance, 0, is
    the first.
    """
    for points, window, unit in ((n, k, 1.0), (n, k, 1e-3), (40, 25, 1.0)):
        x, y = scatter(seed, points, 1.0)
        expected = lowess_of(x, y, window, 0)
        check_close(student.lowess(x * unit, y, window / points, 0), expected, axes="n")


@given(seeds(), st.integers(10, 16))
def test_lowess_is_not_bent_by_outliers(student, seed, n):
    """lowess: each robust step applies bisquare weights of the residuals and refits.

    Hint: take the residuals of the latest fit, in units of six times the median of their absolute values. Multiply
    both weights. How many fits are there in all?
    """
    x, y = with_outliers(seed, n)
    k = n // 2 + 2
    for robust_steps, unit in ((3, 1.0), (1, 1.0), (2, 1e-5)):
        expected = lowess_of(x, y, k, robust_steps) * unit
        check_close(student.lowess(x, y * unit, k / n, robust_steps=robust_steps), expected, axes="n")


def test_lowess_takes_the_right_number_of_neighbours(student):
    """lowess: a window holds k = ceil(fraction · n - 1e-9) points.

    Hint: in floating point, 0.55 · 20 is 11.000000000000002. What is the ceiling of that?
    """
    for fraction, n, k in [(0.34, 10, 4), (0.5, 12, 6), (0.55, 20, 11), (0.28, 25, 7), (0.41, 17, 7)]:
        x, y = scatter(n, n, 1.0)
        fits = [student.lowess(x, y, (points - 0.5) / n, 0) for points in (k - 1, k, k + 1)]
        check_computed(fits[1], (n,), axes="n")
        check_close(student.lowess(x, y, fraction, 0), fits[1], axes="n")
        for other in (fits[0], fits[2]):
            check_that(float(abs(fits[1] - other).max()) > 1e-6, "the fit does not depend on the fraction")


def test_lowess_clips_the_number_of_neighbours(student):
    """lowess: for any fraction, a window holds at least one point and at most all.

    Hint: what is k for a fraction of 0, and for a fraction of 2?
    """
    x, y = scatter(3, 9, 1.0)
    check_close(student.lowess(x, y, 0.0, 0), y, axes="n")
    for n in (1, 2):
        check_close(student.lowess(x[:n], y[:n]), y[:n], axes="n")
    all_points = student.lowess(x, y, 1.0, 0)
    check_smoothed(all_points, y)
    check_close(student.lowess(x, y, 2.0, 0), all_points, axes="n")


def test_lowess_keeps_the_order_of_the_points(student):
    """lowess: shuffled points give the same fit, in the shuffled order.

    Hint: if you sort by x, return the fit in the order given. The argsort of an argsort undoes the sort.
    """
    x, y = with_outliers(5, 14)
    order = np.random.default_rng(6).permutation(14)
    fit = student.lowess(x, y, 0.6)
    check_smoothed(fit, y)
    check_close(student.lowess(x[order], y[order], 0.6), fit[order], axes="n")


@given(seeds())
def test_lowess_takes_equal_positions(student, seed):
    """lowess: several points may share a position.

    Hint: k counts points, not positions. All points at one position have the same window.
    """
    x, y = scatter(seed, 9, 1.0)
    fit = student.lowess(x, y, 6 / 9, 0)
    check_computed(fit, (9,), axes="n")
    doubled = student.lowess(np.repeat(x, 2), np.repeat(y, 2), 12 / 18, 0)
    check_close(doubled, np.repeat(fit, 2), says="the fit changes when every point is given twice", axes="n")
    x = np.repeat(x, [1, 3, 1, 2, 1, 1, 4, 1, 2])
    shared = student.lowess(x, np.sin(x) + normal_array(16, seed=seed + 3), 8 / 16, 0)
    check_computed(shared, (16,), axes="n")
    firsts = np.searchsorted(x, x)
    check_close(shared, shared[firsts], says="points at the same position get different fits", axes="n")


def test_lowess_takes_a_window_without_width(student):
    """lowess: where k points share a position, the fit is finite, within the range of their y.

    Hint: the bandwidth is 0 there. What are 0/0 and 1/0?
    """
    x = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 1.4, 3.0, 4.5])
    y = np.array([2.0, 3.0, 3.0, 3.0, 3.0, 7.0, 1.0, 4.0])
    for robust_steps in (0, 3):
        check_close(student.lowess(x, y, 3 / 8, robust_steps)[1:5], np.full(4, 3.0), axes="n")
    y[1:5] = 3.0, 4.0, 8.0, 5.0
    fit = student.lowess(x, y, 3 / 8, 0)
    shared = fit[1:5]
    check_smoothed(student.lowess(x, y, 7 / 8, 0), y)
    check_close(shared.clip(3.0, 8.0), shared, says="the fit at a shared position is outside the values' range")


def test_lowess_keeps_a_point_whose_window_has_no_weight(student):
    """lowess: where all weights of a window are 0, the point keeps its own y.

    Hint: if every point in a window is an outlier, which points are left to fit a line to?
    """
    x, y = scatter(8, 16, 0.5)
    x, y = np.append(x, np.full(4, 60.0)), np.append(y, [90.0, -85.0, 110.0, -100.0])
    fit = student.lowess(x, y, 5 / 20, 1)
    check_shape(fit, (20,), axes="n")
    check_close(fit[16:], y[16:], axes="n")
    check_that(float(abs(fit - y)[:16].max()) > 1e-6, "the fit does not smooth the points")


def test_lowess_stops_when_the_median_residual_is_zero(student):
    """lowess: the fit stays as it is if more than half of the residuals are 0.

    Hint: 0/0 again: in which unit are the residuals measured if their median is 0?
    """
    x = np.cumsum(np.array([1.0, 0.7, 1.1, 0.9, 1.2, 0.8, 1.0, 1.3, 0.6, 1.0, 0.9, 1.1, 0.7, 1.2, 1.0, 0.8]))
    spike = np.where(np.arange(16) == 6, 10.0, 0.0)
    first = student.lowess(x, spike, 5 / 16, 0)
    check_smoothed(first, spike)
    check_close(
        student.lowess(x, spike, 5 / 16), first, says="the fit changes although its median residual is 0", axes="n"
    )
    check_close(student.lowess(x, np.zeros(16), 0.5), np.zeros(16), axes="n")


def test_lowess_has_its_usual_defaults(student):
    """lowess: the defaults are two thirds of the points and three robust steps.

    Hint: look at the signature in the stub.
    """
    x, y = with_outliers(4, 15)
    fit = student.lowess(x, y)
    check_smoothed(fit, y)
    check_close(fit, student.lowess(x, y, 2 / 3, 3), axes="n")
    check_close(fit, student.lowess(x, y, fraction=2 / 3, robust_steps=3), axes="n")


def test_lowess_equals_another_program(student):
    """lowess: on real data, the fit equals that of the statistics program R.

    Hint: R's lowess is Cleveland's own. If this exercise's other checks pass, consider what real data have and small
    examples lack: equal positions and one-sided windows.
    """
    table = np.genfromtxt(Path(__file__).with_name("lowess_in_r.csv"), delimiter=",", names=True, dtype=None)
    for name in np.unique(table["data"]):
        rows = table[table["data"] == name]
        x, y, n = np.ascontiguousarray(rows["x"]), np.ascontiguousarray(rows["y"]), len(rows)
        fit = student.lowess(x, y, int(rows["k"][0]) / n, int(rows["robust_steps"][0]))
        check_close(fit, np.ascontiguousarray(rows["fit"]), axes="n", rtol=1e-6, atol=1e-6)


def test_lowess_keeps_the_dtype(student):
    """lowess: float32 stays float32, and integers give float64.

    Hint: np.zeros and np.empty make float64; zeros_like of an integer array makes integers, which hold no fractions.
    """
    x, y = scatter(7, 15, 1.0)
    wide = student.lowess(x, y, 0.6, 2)
    check_computed(wide, (15,), axes="n")
    narrow = student.lowess(x.astype(np.float32), y.astype(np.float32), 0.6, 2)
    check_close(narrow, wide.astype(np.float32), axes="n", rtol=1e-3, atol=1e-3)
    x, y = np.array([0, 1, 3, 4, 6, 7, 9, 12, 13]), np.array([3, 1, 4, 1, 5, 9, 2, 6, 5])
    as_floats = student.lowess(x * 1.0, y * 1.0, 7 / 9, 2)
    check_smoothed(as_floats, y)
    check_close(student.lowess(x, y, 7 / 9, 2), as_floats, says=INTEGERS, axes="n")


def test_lowess_leaves_its_inputs_alone(student):
    """lowess: x and y are not modified.

    Hint: `sort()` sorts in place; `fit = y` makes a second name for y, not a copy.
    """
    x, y = scatter(7, 15, 1.0)
    order = np.random.default_rng(6).permutation(15)
    for fraction in (0.6, 1 / 15):
        check_inputs_unchanged(student, student.lowess, x[order], y[order], fraction)
    fit = student.lowess(x[order], y[order], 0.6)
    check_smoothed(fit, y[order])
