"""Expected results, computed point by point in float64: slow, and independent of the reference."""

import math
from collections.abc import Callable

import numpy as np
from hypothesis import assume
from numpy.typing import NDArray

from autograder.isolation.proxy import Namespace, Student
from autograder.judge.compare import check_array_type, check_shape, check_that
from autograder.judge.probes import define

Array = NDArray[np.float64]
Profile = Callable[[float], float]

# Kernels that do not depend on the submission, so that an error in its kernels fails only the checks of kernels.
# They are functions of u² with finite support, and keep the dtype.
_KERNELS = """
import numpy as np

def biweight(u):
    return 15 / 16 * np.maximum(1 - u**2, 0) ** 2

def box(u):
    return (np.abs(u) <= 1) * 0.5
"""


def define_kernels(student: Student) -> Namespace:
    """Define ``biweight`` and ``box`` in the submission's process."""
    return define(student, _KERNELS)


def check_computed(result: object, shape: tuple[int, ...], axes: str | None = None) -> None:
    """Check that the result is an array of this shape that depends on the input, unlike that of a one-line stub.

    Checks of a property that does not concern values, such as an unmodified input, call this as well.
    """
    check_array_type(result)
    check_shape(result, shape, axes=axes)
    check_that(bool(np.isfinite(result).all()), "the result holds NaN or infinity")
    check_that(bool(np.ptp(result) > 1e-6), "the result does not depend on the input")


def biweight(u: float) -> float:
    return 15 / 16 * max(1 - u * u, 0.0) ** 2


def gaussian(u: float) -> float:
    return math.exp(-u * u / 2) / math.sqrt(2 * math.pi)


def elementwise(function: Profile, u: Array) -> Array | float:
    """Apply the function to every element; a 0-d array gives a Python number."""
    values = [function(float(element)) for element in u.ravel()]
    return np.array(values).reshape(u.shape) if u.ndim else values[0]


def density_at(query: Array, data: Array, bandwidth: float, profile: Profile) -> Array:
    bumps = [[profile((float(q) - float(x)) / bandwidth) / bandwidth for x in data] for q in query]
    return np.array([math.fsum(row) / len(row) for row in bumps])


def weights_of(query: Array, key: Array, bandwidth: float, profile: Profile) -> Array:
    """Weights ``(query, key)``; a row whose window holds no key is zero."""
    rows = []
    for q in query:
        row = [profile(math.dist(q, k) / bandwidth) for k in key]
        total = math.fsum(row)
        rows.append([weight / total if total else 0.0 for weight in row])
    return np.array(rows)


def gaussian_weights_of(query: Array, key: Array, bandwidth: float) -> Array:
    """Weights ``(query, key)`` of the Gaussian kernel, whose rows never vanish."""
    rows = []
    for q in query:
        squares = [(math.dist(q, k) / bandwidth) ** 2 for k in key]
        row = [math.exp((min(squares) - square) / 2) for square in squares]
        rows.append([weight / math.fsum(row) for weight in row])
    return np.array(rows)


def line_at(q: float, key: Array, value: Array, weights: Array) -> tuple[float, float]:
    """Prediction and slope of one weighted line, by least squares on rows times √weight.

    Rejects examples with almost all weight on one position: rounding errors determine the line there.
    """
    inside = weights > 0
    key, value, weights = key[inside], value[inside], weights[inside]
    if len(key) == 0:
        return 0.0, 0.0
    if len(set(key.tolist())) == 1:
        return float(np.average(value, weights=weights)), 0.0
    mean = np.average(key, weights=weights)
    assume(np.average((key - mean) ** 2, weights=weights) > 1e-4 * np.ptp(key) ** 2)
    root = np.sqrt(weights / weights.max())
    design = np.stack([root, root * (key - q)], axis=1)
    level, slope = np.linalg.lstsq(design, root * value, rcond=None)[0]
    return float(level), float(slope)


def lines_at(query: Array, key: Array, value: Array, weights: Array) -> tuple[Array, Array]:
    lines = [line_at(float(q), key, value, row) for q, row in zip(query, weights, strict=True)]
    return np.array([level for level, _ in lines]), np.array([slope for _, slope in lines])


def lowess_of(x: Array, y: Array, k: int, robust_steps: int) -> Array:
    """Cleveland's LOWESS with windows of ``k`` points, point by point."""
    robust = np.ones(len(x))
    fit = _fit_windows(x, y, k, robust)
    for _ in range(robust_steps):
        residual = np.abs(y - fit)
        unit = 6 * float(np.median(residual))
        if unit == 0:
            break
        robust = np.array([(1 - (r / unit) ** 2) ** 2 if r < unit else 0.0 for r in residual])
        fit = _fit_windows(x, y, k, robust)
    return fit


def _fit_windows(x: Array, y: Array, k: int, robust: Array) -> Array:
    fit = np.empty(len(x))
    for i, centre in enumerate(x):
        distance = np.abs(x - centre)
        bandwidth = sorted(distance.tolist())[k - 1]
        window = np.array([_tricube_of(d, bandwidth) for d in distance]) * robust
        fit[i] = line_at(float(centre), x, y, window)[0] if window.max() > 0 else y[i]
    return fit


def _tricube_of(distance: float, bandwidth: float) -> float:
    if bandwidth == 0:
        return float(distance == 0)
    return max(1 - (distance / bandwidth) ** 3, 0.0) ** 3


def left_out_errors(x: Array, ys: Array, bandwidths: list[float]) -> Array:
    """Leave-one-out squared error of each row of ``ys`` and each bandwidth, ``(len(ys), len(bandwidths))``."""
    errors = np.zeros((len(ys), len(bandwidths)))
    for column, bandwidth in enumerate(bandwidths):
        for i in range(len(x)):
            others = np.arange(len(x)) != i
            row = gaussian_weights_of(x[i : i + 1, None], x[others, None], bandwidth)[0]
            errors[:, column] += (ys[:, i] - ys[:, others] @ row) ** 2
    return errors
