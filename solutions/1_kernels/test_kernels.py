"""Public tests of stage 1: small examples, computed by hand.

All inputs are read-only: a function that changes its inputs fails with "array is read-only".
"""

import math
from typing import Any

import kernels
import numpy as np
from numpy.testing import assert_allclose


def array(values: Any) -> np.ndarray:
    """Return a read-only array."""
    result = np.array(values)
    result.setflags(write=False)
    return result


def test_gaussian():
    u = array([-1.0, 0.0, 1.0])
    assert_allclose(kernels.gaussian(u), [0.241971, 0.398942, 0.241971], rtol=1e-5, err_msg="the value at 0 is 1/√(2π)")
    assert kernels.gaussian(array([[0.0, 1.0, 2.0]])).shape == (1, 3), "the result should have the shape of u"
    far = kernels.gaussian(array([10.0]))
    assert_allclose(far, [7.6946e-23], rtol=1e-4, err_msg="far out, the kernel is tiny but not 0")
    assert kernels.gaussian(u.astype(np.float32)).dtype == np.float32, "float32 stays float32"


def test_epanechnikov():
    u = array([-2.0, -0.5, 0.0, 1.0])
    expected = [0.0, 0.5625, 0.75, 0.0]
    assert_allclose(kernels.epanechnikov(u), expected, err_msg="a parabola of height 3/4 between -1 and 1, 0 outside")
    assert_allclose(kernels.epanechnikov(array([0, 1])), [0.75, 0.0], err_msg="integers give float64, not integers")


def test_tricube():
    u = array([-2.0, -0.5, 0.0, 1.0])
    expected = [0.0, 70 / 81 * 0.875**3, 70 / 81, 0.0]
    assert_allclose(kernels.tricube(u), expected, err_msg="at 1/2: 1 - (1/2)³ is 7/8, which is cubed")
    assert_allclose(kernels.tricube(array(0.0)), 70 / 81, err_msg="u may have any shape, also that of a single number")


def test_kernel_density():
    query, data = array([0.0, 1.0, 9.0]), array([0.0, 2.0, 2.0, 4.0])
    density = kernels.kernel_density(query, data, bandwidth=2.0, kernel=kernels.epanechnikov)
    assert density.shape == (3,), "one number per query"
    # At 1 three points are half a bandwidth away: 3 · 0.5625 / 4, divided by the bandwidth. Equal points count each.
    assert_allclose(density, [0.09375, 0.2109375, 0.0], err_msg="the mean of the bumps, divided by the bandwidth")
    default = kernels.kernel_density(array([0.0]), array([0.0]), 1.0)
    assert_allclose(default, [1 / math.sqrt(2 * math.pi)], err_msg="the default kernel is the Gaussian")


def test_kernel_weights():
    query, key = array([[0.0], [9.0]]), array([[0.0], [1.0], [5.0]])
    weights = kernels.kernel_weights(query, key, bandwidth=2.0, kernel=kernels.epanechnikov)
    assert weights.shape == (2, 3), "one row per query, one column per key"
    # The kernel gives 0.75, 0.5625 and 0 to the first query; 0.75 + 0.5625 is 1.3125.
    assert_allclose(weights[0], [4 / 7, 3 / 7, 0.0], err_msg="the kernel of each distance, divided by the row's sum")
    assert_allclose(weights[1], [0.0, 0.0, 0.0], err_msg="no key lies in the window of the second query")


def test_kernel_weights_in_the_plane():
    query, key = array([[0.0, 0.0], [3.0, 0.0]]), array([[0.0, 0.0], [3.0, 4.0]])
    weights = kernels.kernel_weights(query, key, bandwidth=4.0)
    # The distances are 0 and √(3² + 4²) = 5 in the first row, 3 and 4 in the second.
    raw = np.exp([[0.0, -25 / 32], [-9 / 32, -16 / 32]])
    expected = raw / [[raw[0].sum()], [raw[1].sum()]]
    assert_allclose(weights, expected, err_msg="exp(-½ (Euclidean distance / bandwidth)²), divided by the row's sum")


def test_kernel_weights_far_away():
    weights = kernels.kernel_weights(array([[100], [0]]), array([[0], [1]]), bandwidth=0.01)
    assert_allclose(weights, [[0.0, 1.0], [1.0, 0.0]], atol=1e-12, err_msg="the nearest key has all the weight")
    assert weights.dtype == np.float64, "integers give float64"
    narrow = array([[0.0], [1.0]]).astype(np.float32)
    assert kernels.kernel_weights(narrow, narrow, bandwidth=1.0).dtype == np.float32, "float32 stays float32"


def test_nadaraya_watson():
    query, key = array([[0.0], [9.0]]), array([[0.0], [1.0], [5.0]])
    prediction = kernels.nadaraya_watson(query, key, array([[1, 0], [2, 7], [99, 99]]), 2.0, kernels.epanechnikov)
    assert_allclose(prediction[0], [10 / 7, 3.0], err_msg="4/7 of the first value and 3/7 of the second")
    assert_allclose(prediction[1], [0.0, 0.0], err_msg="0 where no key lies in the window")


def test_local_linear():
    query, key = array([0.0, 5.0]), array([1.0, 2.0, 4.0])
    prediction, slope = kernels.local_linear(query, key, array([2.0, 5.0, 11.0]), bandwidth=2.0)
    assert_allclose(slope, [3.0, 3.0], err_msg="the values lie on a line of slope 3")
    assert_allclose(prediction, [-1.0, 14.0], err_msg="the line continues beyond the outermost keys")


