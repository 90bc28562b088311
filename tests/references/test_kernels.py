"""Compare the reference of stage 1 with R, statsmodels, scikit-learn and SciPy."""

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels
from scipy.special import softmax
from sklearn.neighbors import KernelDensity
from statsmodels.nonparametric.kernel_regression import KernelReg
from statsmodels.nonparametric.smoothers_lowess import lowess as statsmodels_lowess

from autograder.course.lab import Lab

ROOT = Lab.find(Path(__file__)).root
RESULTS = Path(statsmodels.__file__).parent / "nonparametric" / "tests" / "results"


@pytest.fixture(scope="module")
def kernels() -> SimpleNamespace:
    stage = Lab(ROOT).stage("1_kernels")
    return SimpleNamespace(**runpy.run_path(str(stage.reference)))


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("name", ["gaussian", "epanechnikov", "tricube"])
def test_kernels_are_even_and_have_area_one(kernels: SimpleNamespace, name: str) -> None:
    u = np.linspace(-9, 9, 36001)
    values = getattr(kernels, name)(u)
    assert values.min() >= 0
    np.testing.assert_allclose(values, values[::-1], atol=1e-15)
    np.testing.assert_allclose(values.sum() * (u[1] - u[0]), 1, rtol=1e-6)


@pytest.mark.parametrize("name", ["gaussian", "epanechnikov"])
def test_density_equals_scikit_learn(kernels: SimpleNamespace, name: str) -> None:
    data = np.genfromtxt(ROOT / "data/penguins/penguins.csv", delimiter=",", skip_header=1, usecols=1)
    query = np.linspace(150, 250, 77)
    theirs = KernelDensity(bandwidth=3.5, kernel=name).fit(data[:, None]).score_samples(query[:, None])
    ours = kernels.kernel_density(query, data, 3.5, getattr(kernels, name))
    np.testing.assert_allclose(ours, np.exp(theirs), rtol=1e-9)


def test_gaussian_weights_are_a_softmax(kernels: SimpleNamespace, random: np.random.Generator) -> None:
    query, key = random.normal(size=(5, 3)), random.normal(size=(8, 3))
    for bandwidth in (0.01, 0.7, 30.0):
        logits = -(np.linalg.norm(query[:, None] - key, axis=2) ** 2) / (2 * bandwidth**2)
        np.testing.assert_allclose(kernels.kernel_weights(query, key, bandwidth), softmax(logits, axis=1), atol=1e-14)


def test_a_tiny_bandwidth_gives_all_weight_to_the_nearest_key(
    kernels: SimpleNamespace, random: np.random.Generator
) -> None:
    query, key = random.normal(size=(50, 2)), random.normal(size=(9, 2))
    nearest = np.linalg.norm(query[:, None] - key, axis=2).argmin(axis=1)
    for bandwidth in (1e-3, 1e-100):
        np.testing.assert_array_equal(kernels.kernel_weights(query, key, bandwidth).argmax(axis=1), nearest)
    np.testing.assert_array_equal(kernels.kernel_weights(query, key, 1e-100), np.eye(9)[nearest])


def test_float32_weights_go_to_the_nearest_key_at_any_bandwidth(
    kernels: SimpleNamespace, random: np.random.Generator
) -> None:
    query, key = random.normal(size=(20, 2)).astype(np.float32), random.normal(size=(9, 2)).astype(np.float32)
    nearest = np.eye(9, dtype=np.float32)[np.linalg.norm(query[:, None] - key, axis=2).argmin(axis=1)]
    for bandwidth in (1e-5, 1e-15, 1e-20, 1e-100):
        weights = kernels.kernel_weights(query, key, bandwidth)
        assert weights.dtype == np.float32
        np.testing.assert_array_equal(weights, nearest)


@pytest.mark.parametrize(("kind", "ours"), [("lc", "nadaraya_watson"), ("ll", "local_linear")])
def test_regressions_equal_statsmodels(kernels: SimpleNamespace, kind: str, ours: str) -> None:
    income, food = np.genfromtxt(ROOT / "data/engel/engel.csv", delimiter=",", skip_header=1, unpack=True)
    query = np.linspace(400, 2500, 40)
    theirs, slopes = KernelReg(food, income, "c", reg_type=kind, bw=[150.0]).fit(query)
    if ours == "nadaraya_watson":
        fit = kernels.nadaraya_watson(query[:, None], income[:, None], food[:, None], 150.0)[:, 0]
    else:
        fit, slope = kernels.local_linear(query, income, food, 150.0)
        np.testing.assert_allclose(slope, slopes.ravel(), rtol=1e-6)
    np.testing.assert_allclose(fit, theirs, rtol=1e-8)


