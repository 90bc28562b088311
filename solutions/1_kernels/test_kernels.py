"""Public tests of stage 1: small examples, computed by hand."""

import kernels
import numpy as np
from numpy.testing import assert_allclose


def test_gaussian():
    u = np.array([-1.0, 0.0, 1.0])
    assert_allclose(kernels.gaussian(u), [0.241971, 0.398942, 0.241971], rtol=1e-5, err_msg="the value at 0 is 1/√(2π)")
    assert kernels.gaussian(np.zeros((2, 3))).shape == (2, 3), "the result should have the shape of u"


def test_epanechnikov():
    u = np.array([-2.0, -0.5, 0.0, 1.0])
    expected = [0.0, 0.5625, 0.75, 0.0]
    assert_allclose(kernels.epanechnikov(u), expected, err_msg="a parabola of height 3/4 between -1 and 1, 0 outside")


def test_tricube():
    u = np.array([-2.0, -0.5, 0.0, 1.0])
    expected = [0.0, 70 / 81 * 0.875**3, 70 / 81, 0.0]
    assert_allclose(kernels.tricube(u), expected, err_msg="at 1/2: 1 - (1/2)³ is 7/8, which is cubed")


def test_kernel_density():
    query, data = np.array([0.0, 1.0, 9.0]), np.array([0.0, 2.0])
    density = kernels.kernel_density(query, data, bandwidth=2.0, kernel=kernels.epanechnikov)
    assert density.shape == (3,), "one number per query"
    # At 1 both points are half a bandwidth away: (0.5625 + 0.5625) / 2, divided by the bandwidth.
    assert_allclose(density, [0.1875, 0.28125, 0.0], err_msg="the mean of the bumps, divided by the bandwidth")


def test_kernel_weights():
    query, key = np.array([[0.0], [9.0]]), np.array([[0.0], [1.0], [5.0]])
    weights = kernels.kernel_weights(query, key, bandwidth=2.0, kernel=kernels.epanechnikov)
    assert weights.shape == (2, 3), "one row per query, one column per key"
    # The kernel gives 0.75, 0.5625 and 0 to the first query; 0.75 + 0.5625 is 1.3125.
    assert_allclose(weights[0], [4 / 7, 3 / 7, 0.0], err_msg="the kernel of each distance, divided by the row's sum")
    assert_allclose(weights[1], [0.0, 0.0, 0.0], err_msg="no key lies in the window of the second query")


def test_kernel_weights_far_away():
    weights = kernels.kernel_weights(np.array([[100.0]]), np.array([[0.0], [1.0]]), bandwidth=1.0)
    assert_allclose(weights, [[0.0, 1.0]], atol=1e-12, err_msg="far away, the nearest key has all the weight")


def test_nadaraya_watson():
    query, key = np.array([[0.0]]), np.array([[0.0], [1.0], [5.0]])
    value = np.array([[7.0, 0.0], [14.0, 7.0], [99.0, 99.0]])
    prediction = kernels.nadaraya_watson(query, key, value, bandwidth=2.0, kernel=kernels.epanechnikov)
    assert_allclose(prediction, [[10.0, 3.0]], err_msg="4/7 of the first value and 3/7 of the second")


def test_local_linear():
    query, key = np.array([0.0, 5.0]), np.array([1.0, 2.0, 4.0])
    prediction, slope = kernels.local_linear(query, key, 3 * key - 1, bandwidth=2.0)
    assert_allclose(slope, [3.0, 3.0], err_msg="the values lie on a line of slope 3")
    assert_allclose(prediction, [-1.0, 14.0], err_msg="the line continues beyond the outermost keys")


def test_local_linear_with_one_key_in_the_window():
    key, value = np.array([0.0, 10.0]), np.array([4.0, 6.0])
    prediction, slope = kernels.local_linear(np.array([0.5, 30.0]), key, value, 1.0, kernels.epanechnikov)
    assert_allclose(prediction, [4.0, 0.0], err_msg="the value of the only key, and 0 without a key")
    assert_allclose(slope, [0.0, 0.0], err_msg="with one key or none, the slope is 0")


def test_lowess():
    x, y = np.arange(5.0), np.array([0.0, 1.0, 2.0, 3.0, 14.0])
    # A window holds 4 points. At 0 they are 0, 1, 2 and 3; all lie on one line, and 3 has weight 0.
    fit = kernels.lowess(x, y, fraction=0.8, robust_steps=0)
    assert_allclose(fit[0], 0.0, atol=1e-9, err_msg="the first four points lie on a line")
    assert fit[4] < 14, "the last point should be smoothed"
    order = np.array([3, 0, 4, 1, 2])
    shuffled = kernels.lowess(x[order], y[order], fraction=0.8, robust_steps=0)
    assert_allclose(shuffled, fit[order], atol=1e-9, err_msg="the fit should be in the order given")


def test_lowess_with_an_outlier():
    x = np.arange(20.0)
    y = np.where(x == 6, 50.0, x + np.sin(7 * x))
    bent, robust = kernels.lowess(x, y, 0.5, robust_steps=0), kernels.lowess(x, y, 0.5, robust_steps=3)
    assert bent[6] > 12, "without robust steps, the outlier pulls the curve up"
    assert robust[6] < 8, "robust steps remove the outlier's weight"


def test_choose_bandwidth():
    x = np.linspace(0, 6, 13)
    chosen = kernels.choose_bandwidth(x, np.sin(x), [8.0, 0.5, 6.0])
    assert chosen == 0.5, "the wide candidates flatten the sine"
    assert kernels.choose_bandwidth(x, np.zeros(13), [2.0, 1.0]) == 2.0, "on ties, the first candidate is chosen"
