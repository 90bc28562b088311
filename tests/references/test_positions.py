"""Compare the reference of stage 4 with complex numbers, PyTorch's embedding and statements of the papers."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autograder.course.lab import Lab

LENGTH, D_HEAD, BASE = 300, 16, 10000.0


@pytest.fixture(scope="module")
def positions():
    source = Lab.find().stage("4_positions").reference_source()
    namespace: dict[str, object] = {"__name__": "positions"}
    exec(compile(source, "positions.py", "exec"), namespace)
    return SimpleNamespace(**namespace)


def unit_circle(at, d_head=D_HEAD, base=BASE):
    """Return e^{iθ} for each position and pair, computed in NumPy."""
    speeds = np.array([base ** (-2 * pair / d_head) for pair in range(d_head // 2)])
    return np.exp(1j * np.asarray(at, dtype=np.float64)[..., None] * speeds)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_sinusoids_are_points_on_the_unit_circle(positions):
    circle = unit_circle(range(LENGTH))
    encoding = positions.sinusoidal_encoding(LENGTH, D_HEAD)
    torch.testing.assert_close(encoding[:, 0::2].numpy(), circle.imag.astype(np.float32), atol=1e-4, rtol=0)
    torch.testing.assert_close(encoding[:, 1::2].numpy(), circle.real.astype(np.float32), atol=1e-4, rtol=0)


def test_a_shift_is_one_linear_map_of_all_sinusoids(positions):
    """Vaswani et al.: for any k, PE(p + k) is a linear function of PE(p), the same for every p."""
    encoding = positions.sinusoidal_encoding(60, 8).double()
    shift = torch.linalg.lstsq(encoding[:50], encoding[7:57]).solution
    torch.testing.assert_close(encoding[:53] @ shift, encoding[7:], atol=1e-4, rtol=0)


def test_learned_positions_are_an_embedding_of_the_positions(positions):
    module = positions.LearnedPositions(20, 6).double()
    embedding = torch.nn.Embedding(20, 6, dtype=torch.float64)
    embedding.load_state_dict(module.state_dict())
    x = normal(3, 5, 6).requires_grad_()
    other = x.detach().clone().requires_grad_()
    upstream = normal(3, 5, 6, seed=1)
    result, expected = module(x, start=15), other + embedding(torch.arange(15, 20))
    torch.testing.assert_close(result, expected, atol=1e-12, rtol=0)
    result.backward(upstream)
    expected.backward(upstream)
    torch.testing.assert_close(module.weight.grad, embedding.weight.grad, atol=1e-12, rtol=0)
    torch.testing.assert_close(x.grad, other.grad, atol=1e-12, rtol=0)


@pytest.mark.parametrize("base", [BASE, 77.0])
def test_rotary_is_a_product_of_complex_numbers(positions, base):
    x = normal(2, 3, LENGTH, D_HEAD)
    at = torch.randperm(10 * LENGTH)[:LENGTH] - LENGTH
    points = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()).numpy()
    turned = torch.view_as_real(torch.from_numpy(points * unit_circle(at, base=base))).flatten(-2)
    torch.testing.assert_close(positions.apply_rotary(x, at, base), turned, atol=1e-10, rtol=0)


def test_rotary_of_batched_positions_is_a_product_of_complex_numbers(positions):
    x = normal(4, 3, 5, D_HEAD)
    at = torch.randperm(400)[:20].reshape(4, 5)
    points = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()).numpy()
    turned = torch.view_as_real(torch.from_numpy(points * unit_circle(at)[:, None])).flatten(-2)
    torch.testing.assert_close(positions.apply_rotary(x, at), turned, atol=1e-10, rtol=0)


def test_rotary_gradient_agrees_with_finite_differences(positions):
    assert torch.autograd.gradcheck(
        lambda x: positions.apply_rotary(x, torch.tensor([5, 0, 91])), normal(2, 3, 8).requires_grad_()
    )


def test_rotary_scores_depend_only_on_distance(positions):
    query, key = normal(40, D_HEAD), normal(40, D_HEAD, seed=1)
    at = torch.arange(40)
    scores = [positions.apply_rotary(query, at + k) @ positions.apply_rotary(key, at + k).T for k in (0, 1000)]
    torch.testing.assert_close(scores[0], scores[1], atol=1e-9, rtol=0)
    # With the same vector at every position, the scores form a Toeplitz matrix: each diagonal is constant.
    same = positions.apply_rotary(query[:1].expand(40, -1), at)
    products = same @ same.T
    torch.testing.assert_close(products[1:, 1:], products[:-1, :-1], atol=1e-10, rtol=0)


@pytest.mark.parametrize(("dtype", "wide"), [(torch.int64, torch.float32), (torch.float64, torch.float64)])
def test_rotary_angles_are_on_the_unit_circle(positions, dtype, wide):
    at = torch.arange(24, dtype=dtype).reshape(2, 3, 4)
    cos, sin = positions.rotary_angles(at, D_HEAD)
    assert cos.dtype == sin.dtype == wide
    tolerance = 1e-12 if wide == torch.float64 else 1e-5
    torch.testing.assert_close(cos.double().numpy(), unit_circle(at).real, atol=tolerance, rtol=0)
    torch.testing.assert_close(sin.double().numpy(), unit_circle(at).imag, atol=tolerance, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_rotary_is_the_exact_rotation_rounded_once(positions, dtype):
    x = normal(2, 5, D_HEAD).to(dtype)
    at = torch.tensor([2049, 4001, 77, 0, 1023])
    exact = positions.apply_rotary(x.double(), at)
    torch.testing.assert_close(positions.apply_rotary(x, at), exact.to(dtype), atol=1e-3, rtol=8e-3)


@pytest.mark.parametrize("heads", [1, 2, 4, 8, 16, 32])
def test_alibi_slopes_are_a_geometric_sequence(positions, heads):
    """Press et al.: a geometric sequence that starts at 2^(-8/n) and uses that same value as its ratio."""
    start = 2 ** (-8 / heads)
    slopes = -positions.alibi_bias(heads, 1, 2)[:, 0, 0]
    torch.testing.assert_close(slopes, torch.tensor([start * start**head for head in range(heads)]), atol=0, rtol=1e-5)


def test_alibi_of_a_cached_step_is_the_last_rows(positions):
    whole = positions.alibi_bias(4, 9, 9)
    torch.testing.assert_close(positions.alibi_bias(4, 2, 9), whole[:, -2:], atol=0, rtol=0)
    assert math.isclose(whole[0, 8, 3].item(), -0.25 * 5)