def test_local_lines_equal_polyfit(kernels: SimpleNamespace, random: np.random.Generator) -> None:
    key, value, query = random.normal(size=30), random.normal(size=30), random.normal(size=6)
    weights = kernels.kernel_weights(query[:, None], key[:, None], 0.6)
    # `polyfit` multiplies residuals by `w`, so the weights of the squares are `w` squared.
    lines = np.array([np.polyfit(key - q, value, 1, w=np.sqrt(row)) for q, row in zip(query, weights, strict=True)])
    prediction, slope = kernels.local_linear(query, key, value, 0.6)
    np.testing.assert_allclose(prediction, lines[:, 1])
    np.testing.assert_allclose(slope, lines[:, 0])


@pytest.mark.parametrize(
    ("file", "column", "k", "robust_steps"),
    [
        ("test_lowess_simple.csv", "out", 13, 3),
        ("test_lowess_iter.csv", "out_0", 13, 0),
        ("test_lowess_iter.csv", "out_3", 13, 3),
        ("test_lowess_frac.csv", "out_2_3", 20, 3),
        ("test_lowess_frac.csv", "out_1_5", 6, 3),
        ("test_lowess_delta.csv", "out_0", 13, 3),
    ],
)
def test_lowess_equals_r(kernels: SimpleNamespace, file: str, column: str, k: int, robust_steps: int) -> None:
    results = pd.read_csv(RESULTS / file).astype(float)
    x, y = results["x"].to_numpy(), results["y"].to_numpy()
    np.testing.assert_allclose(kernels.lowess(x, y, k / len(x), robust_steps), results[column], atol=1e-7)


@pytest.mark.parametrize("k", [9, 16, 30])
@pytest.mark.parametrize("robust_steps", [0, 1, 4])
def test_lowess_equals_statsmodels(
    kernels: SimpleNamespace, random: np.random.Generator, k: int, robust_steps: int
) -> None:
    x, y = random.uniform(-3, 3, 30), random.standard_cauchy(30)
    theirs = statsmodels_lowess(y, x, frac=k / 30, it=robust_steps, return_sorted=False)
    np.testing.assert_allclose(kernels.lowess(x, y, k / 30, robust_steps), theirs, atol=1e-9)


def test_lowess_rounds_the_number_of_neighbours_up(kernels: SimpleNamespace, random: np.random.Generator) -> None:
    # statsmodels rounds fraction · n down; Cleveland's paper and the lab round it up.
    x, y = random.uniform(size=20), random.normal(size=20)
    theirs = statsmodels_lowess(y, x, frac=14 / 20, return_sorted=False)
    np.testing.assert_allclose(kernels.lowess(x, y, 2 / 3), theirs, atol=1e-9)


def test_choose_bandwidth_equals_deleting_each_point(kernels: SimpleNamespace, random: np.random.Generator) -> None:
    x = np.sort(random.uniform(0, 6, 25))
    y = np.sin(x) + random.normal(scale=0.3, size=25)
    bandwidths = np.geomspace(0.05, 3, 12)

    def error(bandwidth: float) -> float:
        predict: Callable[..., np.ndarray] = kernels.nadaraya_watson
        rest = [(np.delete(x, i)[:, None], np.delete(y, i)[:, None]) for i in range(25)]
        predictions = [predict(x[i : i + 1, None], *rest[i], bandwidth)[0, 0] for i in range(25)]
        return float(np.sum((y - predictions) ** 2))

    assert kernels.choose_bandwidth(x, y, bandwidths) == min(bandwidths, key=error)


@pytest.mark.parametrize("name", ["motorcycle", "penguins", "engel", "nile"])
def test_data_equal_the_output_of_their_script(name: str) -> None:
    folder = ROOT / "data" / name
    made = runpy.run_path(str(folder / "prepare.py"))["table"]()
    assert (folder / f"{name}.csv").read_bytes() == made.encode()


def test_r_results_equal_the_output_of_their_script() -> None:
    folder = ROOT / "tests" / "hidden" / "1_kernels"
    made = runpy.run_path(str(folder / "prepare_lowess_in_r.py"))["table"]()
    assert (folder / "lowess_in_r.csv").read_bytes() == made.encode()
