"""Compare the reference of stage 3 with PyTorch's multi-head attention and grouped-query attention."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.testing import assert_close

from autograder.course.lab import Lab

LAB = Lab.find(Path(__file__).parent)
BATCH, QUERY, KEY, D_MODEL, HEADS = 2, 5, 7, 12, 3
EXACT = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture(scope="module")
def multihead():
    """The reference; it imports the reference of stage 2."""
    attention = SimpleNamespace(**runpy.run_path(str(LAB.stage("2_attention").reference)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "attention", attention)
        return SimpleNamespace(**runpy.run_path(str(LAB.stage("3_multihead").reference)))


def normal(*shape, seed=0, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, **options)


def pair(multihead, *, bias=True):
    """Return our module and PyTorch's with the same random parameters."""
    ours = multihead.MultiHeadAttention(D_MODEL, HEADS, bias=bias).double()
    theirs = nn.MultiheadAttention(D_MODEL, HEADS, bias=bias, batch_first=True, dtype=torch.float64)
    for seed, parameter in enumerate(ours.parameters()):
        parameter.data = normal(*parameter.shape, seed=100 + seed) / 2
    projections = (ours.query_proj, ours.key_proj, ours.value_proj)
    state = {
        "in_proj_weight": torch.cat([linear.weight for linear in projections]),
        "out_proj.weight": ours.output_proj.weight,
    }
    if bias:
        state["in_proj_bias"] = torch.cat([linear.bias for linear in projections])
        state["out_proj.bias"] = ours.output_proj.bias
    theirs.load_state_dict(state)
    return ours, theirs


def gradients_of(ours):
    """Return our gradients by PyTorch's names."""
    projections = (ours.query_proj, ours.key_proj, ours.value_proj)
    found = {
        "in_proj_weight": torch.cat([linear.weight.grad for linear in projections]),
        "out_proj.weight": ours.output_proj.weight.grad,
    }
    if ours.output_proj.bias is not None:
        found["in_proj_bias"] = torch.cat([linear.bias.grad for linear in projections])
        found["out_proj.bias"] = ours.output_proj.bias.grad
    return found


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(QUERY, KEY), (BATCH, QUERY, KEY), (BATCH, HEADS, QUERY, KEY), None])
def test_forward_and_gradients_equal_pytorch(multihead, bias, shape):
    ours, theirs = pair(multihead, bias=bias)
    inputs = [[normal(BATCH, size, D_MODEL, seed=size, requires_grad=True) for size in (QUERY, KEY)] for _ in range(2)]
    mask = blocked = None
    if shape is not None:
        mask = normal(*shape, seed=9) > 0
        mask[..., 0] = True  # PyTorch returns NaN for a query without allowed keys
        whole = mask.unsqueeze(1) if mask.ndim == 3 else mask
        blocked = ~whole.expand(BATCH, HEADS, QUERY, KEY).flatten(0, 1)  # in PyTorch, True blocks
    found = ours(inputs[0][0], inputs[0][1], mask)
    x, memory = inputs[1]
    expected = theirs(x, memory, memory, attn_mask=blocked, average_attn_weights=False)
    for results in zip(found, expected, strict=True):
        assert_close(*results, **EXACT)
    upstream = [normal(*result.shape, seed=20 + seed) for seed, result in enumerate(expected)]
    torch.autograd.backward(found, upstream)
    torch.autograd.backward(expected, upstream)
    for tensor, other in zip(*inputs, strict=True):
        assert_close(tensor.grad, other.grad, **EXACT)
    for name, gradient in gradients_of(ours).items():
        assert_close(gradient, dict(theirs.named_parameters())[name].grad, **EXACT)


@pytest.mark.parametrize("kv_heads", [1, 2, 3, 6])
def test_grouped_queries_equal_pytorch(multihead, kv_heads):
    module = multihead.MultiHeadAttention(12, 6, kv_heads).double()
    x = normal(2, 5, 12)
    query, key, value = (
        linear(x).unflatten(-1, (-1, 2)).transpose(1, 2)
        for linear in (module.query_proj, module.key_proj, module.value_proj)
    )
    theirs = scaled_dot_product_attention(query, key, value, enable_gqa=True)
    assert_close(module(x)[0], module.output_proj(theirs.transpose(1, 2).flatten(2)), **EXACT)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_decoding_equals_one_causal_pass_of_pytorch(multihead, kv_heads):
    module = multihead.MultiHeadAttention(8, 4, kv_heads).double()
    x, cache = normal(2, 6, 8), multihead.KeyValueCache()
    query, key, value = (
        linear(x).unflatten(-1, (-1, 2)).transpose(1, 2)
        for linear in (module.query_proj, module.key_proj, module.value_proj)
    )
    theirs = scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    steps = [module(x[:, step : step + 1], cache=cache)[0] for step in range(6)]
    assert_close(torch.cat(steps, dim=1), module.output_proj(theirs.transpose(1, 2).flatten(2)), **EXACT)
    assert len(cache) == 6
    assert cache.key.shape[1] == kv_heads, "the cache must store the heads before they are repeated"


def test_a_query_without_keys_gets_the_bias_and_a_finite_gradient(multihead):
    ours, _ = pair(multihead)
    x = normal(BATCH, QUERY, D_MODEL, requires_grad=True)
    mask = torch.ones(QUERY, QUERY, dtype=torch.bool)
    mask[2] = False
    output, weights = ours(x, mask=mask)
    assert_close(output[:, 2], ours.output_proj.bias.expand(BATCH, -1))
    assert_close(weights[:, :, 2], torch.zeros(BATCH, HEADS, QUERY, dtype=torch.float64))
    output.sum().backward()
    assert all(torch.isfinite(tensor.grad).all() for tensor in (x, *ours.parameters()))


def test_gradients_agree_with_finite_differences(multihead):
    module = multihead.MultiHeadAttention(4, 2, 1).double()
    mask = torch.tensor([[True, False, True], [False, False, False]])
    inputs = [normal(1, 2, 4, seed=1, requires_grad=True), normal(1, 3, 4, seed=2, requires_grad=True)]
    assert torch.autograd.gradcheck(lambda x, memory: module(x, memory, mask), inputs)


def test_merging_inverts_splitting(multihead):
    x = normal(2, 5, 12)
    for heads in (1, 2, 3, 4, 6, 12):
        assert_close(multihead.merge_heads(multihead.split_heads(x, heads)), x)
