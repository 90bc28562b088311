"""Hidden tests of KeyValueCache. Oracle: the pieces, joined explicitly."""

import torch
from hypothesis import example, given

from autograder.judge.compare import check_dtype, check_equal, check_results, check_shape, check_values
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device, define
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)

# Two steps in one call, so that the probes of device and dtype cover the tensors that the second step creates.
TWO_STEPS = """
def two_steps(make_cache, key, value):
    cache = make_cache()
    cache.append(key, value)
    return cache.append(key, value)
"""


# The first result of `append`, seen after the second, and the shapes of the second.
EARLIER_AND_LATER = """
def earlier_and_later(make_cache, first, second):
    cache = make_cache()
    keys, values = cache.append(*first)
    later = cache.append(*second)
    return keys, values, [list(tensor.shape) for tensor in later]
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


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=5))
@example(1, (3, 3, 3))
@example(2, (1, 1, 1))
def test_cache_returns_all_so_far(student, seed, sizes):
    """KeyValueCache: `append` returns keys and values of all positions, oldest first.

    Hint: concatenate along the axis of positions, old before new; keys with keys, values with values.
    """
    batch, heads, d_head = sizes
    # One position at a time, several at once, as many as heads, and more than a buffer of 1024 holds.
    for lengths in ((1, 3, 1, 2), (1,) * 9, (heads, 1, heads), (1, 1100, 1)):
        pieces = pieces_of(lengths, batch=batch, heads=heads, d_head=d_head, seed=seed)
        cache = student.KeyValueCache()
        for count, piece in enumerate(pieces, start=1):
            check_values(cache.append(*piece), concatenate(pieces, count), axes="batch, heads, length, d_head")


def test_cache_counts_positions(student):
    """KeyValueCache: len(cache) is the number of positions appended so far, 0 at first.

    Hint: count positions, not calls; the number is the size of one axis.
    """
    cache, count = student.KeyValueCache(), 0
    check_equal(len(cache), 0, says="the length of a new cache is not 0")
    for piece in pieces_of((1, 4, 2, 1, 40, 1), batch=3, heads=5, d_head=6, seed=41):
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


def test_cache_leaves_its_inputs_alone(student):
    """KeyValueCache: the keys and values passed in are not modified.

    Hint: functions whose names end in an underscore modify the tensor they are given.
    """
    two_steps = define(student, TWO_STEPS).two_steps
    key, value, other = (normal_tensor(1, 2, 3, 4, seed=seed) for seed in (74, 75, 76))
    check_computes(two_steps, [student.KeyValueCache, key, value], [student.KeyValueCache, other, value])
    check_inputs_unchanged(student, two_steps, student.KeyValueCache, key, value)


def test_cache_keeps_what_it_returned(student):
    """KeyValueCache: a later `append` does not change what an earlier `append` returned.

    Hint: do not write into a tensor that you have returned; join old and new in a new tensor.
    """
    pieces = pieces_of((2, 1), batch=2, heads=3, d_head=4, seed=81)
    keys, values, later = define(student, EARLIER_AND_LATER).earlier_and_later(student.KeyValueCache, *pieces)
    check_values([keys, values], pieces[0])
    check_equal(later, [[2, 3, 3, 4], [2, 3, 3, 4]], says="the second `append` does not return all positions")
