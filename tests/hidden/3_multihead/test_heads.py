"""Hidden tests of split_heads, merge_heads and repeat_kv.

Oracle: the definition piece by piece; slices are cut out and joined explicitly.
"""

import torch
from hypothesis import example, given

from autograder.judge.compare import check_dtype, check_raises, check_values
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
@example(1, (3, 3, 3, 3))
@example(2, (1, 20, 18, 17))
def test_split_heads_gives_each_head_its_own_features(student, seed, sizes):
    """split_heads: head h gets the features h·d_head to (h+1)·d_head of every position.

    Hint: split the last axis into heads and d_head first; only then move the heads in front of the positions.
    """
    batch, length, heads, d_head = sizes
    for count, size in ((heads, d_head), (d_head, heads), (length, d_head), (1, d_head), (heads, 1)):
        x = normal_tensor(batch, length, count * size, seed=seed)
        expected = torch.stack([x[..., head * size : (head + 1) * size] for head in range(count)], dim=1)
        check_values(student.split_heads(x, count), expected, axes="batch, heads, length, d_head")


def test_split_heads_refuses_what_does_not_divide(student):
    """split_heads: a d_model that num_heads does not divide raises a ValueError.

    Hint: raise a ValueError if the remainder of the division is not 0.
    """
    for d_model, heads in ((10, 4), (7, 2), (3, 6), (27, 20)):
        x = normal_tensor(2, 3, d_model, seed=11)
        with check_raises(ValueError, says="no error is raised although num_heads does not divide d_model"):
            student.split_heads(x, heads)


def test_split_heads_names_the_numbers_that_do_not_divide(student):
    """split_heads: the error message names d_model and num_heads.

    Hint: put d_model and the number of heads into the message of the ValueError.
    """
    for d_model, heads in ((10, 4), (27, 6), (3, 8)):
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


def test_split_heads_leaves_its_input_alone(student):
    """split_heads: x is not modified.

    Hint: functions whose names end in an underscore modify the tensor they are given.
    """
    x, other = normal_tensor(1, 2, 6, seed=13), normal_tensor(1, 2, 6, seed=14)
    check_computes(student.split_heads, [x, 3], [other, 3])
    check_inputs_unchanged(student, student.split_heads, x, 3)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=6))
@example(1, (3, 3, 3, 3))
@example(2, (1, 18, 20, 17))
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


def test_merge_heads_leaves_its_input_alone(student):
    """merge_heads: x is not modified.

    Hint: functions whose names end in an underscore modify the tensor they are given.
    """
    x, other = normal_tensor(1, 2, 3, 4, seed=21), normal_tensor(1, 2, 3, 4, seed=22)
    check_computes(student.merge_heads, [x], [other])
    check_inputs_unchanged(student, student.merge_heads, x)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (3, 3, 3, 3))
@example(2, (2, 1, 3, 4))
@example(3, (1, 18, 20, 17))
def test_repeat_kv_repeats_neighbours(student, seed, sizes):
    """repeat_kv: each head is repeated `repeats` times in a row: 0 0 1 1, not 0 1 0 1.

    Hint: head h of the result is head h // repeats of the input.
    """
    x = normal_tensor(*sizes, seed=seed)
    for repeats in (2, 3, 1, 9):
        expected = torch.stack([x[:, head // repeats] for head in range(sizes[1] * repeats)], dim=1)
        check_values(student.repeat_kv(x, repeats), expected, axes="batch, heads, length, d_head")


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, 1, 3, 4))
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


def test_repeat_kv_leaves_its_input_alone(student):
    """repeat_kv: x is not modified.

    Hint: functions whose names end in an underscore, such as `unsqueeze_`, modify the tensor they are given.
    """
    x, other = normal_tensor(1, 2, 3, 4, seed=31), normal_tensor(1, 2, 3, 4, seed=32)
    check_computes(student.repeat_kv, [x, 2], [other, 2])
    check_inputs_unchanged(student, student.repeat_kv, x, 2)
