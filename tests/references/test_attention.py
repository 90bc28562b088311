"""Compare the reference of stage 2 with PyTorch, SciPy and statsmodels."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.special
import torch
from statsmodels.nonparametric.kernel_regression import KernelReg
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence
from torch.testing import assert_close

from autograder.course.lab import Lab

REFERENCE = Lab.find(Path(__file__).parent).stage("2_attention").reference


@pytest.fixture(scope="module")
def attention():
    return SimpleNamespace(**runpy.run_path(str(REFERENCE)))


def normal(*shape, seed=0, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, **options)


def inputs(*, leading=(2, 3), query=5, key=7, d_head=4, d_value=6):
    shapes = ((query, d_head), (key, d_head), (key, d_value))
    return [normal(*leading, *shape, seed=seed) for seed, shape in enumerate(shapes)]


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_softmax_agrees_with_scipy(attention, dim, scale):
    x = normal(3, 4, 5) * scale
    x[0, 0, 0] = -torch.inf
    assert_close(attention.softmax(x, dim), torch.from_numpy(scipy.special.softmax(x.numpy(), axis=dim)))


def test_softmax_of_an_empty_slice_is_zero_with_a_finite_gradient(attention):
    x = torch.full((2, 3), -torch.inf, dtype=torch.float64)
    x[1, 0] = 0.0
    x.requires_grad_()
    weights = attention.softmax(x)
    assert_close(weights, torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64))
    weights.square().sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_softmax_of_narrow_dtypes_agrees_with_pytorch(attention, dtype):
    x = (normal(4, 9) * 10).to(dtype)
    assert_close(attention.softmax(x), torch.softmax(x, dim=-1))


@pytest.mark.parametrize(("query", "key"), [(1, 1), (4, 4), (1, 6), (3, 5)])
def test_causal_mask_agrees_with_pytorch(attention, query, key):
    values = torch.eye(key, dtype=torch.float64)[None]
    equal = torch.zeros(1, query, 2, dtype=torch.float64), torch.zeros(1, key, 2, dtype=torch.float64)
    theirs = scaled_dot_product_attention(*equal, values, attn_mask=causal_lower_right(query, key))[0] > 0
    assert_close(attention.causal_mask(query, key), theirs)


def test_padding_mask_agrees_with_pad_sequence(attention):
    lengths = torch.tensor([3, 0, 5])
    real = pad_sequence([torch.ones(int(length), dtype=torch.bool) for length in lengths], batch_first=True)
    assert_close(attention.padding_mask(lengths, 5), real)


@pytest.mark.parametrize("mask_shape", [(5, 7), (1, 7), (5, 1), (2, 1, 1, 7), (3, 5, 7), (2, 3, 5, 7)])
def test_attention_agrees_with_pytorch_for_any_mask(attention, mask_shape):
    mask = normal(*mask_shape, seed=9) > 0.3  # some rows are fully blocked
    ours, weights = attention.scaled_dot_product_attention(*inputs(), mask)
    theirs = scaled_dot_product_attention(*inputs(), mask).masked_fill(~mask.any(dim=-1, keepdim=True), 0.0)
    assert_close(ours, theirs)
    assert_close(attention.blockwise_attention(*inputs(), 3, mask), theirs)
    assert_close(weights.sum(dim=-1), mask.expand(weights.shape).any(dim=-1).double())


def test_attention_with_a_scale_agrees_with_pytorch(attention):
    ours, _ = attention.scaled_dot_product_attention(*inputs(), scale=0.3)
    assert_close(ours, scaled_dot_product_attention(*inputs(), scale=0.3))


def test_attention_gradients_agree_with_finite_differences(attention):
    mask = normal(5, 7, seed=9) > 0.3
    mask[2] = False
    tensors = [tensor.requires_grad_() for tensor in inputs(leading=())]
    assert torch.autograd.gradcheck(lambda *parts: attention.scaled_dot_product_attention(*parts, mask), tensors)


@pytest.mark.parametrize("bandwidth", [0.2, 1.0, 5.0])
def test_kernel_attention_agrees_with_statsmodels(attention, bandwidth):
    query, key, value = normal(6, 2, seed=1), normal(30, 2, seed=2), normal(30, 1, seed=3)
    model = KernelReg(value.numpy(), key.numpy(), var_type="cc", reg_type="lc", bw=np.array([bandwidth] * 2))
    theirs, _ = model.fit(query.numpy())
    assert_close(attention.kernel_attention(query, key, value, bandwidth)[:, 0], torch.from_numpy(theirs))


def test_kernel_attention_with_a_tiny_bandwidth_is_the_nearest_neighbour(attention):
    query, key, value = normal(6, 2, seed=1), normal(30, 2, seed=2), normal(30, 3, seed=3)
    nearest = torch.cdist(query, key).argmin(dim=-1)
    assert_close(attention.kernel_attention(query, key, value, 1e-100), value[nearest])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bandwidth", [1e-15, 1e-19, 1e-25, 1e-45, 1e-200])
def test_kernel_attention_in_any_dtype_never_vanishes(attention, dtype, bandwidth):
    key = torch.tensor([[-3.0], [1.0], [6.0]], dtype=dtype)
    query = torch.tensor([[9.0], [-30.0], [0.0]], dtype=dtype, requires_grad=True)
    output = attention.kernel_attention(query, key, key, bandwidth)
    assert_close(output, key[[2, 0, 1]])
    output.sum().backward()
    assert torch.isfinite(query.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_masked_softmax_takes_half_of_the_range_of_every_dtype(attention, dtype):
    half = torch.finfo(dtype).max / 2
    scores = torch.tensor([[-half, half, -half], [half, half, -half], [1.0, half, 2.0]], dtype=dtype)
    mask = torch.tensor([[True, False, True], [False, False, False], [True, False, True]])
    e = torch.e
    expected = torch.tensor([[0.5, 0, 0.5], [0, 0, 0], [1 / (1 + e), 0, e / (1 + e)]], dtype=dtype)
    assert_close(attention.masked_softmax(scores, mask), expected)


def test_additive_attention_agrees_with_loops(attention):
    module = attention.AdditiveAttention(2, 3, 4).double()
    query, key, value = normal(2, 5, 2, seed=1), normal(2, 6, 3, seed=2), normal(2, 6, 7, seed=3)
    w_query, w_key, w_score = (linear.weight.detach() for linear in (module.query_proj, module.key_proj, module.score))
    scores = torch.tensor(
        [
            [[w_score[0].dot(torch.tanh(w_query @ q + w_key @ k)).item() for k in keys] for q in queries]
            for queries, keys in zip(query, key, strict=True)
        ],
        dtype=torch.float64,
    )
    output, weights = module(query, key, value)
    assert_close(weights, torch.softmax(scores, dim=-1))
    assert_close(output, torch.softmax(scores, dim=-1) @ value)


def test_backward_agrees_with_pytorch(attention):
    tensors = [tensor.requires_grad_() for tensor in inputs()]
    mask = attention.causal_mask(5, 7)
    output = scaled_dot_product_attention(*tensors, mask, scale=0.3)
    upstream = normal(*output.shape, seed=8)
    theirs = torch.autograd.grad(output, tensors, upstream)
    weights = attention.scaled_dot_product_attention(*inputs(), mask, scale=0.3)[1]
    assert_close(attention.attention_backward(upstream, *inputs(), weights, 0.3), theirs)


@pytest.mark.parametrize("block_size", [1, 2, 3, 7, 10])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_blockwise_attention_agrees_with_pytorch(attention, block_size, scale):
    query, key, value = inputs()
    ours = attention.blockwise_attention(query * scale, key, value, block_size)
    assert_close(ours, scaled_dot_product_attention(query * scale, key, value))
