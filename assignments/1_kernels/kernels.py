"""Stage 1: the regression that attention grew from.

A prediction is a weighted average here: first a density, then Nadaraya–Watson regression, then a local
line at every query, and Cleveland's LOWESS. Everything here is NumPy.

Conventions:
    - The axes are `query`, `key`, `d` (coordinates) and `d_value`. Weights are `(query, key)` and
      sum to one over **key**.
    - Where no key lies in a query's window, weights and result are zero, never NaN.
    - Results have the dtype of the inputs: float32 stays float32. Integers (int64) give float64.
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
        u: distance / bandwidth, of any shape; entries may be negative.

    Returns:
        the kernel at each `u`, in the shape of `u`. The kernel is non-negative, even and integrates to 1 over the line.
    """
    raise NotImplementedError("gaussian")


def epanechnikov(u: Array) -> Array:
    """The Epanechnikov kernel: `3/4 (1 - u²)` where that is positive, else 0.

    Some books print `max(0, 1 - |u|)` under this name. That is the triangular kernel.

    Args:
        u: distance / bandwidth, of any shape; entries may be negative.

    Returns:
        the kernel at each `u`, in the shape of `u`. The kernel is non-negative, even and integrates to 1 over the line.

    Source: Epanechnikov 1969.
    """
    raise NotImplementedError("epanechnikov")


def tricube(u: Array) -> Array:
    """The tricube kernel: `70/81 (1 - |u|³)³` where that is positive, else 0.

    Args:
        u: distance / bandwidth, of any shape; entries may be negative.

    Returns:
        the kernel at each `u`, in the shape of `u`. The kernel is non-negative, even and integrates to 1 over the line.

    Source: Cleveland 1979, section 2.
    """
    raise NotImplementedError("tricube")


def kernel_density(query: Array, data: Array, bandwidth: float, kernel: Kernel = gaussian) -> Array:
    """Estimate the density that a sample was drawn from, with one bump on every data point.

    Args:
        query: `(query,)`, the positions at which to estimate the density.
        data: `(n,)`, the sample.
        bandwidth: the width of the bumps, in units of `data`; above 0.
        kernel: maps an array of distance / bandwidth to an array of the same shape.

    Returns:
        the density at each query, `(query,)`. Its integral over the line is 1 for any bandwidth.

    Source: Rosenblatt 1956, Parzen 1962.
    """
    raise NotImplementedError("kernel_density")


def _normalise_rows(weights: Array) -> Array:
    """Divide each row by its sum: a helper that is not graded by itself and that you may change.

    Args:
        weights: `(query, key)`, non-negative.

    Returns:
        `(query, key)`, with rows that sum to one over key. A row of zeros stays a row of zeros.
    """
    raise NotImplementedError("_normalise_rows")


def kernel_weights(query: Array, key: Array, bandwidth: float, kernel: Kernel = gaussian) -> Array:
    """Weight each key for each query by the kernel of their distance; each row is normalised.

    Args:
        query: `(query, d)`.
        key: `(key, d)`.
        bandwidth: the unit of distance; above 0. The distance is Euclidean.
        kernel: maps an array of distance / bandwidth to an array of the same shape.

    Returns:
        weights `(query, key)`; each row sums to one over key. A row whose window holds no key is all
        zeros. When `kernel is gaussian`, no row is ever zero, however far the keys are and down to a
        bandwidth of 1e-100, or of 1e-15 if the inputs are float32. In the limit, the nearest key has all
        the weight. (`exp` gives 0 there: work with logarithms.)

    Source: Nadaraya 1964, Watson 1964.
    """
    raise NotImplementedError("kernel_weights")


def nadaraya_watson(query: Array, key: Array, value: Array, bandwidth: float, kernel: Kernel = gaussian) -> Array:
    """Predict the average of the values, weighted by how near their keys are.

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
    """Fit a weighted line for every query: a helper that is not graded by itself and that you may change.

    Args:
        query: `(query,)`.
        key: `(key,)`.
        value: `(key,)`.
        weights: `(query, key)`, non-negative; only their proportions within a row matter.

    Returns:
        prediction and slope, each `(query,)`, as in `local_linear`.
    """
    raise NotImplementedError("_fit_lines")


def local_linear(
    query: Array, key: Array, value: Array, bandwidth: float, kernel: Kernel = gaussian
) -> tuple[Array, Array]:
    """Predict with a straight line fitted around each query by weighted least squares.

    The line around query `q` has the level `a` and the slope `b` that minimise
    `Σ weight(q, key) · (value - a - b · (key - q))²`, with the weights of `kernel_weights`. The
    prediction is the line at `q`. A straight line is reproduced exactly, also beyond the outermost key.

    Args:
        query: `(query,)`.
        key: `(key,)`.
        value: `(key,)`.
        bandwidth: as in `kernel_weights`.
        kernel: as in `kernel_weights`.

    Returns:
        prediction and slope, each `(query,)`. Where all weight lies on one position, no line is
        determined: the prediction is the weighted mean there, and the slope is 0. Where no key lies in
        the window, both are 0.

    Source: Cleveland 1979; Fan 1992.
    """
    raise NotImplementedError("local_linear")


def lowess(x: Array, y: Array, fraction: float = 2 / 3, robust_steps: int = 3) -> Array:
    """Smooth a scatter plot with local lines that are robust to outliers: Cleveland's LOWESS.

    The first fit gives each `x` a local line with tricube weights. Its bandwidth is the distance to the
    k-th nearest point, `k = ceil(fraction · n - 1e-9)`, clipped to 1 … n; the point itself is the first.
    Each of the `robust_steps` then gives each point the bisquare weight `(1 - r²)²` of its residual `r`,
    measured in units of `6 · median(|residual|)`, and 0 where `|r|` is above 1. The lines are fitted
    again with the product of both weights. When the median is 0, the fit stays as it is.

    Args:
        x: `(n,)`, in any order; positions may be equal.
        y: `(n,)`.
        fraction: fraction of the points in each window.
        robust_steps: number of times the fit is repeated.

    Returns:
        the smoothed value at each `x`, `(n,)`, in the order given. Where all weights of a window
        vanish, the point keeps its own `y`.

    Source: Cleveland 1979, section 2.
    """
    raise NotImplementedError("lowess")


def choose_bandwidth(x: Array, y: Array, bandwidths: Sequence[float] | Array) -> float:
    """Choose the bandwidth that predicts left-out points best: leave-one-out cross-validation.

    Each point is predicted from all the others by Gaussian Nadaraya–Watson regression. The point is left
    out before the weights are normalised; other points at the same position stay. As in
    `kernel_weights`, no row of weights is ever zero: a tiny bandwidth predicts the value of the nearest
    other point. The error of a bandwidth is the sum of the squared differences between `y` and these
    predictions.

    Args:
        x: `(n,)`, at least two points, integers or floats; positions may be equal.
        y: `(n,)`.
        bandwidths: the candidates, in any order.

    Returns:
        the element of `bandwidths` with the least error; the first such element on ties.
    """
    raise NotImplementedError("choose_bandwidth")
