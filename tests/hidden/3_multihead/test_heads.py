"""Hidden tests of split_heads, merge_heads, repeat_kv and KeyValueCache.

Oracle: the definition piece by piece; slices are cut out and joined explicitly.
"""

import torch
from hypothesis import given

from autograder.judge.compare import check_dtype, check_equal, check_raises, check_results, check_shape, check_values
from autograder.judge.probes import check_computes, check_keeps_device, define
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

DTYPES = (torch.float64, torch.float32, torch.bfloat16)

# Two steps in one call, so that the probes of device and dtype cover the tensors that the second step creates.
TWO_STEPS = """
def two_steps(make_cache, key, value):
    cache = make_cache()
    cache.append(key, value)
    return cache.append(key, value)
"""


def pieces_of(lengths, *, batch, heads, d_head, seed):
    """Keys and values in the order of their steps, each with its own seed."""
    return [
        [normal_tensor(batch, heads, length, d_head, seed=seed + 2 * step + number) for number in range(2)]
        for step, length in enumerate(lengths)
    ]


def concatenate(pieces, count):
    """Concatenate the keys and the values of the first `count` pieces, oldest first."""
    return [torch.cat([piece[number] for piece in pieces[:count]], dim=2) for number in range(2)]


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
def test_split_heads_gives_each_head_its_own_features(student, seed, sizes):
    """split_heads: head h gets the features h·d_head to (h+1)·d_head of every position.

    Hint: split the last axis into heads and d_head first; only then move the heads in front of the positions.
    """
    batch, length, heads, d_head = sizes
    for count, size in ((heads, d_head), (d_head, heads), (1, d_head), (heads, 1)):
        x = normal_tensor(batch, length, count * size, seed=seed)
        expected = torch.stack([x[..., head * size : (head + 1) * size] for head in range(count)], dim=1)
        check_values(student.split_heads(x, count), expected, axes="batch, heads, length, d_head")


def test_split_heads_refuses_what_does_not_divide(student):
    """split_heads: a d_model that num_heads does not divide raises a ValueError.

    Hint: raise a ValueError if the remainder of the division is not 0.
    """
    for d_model, heads in ((10, 4), (7, 2), (3, 6)):
        x = normal_tensor(2, 3, d_model, seed=11)
        with check_raises(ValueError, says="no error is raised although num_heads does not divide d_model"):
            student.split_heads(x, heads)


def test_split_heads_names_the_numbers_that_do_not_divide(student):
    """split_heads: the error message names d_model and num_heads.

    Hint: put d_model and the number of heads into the message of the ValueError.
    """
    for d_model, heads in ((10, 4), (27, 6)):
        x = normal_tensor(2, 3, d_model, seed=12)
        with check_raises(ValueError, naming=(d_model, heads)):
            student.split_heads(x, heads)


def test_split_heads_keeps_dtype_and_device(student):
    """split_heads: the heads have the dtype and the device of the input.

    Hint: reshape and transpose keep both; a new tensor that you fill does not.
    """
    for dtype in DTYPES:
        x, other = (normal_tensor(1, 2, 6, seed=seed, dtype=dtype) for seed in (13, 14))
        check_computes(student.split_heads, [x, 3], [other, 3])
        check_dtype(student.split_heads(x, 3), dtype)
        check_keeps_device(student, student.split_heads, x, 3)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
def test_merge_heads_puts_the_heads_side_by_side(student, seed, sizes):
    """merge_heads: each position has the features of its heads side by side, first head first.

    Hint: heads and d_head must be neighbouring axes before they become one axis.
    """
    batch, heads, length, d_head = sizes
    for shape in ((batch, heads, length, d_head), (batch, length, heads, d_head), (batch, 1, length, d_head)):
        x = normal_tensor(*shape, seed=seed)
        check_values(student.merge_heads(x), torch.cat(x.unbind(1), dim=-1), axes="batch, length, d_model")


