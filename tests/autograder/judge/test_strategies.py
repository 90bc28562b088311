"""Inputs for hidden tests are repeatable and expose mistakes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.judge.strategies import (
    distinct_sizes,
    leading_shapes,
    normal_array,
    normal_tensor,
    random_mask,
    scales,
    seeds,
    sizes,
)

FEW = settings(max_examples=50, database=None, deadline=None)


@FEW
@given(distinct_sizes(count=4, min_size=2, max_size=6))
def test_distinct_sizes_are_pairwise_different_and_within_bounds(drawn):
    assert len(set(drawn)) == len(drawn) == 4
    assert all(2 <= size <= 6 for size in drawn)


@FEW
@given(leading_shapes(max_axes=2, max_size=3), sizes(min_size=2, max_size=3), scales(), seeds())
def test_shapes_sizes_scales_and_seeds_are_within_bounds(shape, size, scale, seed):
    assert len(shape) <= 2
    assert all(1 <= axis <= 3 for axis in shape)
    assert size in (2, 3)
    assert scale in (1.0, 30.0, 1000.0)
    assert torch.Generator().manual_seed(seed).initial_seed() == seed


def test_leading_shapes_come_with_and_without_axes():
    drawn: set[int] = set()

    @FEW
    @given(leading_shapes(max_axes=3))
    def collect(shape):
        drawn.add(len(shape))

    collect()
    assert drawn == {0, 1, 2, 3}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_tensor_depends_on_its_seed_and_shape_alone(dtype):
    before = torch.get_rng_state()
    first, second = (normal_tensor(3, 4, seed=5, dtype=dtype) for _ in range(2))
    assert torch.equal(first, second)
    assert (first.shape, first.dtype, first.requires_grad) == ((3, 4), dtype, False)
    assert not torch.equal(first, normal_tensor(3, 4, seed=6, dtype=dtype))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_tensor_can_be_scaled_and_require_gradients():
    scaled = normal_tensor(1000, seed=1, scale=30.0, requires_grad=True)
    assert scaled.requires_grad
    assert 25 < scaled.std().item() < 35
    assert torch.equal(scaled, 30.0 * normal_tensor(1000, seed=1))


def test_an_array_depends_on_its_seed_and_shape_alone():
    assert (normal_array(3, 4, seed=5) == normal_array(3, 4, seed=5)).all()
    assert (normal_array(3, 4, seed=5) != normal_array(3, 4, seed=6)).any()
    assert 25 < normal_array(1000, seed=1, scale=30.0).std() < 35


@FEW
@given(st.integers(1, 4), st.integers(1, 4), seeds())
def test_a_mask_keeps_at_least_one_key_of_each_row(rows, keys, seed):
    mask = random_mask(2, rows, keys, seed=seed)
    assert (mask.shape, mask.dtype) == ((2, rows, keys), torch.bool)
    assert mask.any(dim=-1).all()


def test_a_mask_may_block_a_whole_row():
    mask = random_mask(500, 2, seed=0, keep_one=False)
    assert 0.15 < (~mask.any(dim=-1)).double().mean().item() < 0.35
    assert 0.4 < mask.double().mean().item() < 0.6