def test_local_linear_by_hand():
    # The kernel gives 0.5625, 0.75 and 0.5625 to the keys, so the weights are 0.3, 0.4 and 0.3.
    key, value = array([-1.0, 0.0, 1.0]), array([0.0, 0.0, 1.0])
    prediction, slope = kernels.local_linear(array([0]), key, value, 2.0, kernels.epanechnikov)
    assert_allclose(prediction, [0.3], err_msg="at 0 the keys balance, and the line is at the weighted mean")
    assert_allclose(slope, [0.5], err_msg="the slope is Σ weight · key · value / Σ weight · key²: 0.3 / 0.6")


def test_local_linear_with_few_keys_in_the_window():
    key, value = array([0.0, 0.001, 10.0]), array([4.0, 4.002, 6.0])
    prediction, slope = kernels.local_linear(array([0.5, 9.5, 30.0]), key, value, 1.0, kernels.epanechnikov)
    assert_allclose(slope[0], 2.0, rtol=1e-6, err_msg="two keys determine a line, however near they are")
    assert_allclose(prediction[1:], [6.0, 0.0], err_msg="the value of the only key, and 0 without a key")
    assert_allclose(slope[1:], [0.0, 0.0], err_msg="with one key or none, the slope is 0")


def test_lowess():
    x, y = array([0.0, 1.0, 2.0, 3.0, 4.0]), array([0.0, 1.0, 2.0, 3.0, 14.0])
    # A window holds ceil(0.7 · 5) = 4 points. At 0 they are 0, 1, 2 and 3; all lie on one line, and 3 has weight 0.
    fit = kernels.lowess(x, y, fraction=0.7, robust_steps=0)
    assert_allclose(fit[0], 0.0, atol=1e-9, err_msg="the first four points lie on a line")
    # At 4 the points are 4, 3 and 2 with u = 0, 1/3 and 2/3; 1 has weight 0. `polyfit` squares its weights.
    line = np.polyfit(x[2:], y[2:], 1, w=np.sqrt([(19 / 27) ** 3, (26 / 27) ** 3, 1.0]))
    assert_allclose(fit[4], np.polyval(line, 4.0), err_msg="a local line with tricube weights (1 - u³)³")
    order = [3, 0, 4, 1, 2]
    shuffled = kernels.lowess(array(x[order]), array(y[order]), fraction=0.7, robust_steps=0)
    assert_allclose(shuffled, fit[order], atol=1e-9, err_msg="the fit should be in the order given")
    assert_allclose(kernels.lowess(x, 2 * x, 3.0), 2 * x, atol=1e-9, err_msg="a large fraction takes all points")


def test_lowess_with_equal_positions():
    # At 0 the third nearest point is at 1, where the kernel is 0: the fit is the mean of 1 and 5. Two points at most
    # have weight elsewhere, and their line meets both.
    x, y = array([0.0, 0.0, 1.0, 2.0, 3.0]), array([1, 5, 7, 9, 4])
    fit = kernels.lowess(x, y, fraction=0.6, robust_steps=0)
    assert_allclose(fit, [3.0, 3.0, 7.0, 9.0, 4.0], err_msg="points at equal positions count each among the k nearest")


def test_lowess_with_an_outlier():
    x, y = array([0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 7.0]), array([0.0, 2.0, 1.0, 12.0, 3.0, 6.0, 5.0])
    fits = {steps: kernels.lowess(x, y, 0.8, robust_steps=steps) for steps in (0, 1)}
    assert_allclose(fits[0][3], 6.5829, atol=1e-4, err_msg="without robust steps, the outlier pulls the curve up")
    expected = [0.2902, 1.3929, 2.3633, 3.5, 5.0349, 5.4603, 5.3373]
    assert_allclose(
        fits[1], expected, atol=1e-4, err_msg="one step: tricube times (1 - r²)², r = residual / (6 · median)"
    )
    assert_allclose(kernels.lowess(x, y)[3], 3.4453, atol=1e-4, err_msg="by default: fraction 2/3 and 3 robust steps")


def test_choose_bandwidth():
    x = array(np.linspace(0, 6, 13))
    chosen = kernels.choose_bandwidth(x, array(np.sin(x)), array([6.0, 8.0, 0.5]))
    assert chosen == 0.5, "the wide candidates flatten the sine; the candidates come in any order"
    # Neighbours have opposite values: they mislead a tiny bandwidth, and a wide one predicts nearly 0.
    chosen = kernels.choose_bandwidth(array(np.arange(8.0)), array([1.0, -1.0] * 4), [1e-4, 20.0])
    assert chosen == 20.0, "a point must not help to predict itself: leave it out"
    assert kernels.choose_bandwidth(x, np.zeros(13), [2.0, 1.0]) == 2.0, "on ties, the first candidate is chosen"


def test_choose_bandwidth_with_a_tiny_candidate():
    y = array([1.0, 1.0, 3.0, 3.0])
    chosen = kernels.choose_bandwidth(array([0, 1, 9, 10]), y, [10.0, 1e-4])
    assert chosen == 1e-4, "a tiny bandwidth predicts the value of the nearest other point, which is right here"
    chosen = kernels.choose_bandwidth(array([0.0, 0.0, 9.0, 9.0]), y, [10.0, 1e-4])
    assert chosen == 1e-4, "only the point itself is left out, not other points at its position"
