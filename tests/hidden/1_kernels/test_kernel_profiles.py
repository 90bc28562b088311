"""Hidden tests of the kernel functions and of kernel density estimation."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernels_oracles import biweight, check_computed, define_kernels, density_at, elementwise, gaussian

from autograder.judge.compare import check_close, check_shape, check_that
from autograder.judge.probes import check_inputs_unchanged
from autograder.judge.strategies import distinct_sizes, normal_array, seeds, sizes

WIDTHS = (0.3, 1.0, 4.0)
# Far out, at the ends of a window, and close to the ends on either side.
EDGES = np.array([-1000.0, -30.0, -12.0, -5.0, -1.001, -1.0, -0.999, 0.0, 0.999, 1.0, 1.001, 5.0, 9.0, 1000.0])
GRID = np.linspace(-8.0, 8.0, 3201)
STEP = GRID[1] - GRID[0]
SHAPES = [(), (1,), (3, 2), (2, 1, 4), (1, 2, 3, 2)]
INTEGER_POINTS = np.array([-3, -1, 0, 1, 2])
INTEGERS = "integer inputs give wrong values: cast them to float"


def epanechnikov(u: float) -> float:
    return 0.75 * (1 - u * u) if abs(u) < 1 else 0.0


def tricube(u: float) -> float:
    return 70 / 81 * (1 - abs(u) ** 3) ** 3 if abs(u) < 1 else 0.0


def check_profile(function, profile, seed):
    for size, width in [(11, width) for width in WIDTHS] + [(200, 1.0)]:
        u = normal_array(size, seed=seed, scale=width)
        check_close(function(u), elementwise(profile, u))
    check_close(function(EDGES), elementwise(profile, EDGES), atol=0.0)
    check_close(float(function(GRID).sum() * STEP), 1.0, says="the kernel's integral is not 1", rtol=1e-5)


def check_shapes(function):
    for number, shape in enumerate(SHAPES):
        u = normal_array(math.prod(shape), seed=number, scale=0.7)
        row = function(u)
        check_shape(row, u.shape)
        check_close(function(u.reshape(shape)), row.reshape(shape) if shape else float(row[0]))
    check_bump(row, u)


def check_dtypes(function):
    wide = function(GRID[::100])
    check_bump(wide, GRID[::100])
    check_close(function(GRID[::100].astype(np.float32)), wide.astype(np.float32))
    check_close(function(INTEGER_POINTS), function(INTEGER_POINTS.astype(float)), says=INTEGERS)


def check_input_unmodified(student, function):
    u = normal_array(7, seed=1, scale=2.0)
    check_inputs_unchanged(student, function, u)
    check_bump(function(u), u)


def check_bump(result, u):
    """Check that the result is computed and differs from the input."""
    check_computed(result, u.shape)
    check_that(float(abs(result - u).max()) > 1e-6, "the result is the input")


@given(seeds())
def test_gaussian_is_the_normal_density(student, seed):
    """gaussian: the kernel is the density of the standard normal distribution.

    Hint: the integral over the line is 1. Which constant makes it so?
    """
    check_profile(student.gaussian, gaussian, seed)


def test_gaussian_takes_any_shape(student):
    """gaussian: the input may have any shape.

    Hint: work elementwise on the whole array, without counting its axes.
    """
    check_shapes(student.gaussian)


def test_gaussian_keeps_the_dtype(student):
    """gaussian: float32 stays float32, and integers give float64.

    Hint: a NumPy scalar such as np.sqrt(2 * np.pi) is float64 and turns float32 into float64; a Python float does not.
    """
    check_dtypes(student.gaussian)


def test_gaussian_leaves_its_input_alone(student):
    """gaussian: the input is not modified.

    Hint: an operator such as `*=` and an argument `out=` write into the caller's array.
    """
    check_input_unmodified(student, student.gaussian)


@given(seeds())
def test_epanechnikov_is_a_parabola_cut_off_at_one(student, seed):
    """epanechnikov: the values are 3/4 (1 - u²) between -1 and 1, and 0 outside.

    Hint: check a plot: the curve is a parabola, not a triangle; it is never below 0, and its area is 1.
    """
    check_profile(student.epanechnikov, epanechnikov, seed)


def test_epanechnikov_takes_any_shape(student):
    """epanechnikov: the input may have any shape.

    Hint: work elementwise on the whole array, without counting its axes.
    """
    check_shapes(student.epanechnikov)


def test_epanechnikov_keeps_the_dtype(student):
    """epanechnikov: float32 stays float32, and integers give float64.

    Hint: zeros_like of an integer array makes integers, which hold no fractions; zeros always makes float64.
    """
    check_dtypes(student.epanechnikov)


def test_epanechnikov_leaves_its_input_alone(student):
    """epanechnikov: the input is not modified.

    Hint: `u[…] = …` and an argument `out=` write into the caller's array.
    """
    check_input_unmodified(student, student.epanechnikov)


@given(seeds())
def test_tricube_is_cubed_twice(student, seed):
    """tricube: the values are 70/81 (1 - |u|³)³ between -1 and 1, and 0 outside.

    Hint: there are two cubes, and the inner cube is of |u|, not of u: what is (-2)³? The constant makes the area 1.
    """
    check_profile(student.tricube, tricube, seed)


def test_tricube_takes_any_shape(student):
    """tricube: the input may have any shape.

    Hint: work elementwise on the whole array, without counting its axes.
    """
    check_shapes(student.tricube)


def test_tricube_keeps_the_dtype(student):
    """tricube: float32 stays float32, and integers give float64.

    Hint: zeros_like of an integer array makes integers, which hold no fractions; zeros always makes float64.
    """
    check_dtypes(student.tricube)


def test_tricube_leaves_its_input_alone(student):
    """tricube: the input is not modified.

    Hint: `u[…] = …` and an argument `out=` write into the caller's array.
    """
    check_input_unmodified(student, student.tricube)


def check_density(result):
    """Check for five queries that the result is one computed, non-negative number per query."""
    check_computed(result, (5,), axes="query")
    check_that(float(result.min()) >= 0, "a density must not be negative")


@given(seeds(), distinct_sizes(count=2, min_size=2), st.floats(0.2, 5.0))
def test_kernel_density_averages_the_bumps(student, seed, sizes, bandwidth):
    """kernel_density: the density is the mean over the data of kernel(distance/h) / h.

    Hint: write down the term of one query and one data point. How much height does a wider bump lose?
    """
    query, data = normal_array(40, seed=seed, scale=2.0), normal_array(70, seed=seed + 1, scale=2.0)
    kernel = define_kernels(student).biweight
    few, n = query[: sizes[0]], sizes[1]
    # The sizes that differ come first: with equal sizes or an axis of size 1, several mistakes give the same result.
    cases = [(few, data[:n]), (query, data), (query[:n], data[:n]), (few[:1], data[:n]), (few, data[:1])]
    for queries, points in (*cases, (few, np.repeat(data[:n], 1 + np.arange(n) % 3))):
        density = student.kernel_density(queries, points, bandwidth, kernel)
        check_close(density, density_at(queries, points, bandwidth, biweight), axes="query")


@given(seeds(), sizes(min_size=2, max_size=5))
def test_kernel_density_integrates_to_one(student, seed, size):
    """kernel_density: the density integrates to one for any bandwidth and sample size.

    Hint: each of the n bumps must have the area 1/n. What is the area of kernel((q - x) / bandwidth)?
    """
    kernel = define_kernels(student).biweight
    for n, bandwidth in ((size, 0.5), (1, 1.3), (30, 3.0)):
        data = normal_array(n, seed=seed)
        query = np.linspace(data.min() - 1.1 * bandwidth, data.max() + 1.1 * bandwidth, 1501)
        density = student.kernel_density(query, data, bandwidth, kernel=kernel)
        area = float(density.sum() * (query[1] - query[0]))
        check_close(area, 1.0, says="the area under the density is not 1", rtol=1e-4)


def test_kernel_density_is_gaussian_by_default(student):
    """kernel_density: the default kernel is the Gaussian.

    Hint: look at the signature in the stub.
    """
    query, data = normal_array(5, seed=3), normal_array(4, seed=4)
    default = student.kernel_density(query, data, 0.7)
    check_density(default)
    check_close(default, student.kernel_density(query, data, 0.7, student.gaussian))
    check_close(default, student.kernel_density(query, data, bandwidth=0.7, kernel=student.gaussian))


def test_kernel_density_keeps_the_dtype(student):
    """kernel_density: float32 stays float32, and integers give float64.

    Hint: zeros always makes float64; zeros_like of an integer array makes integers, which hold no fractions.
    """
    query, data, kernel = normal_array(5, seed=3), normal_array(4, seed=4), define_kernels(student).biweight
    wide = student.kernel_density(query, data, 1.7, kernel)
    check_density(wide)
    narrow = student.kernel_density(query.astype(np.float32), data.astype(np.float32), 1.7, kernel)
    check_close(narrow, wide.astype(np.float32), axes="query")
    query, data = np.array([0, 1, 4]), np.array([-1, 0, 0, 3])
    from_integers = student.kernel_density(query, data, 1.5, kernel)
    check_close(from_integers, student.kernel_density(query * 1.0, data * 1.0, 1.5, kernel), says=INTEGERS)


def test_kernel_density_leaves_its_inputs_alone(student):
    """kernel_density: query and data are not modified.

    Hint: an operator such as `/=` writes into the array on its left.
    """
    query, data = normal_array(5, seed=3), normal_array(4, seed=4)
    kernel = define_kernels(student).biweight
    check_inputs_unchanged(student, student.kernel_density, query, data, 1.7, kernel)
    check_density(student.kernel_density(query, data, 1.7, kernel))
