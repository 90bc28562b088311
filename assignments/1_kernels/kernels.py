"""Stage 1: the regression that attention grew from.

A prediction as a weighted average: first a density, then Nadaraya–Watson regression, then a line
through every neighbourhood, and Cleveland's LOWESS. Everything here is NumPy.

Conventions:
    - The axes are `query`, `key`, `d` (coordinates) and `d_value`. Weights are `(query, key)` and
      sum to one over **key**.
    - Where nothing lies in a query's window, weights and result are zero, never NaN.
    - Results have the dtype of the inputs: float32 stays float32. Whole numbers give float64.
    - Inputs are never changed in place.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Kernel = Callable[[Array], Array]


def gaussian(u: Array) -> Array:
    """The Gaussian kernel: the density of the standard normal distribution.

    Args:
        u: distance / bandwidth, any shape, of either sign.

    Returns:
        the kernel at each `u`, of the same shape: non-negative, even, with integral 1 over the line.
    """
    raise NotImplementedError("gaussian")


def epanechnikov(u: Array) -> Array:
    """The Epanechnikov kernel: `3/4 (1 - u²)` where that is positive, else 0.

    Some books print `max(0, 1 - |u|)` under this name. That is the triangular kernel.

    Args:
        u: distance / bandwidth, any shape, of either sign.

    Returns:
        the kernel at each `u`, of the same shape: non-negative, even, with integral 1 over the line.

    Source: Epanechnikov 1969.
    """
    raise NotImplementedError("epanechnikov")


def tricube(u: Array) -> Array:
    """The tricube kernel: `70/81 (1 - |u|³)³` where that is positive, else 0.

    Args:
        u: distance / bandwidth, any shape, of either sign.

    Returns:
        the kernel at each `u`, of the same shape: non-negative, even, with integral 1 over the line.

    Source: Cleveland 1979, section 2.
    """
    raise NotImplementedError("tricube")


def kernel_density(query: Array, data: Array, bandwidth: float, kernel: Kernel = gaussian) -> Array:
    """The density that a sample was drawn from, estimated: one bump on every data point.

    Args:
        query: `(query,)`, where the density is asked for.
        data: `(n,)`, the sample.
        bandwidth: the width of the bumps, in units of `data`; above 0.
        kernel: maps an array of distance / bandwidth to an array of the same shape.

    Returns:
        the density at each query, `(query,)`. Its integral over the line is 1, whatever the bandwidth.

    Source: Rosenblatt 1956, Parzen 1962.
    """
    raise NotImplementedError("kernel_density")


def _normalise_rows(weights: Array) -> Array:
    """A helper, not graded by itself and yours to change: each row divided by its sum.

    Args:
        weights: `(query, key)`, none negative.

    Returns:
        `(query, key)`, rows that sum to one over key. A row of zeros stays a row of zeros.
    """
    raise NotImplementedError("_normalise_rows")


def kernel_weights(query: Array, key: Array, bandwidth: float, kernel: Kernel = gaussian) -> Array:
    """How much each key counts for each query: the kernel of their distance, made to sum to one.

    Args:
        query: `(query, d)`.
        key: `(key, d)`.
        bandwidth: the unit of distance; above 0. The distance is Euclidean.
        kernel: maps an array of distance / bandwidth to an array of the same shape.

    Returns:
        weights `(query, key)`, each row sums to one over key. A row whose window holds no key is all
        zeros. When `kernel is gaussian` that never happens, however far the keys are and down to a
        bandwidth of 1e-100, where the nearest key has all the weight. (`exp` gives 0 there: work with
        logarithms.)

    Source: Nadaraya 1964, Watson 1964.
    """
    raise NotImplementedError("kernel_weights")


def nadaraya_watson(query: Array, key: Array, value: Array, bandwidth: float, kernel: Kernel = gaussian) -> Array:
    """Predict by the average of the values, weighted by how near their keys are.

    Args:
        query: `(query, d)`.
        key: `(key, d)`.
        value: `(key, d_value)`.
        bandwidth: as in `kernel_weights`.
        kernel: as in `kernel_weights`.

    Returns:
        predictions `(query, d_value)`; zeros where no key lies in the window.

    Source: Nadaraya 1964, Watson 1964.
    """
    raise NotImplementedError("nadaraya_watson")


def _fit_lines(query: Array, key: Array, value: Array, weights: Array) -> tuple[Array, Array]:
    """A helper, not graded by itself and yours to change: the weighted line of every query.

    Args:
        query: `(query,)`.
        key: `(key,)`.
        value: `(key,)`.
        weights: `(query, key)`, none negative; only their proportions within a row matter.

    Returns:
        prediction and slope, each `(query,)`, as in `local_linear`.
    """
    raise NotImplementedError("_fit_lines")


def local_linear(
    query: Array, key: Array, value: Array, bandwidth: float, kernel: Kernel = gaussian
) -> tuple[Array, Array]:
    """Predict by a straight line fitted around each query, by weighted least squares.

    The line around query `q` has the level `a` and the slope `b` that make
    `Σ weight(q, key) · (value - a - b · (key - q))²` least, with the weights of `kernel_weights`. The
    prediction is the line at `q`. A straight line is reproduced exactly, beyond the outermost key too.

    Args:
        query: `(query,)`.
        key: `(key,)`.
        value: `(key,)`.
        bandwidth: as in `kernel_weights`.
        kernel: as in `kernel_weights`.

    Returns:
        prediction and slope, each `(query,)`. Where all weight lies on one position, no line is
        determined: the weighted mean there, and slope 0. Where no key lies in the window: 0 and 0.

    Source: Cleveland 1979; Fan 1992.
    """
    raise NotImplementedError("local_linear")


def lowess(x: Array, y: Array, fraction: float = 2 / 3, robust_steps: int = 3) -> Array:
    """Smooth a scatter plot by local lines that outliers cannot bend: Cleveland's LOWESS.

    A first fit gives each `x` a local line with tricube weights. Its bandwidth is the distance to the
    k-th nearest point, `k = ceil(fraction · n - 1e-9)`, clipped to 1 … n; the point itself is the first.
    Then, `robust_steps` times: each point gets the bisquare weight `(1 - r²)²` of its residual `r`,
    measured in units of `6 · median(|residual|)`, and 0 where `|r|` is above 1; the lines are fitted
    again with the product of both weights. When the median is 0, the fit is left as it is.

    Args:
        x: `(n,)`, in any order; equal positions are fine.
        y: `(n,)`.
        fraction: share of the points in each window.
        robust_steps: how often the fit is repeated.

    Returns:
        the smoothed value at each `x`, `(n,)`, in the order given. Where all weights of a window
        vanish, the point keeps its own `y`.

    Source: Cleveland 1979, section 2.
    """
    raise NotImplementedError("lowess")


def choose_bandwidth(x: Array, y: Array, bandwidths: Sequence[float] | Array) -> float:
    """The bandwidth that predicts best what it has not seen: leave-one-out cross-validation.

    Each point is predicted by Gaussian Nadaraya–Watson regression from all the others: it is left out
    before the weights are made to sum to one. The error of a bandwidth is the sum of the squared
    differences between `y` and these predictions.

    Args:
        x: `(n,)`, at least two points.
        y: `(n,)`.
        bandwidths: the candidates, in any order.

    Returns:
        the element of `bandwidths` with the least error; the first of them on ties.
    """
    raise NotImplementedError("choose_bandwidth")