def test_merge_heads_keeps_dtype_and_device(student):
    """merge_heads: the result has the dtype and the device of the heads.

    Hint: transpose and reshape keep both; a new tensor that you fill does not.
    """
    for dtype in DTYPES:
        x, other = (normal_tensor(1, 2, 3, 4, seed=seed, dtype=dtype) for seed in (21, 22))
        check_computes(student.merge_heads, [x], [other])
        check_dtype(student.merge_heads(x), dtype)
        check_keeps_device(student, student.merge_heads, x)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_repeat_kv_repeats_neighbours(student, seed, sizes):
    """repeat_kv: each head is repeated `repeats` times in a row: 0 0 1 1, not 0 1 0 1.

    Hint: head h of the result is head h // repeats of the input.
    """
    x = normal_tensor(*sizes, seed=seed)
    for repeats in (2, 3, 1):
        expected = torch.stack([x[:, head // repeats] for head in range(sizes[1] * repeats)], dim=1)
        check_values(student.repeat_kv(x, repeats), expected, axes="batch, heads, length, d_head")


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_repeat_kv_collects_the_gradient_of_every_copy(student, seed, sizes):
    """repeat_kv: the gradient of a shared head is the sum over its copies.

    Hint: use tensor operations to repeat, and detach nothing.
    """
    batch, heads, length, d_head = sizes
    x = normal_tensor(*sizes, seed=seed, requires_grad=True)
    grad_output = normal_tensor(batch, heads * 3, length, d_head, seed=seed + 1)
    (found,) = torch.autograd.grad(student.repeat_kv(x, 3), x, grad_output)
    expected = sum(grad_output[:, start::3] for start in range(3))
    check_values(found, expected)


def test_repeat_kv_keeps_dtype_and_device(student):
    """repeat_kv: the repeated heads have the dtype and the device of the input.

    Hint: a new tensor that you fill needs the dtype and the device of the input.
    """
    for dtype in DTYPES:
        x, other = (normal_tensor(1, 2, 3, 4, seed=seed, dtype=dtype) for seed in (31, 32))
        check_computes(student.repeat_kv, [x, 2], [other, 2])
        check_dtype(student.repeat_kv(x, 2), dtype)
        check_keeps_device(student, student.repeat_kv, x, 2)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=5))
def test_cache_returns_all_so_far(student, seed, sizes):
    """KeyValueCache: `append` returns keys and values of all positions, oldest first.

    Hint: concatenate along the axis of positions, old before new; keys with keys, values with values.
    """
    batch, heads, d_head = sizes
    pieces = pieces_of((1, 3, 1, 2), batch=batch, heads=heads, d_head=d_head, seed=seed)
    cache = student.KeyValueCache()
    for count, piece in enumerate(pieces, start=1):
        check_values(cache.append(*piece), concatenate(pieces, count), axes="batch, heads, length, d_head")


def test_cache_counts_positions(student):
    """KeyValueCache: len(cache) is the number of positions appended so far, 0 at first.

    Hint: count positions, not calls; the number is the size of one axis.
    """
    cache, count = student.KeyValueCache(), 0
    check_equal(len(cache), 0, says="the length of a new cache is not 0")
    for piece in pieces_of((1, 4, 2), batch=3, heads=5, d_head=6, seed=41):
        cache.append(*piece)
        count += piece[0].shape[2]
        check_equal(len(cache), count, says="the length of the cache is not the number of positions appended")


def test_caches_keep_to_themselves(student):
    """KeyValueCache: two caches share nothing, and a new cache is empty.

    Hint: create what a cache keeps in `__init__`, on `self`: all instances share an attribute of the class.
    """
    pieces = pieces_of((2, 3, 1), batch=2, heads=3, d_head=4, seed=51)
    first, second = student.KeyValueCache(), student.KeyValueCache()
    check_values(first.append(*pieces[0]), pieces[0])
    check_values(second.append(*pieces[1]), pieces[1])
    check_values(first.append(*pieces[2]), concatenate([pieces[0], pieces[2]], 2))
    check_values(student.KeyValueCache().append(*pieces[1]), pieces[1])


def test_cache_passes_gradients(student):
    """KeyValueCache: gradients flow through `append` to the keys and values passed in.

    Hint: concatenate with tensor operations, and do not detach what you return.
    """
    pieces = pieces_of((2, 3), batch=2, heads=3, d_head=4, seed=61)
    cache = student.KeyValueCache()
    for count, piece in enumerate(pieces, start=1):
        leaves = [tensor.clone().requires_grad_() for tensor in piece]
        keys, values = check_results(cache.append(*leaves), 2)
        check_shape(keys, concatenate(pieces, count)[0].shape, axes="batch, heads, length, d_head")
        found = torch.autograd.grad(2 * keys.sum() + 3 * values.sum(), leaves)
        check_values(found, [torch.full_like(tensor, factor) for tensor, factor in zip(piece, (2, 3), strict=True)])


def test_cache_keeps_dtype_and_device(student):
    """KeyValueCache: keys and values keep their dtype and device.

    Hint: concatenation keeps both; a buffer that you fill needs the dtype and the device of the keys.
    """
    two_steps = define(student, TWO_STEPS).two_steps
    for dtype in DTYPES:
        key, value, other = (normal_tensor(1, 2, 3, 4, seed=seed, dtype=dtype) for seed in (71, 72, 73))
        check_computes(two_steps, [student.KeyValueCache, key, value], [student.KeyValueCache, other, value])
        for tensor in check_results(two_steps(student.KeyValueCache, key, value), 2):
            check_dtype(tensor, dtype)
        check_keeps_device(student, two_steps, student.KeyValueCache, key, value)
