"""Hidden tests of MultiHeadAttention: masks.

Oracle: masked weights are the unmasked weights, renormalised. Invariants: blocked positions and padding have no
influence.
"""

import torch
from hypothesis import example, given
from multihead_oracles import (
    LONG,
    check_attention_values,
    check_obeys_masks,
    module_of,
    output_of,
    state_of,
    weights_of,
)

from autograder.judge.probes import check_computes
from autograder.judge.strategies import distinct_sizes, normal_tensor, random_mask, seeds


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, 3, LONG, 5))
@example(2, (3, 3, 3, 3))
def test_multi_head_attention_takes_masks_of_two_axes(student, seed, sizes):
    """MultiHeadAttention: a mask `(query, key)` applies to every sequence and every head.

    Hint: True means "may attend"; let the mask broadcast over the axes it lacks.
    """
    length = sizes[2]
    shapes = ((length, length), (1, length))
    check_obeys_masks(student, seed, sizes, shapes)
    # As many sequences as queries: the mask's first axis still is the axis of queries.
    check_obeys_masks(student, seed, (length, *sizes[1:]), shapes)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, 3, LONG, 5))
@example(2, (3, 3, 3, 3))
def test_multi_head_attention_takes_masks_of_three_axes(student, seed, sizes):
    """MultiHeadAttention: a mask `(batch, query, key)` applies to all heads of its sequence.

    Hint: the axis of heads is missing: where does it belong? Also consider a batch of as many sequences as heads.
    """
    batch, heads, length, d_head = sizes
    for count in (batch, heads):
        shapes = ((count, length, length), (1, length, length), (count, 1, length), (1, 1, length))
        check_obeys_masks(student, seed, (count, heads, length, d_head), shapes)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, 3, LONG, 5))
@example(2, (3, 3, 3, 3))
def test_multi_head_attention_takes_masks_of_four_axes(student, seed, sizes):
    """MultiHeadAttention: a mask of four axes may differ by head; axes of size 1 broadcast.

    Hint: such a mask lacks no axis: leave it as it is.
    """
    batch, heads, length, _ = sizes
    full = (batch, heads, length, length)
    check_obeys_masks(
        student, seed, sizes, (full, (1, heads, 1, length), (batch, 1, 1, length), (1, 1, length, length))
    )


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, 3, LONG, 5))
def test_multi_head_attention_passes_over_padding(student, seed, sizes):
    """MultiHeadAttention: padding blocked by a mask `(batch, 1, key)` affects no real token.

    Hint: an axis of size 1 is broadcast; it need not have the size of the query axis.
    """
    batch, heads, length, d_head = sizes
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    x, other, padding = (normal_tensor(batch, length, heads * d_head, seed=seed + number) for number in (20, 21, 22))
    check_computes(module, [x], [other])
    before, padded = output_of(module, x), torch.cat([x, padding], dim=1)
    for count in (batch, 1):
        real = (torch.arange(2 * length) < length).expand(count, 1, 2 * length)
        check_attention_values(output_of(module, padded, mask=real)[:, :length], before)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, 3, LONG, 5))
@example(2, (3, 3, 3, 3))
def test_multi_head_attention_masks_the_memory(student, seed, sizes):
    """MultiHeadAttention: in cross-attention, the mask applies to positions of the memory.

    Hint: the mask's key axis is that of the memory; the rule is the same as without a memory.
    """
    batch, heads, length, _ = sizes
    for key in (length + 1, length):  # a square mask has the same axes as any other
        shapes = ((length, key), (batch, 1, key), (batch, length, key), (batch, heads, length, key))
        check_obeys_masks(student, seed, sizes, shapes, memory_length=key)


@given(seeds(), distinct_sizes(count=4, min_size=3, max_size=6))
@example(1, (2, 3, LONG, 5))
def test_multi_head_attention_is_not_touched_by_blocked_keys(student, seed, sizes):
    """MultiHeadAttention: blocked positions do not affect the output.

    Hint: block before the softmax, and replace the score instead of lowering it.
    """
    batch, heads, length, d_head = sizes
    module = module_of(student, state_of(heads * d_head, seed=seed), heads)
    x, other = (normal_tensor(batch, length, heads * d_head, seed=seed + number) for number in (20, 21))
    x = x.float().double()  # so that float32 holds the scaled inputs as well
    check_computes(module, [x], [other])
    mask = random_mask(length, length, seed=seed + 30)
    mask[:, 0], mask[:, 1] = True, False
    unblocked = [position for position in range(length) if position != 1]
    for scale in (1.0, 1e3):
        before = output_of(module, x * scale, mask=mask)
        changed = x * scale
        changed[:, 1] = 1e4 * other[:, 1]
        check_attention_values(output_of(module, changed, mask=mask)[:, unblocked], before[:, unblocked])
    # The only allowed key has all the weight, however low its score.
    only = torch.arange(length) == 1
    for scale in (1e3, 1e6):
        weights = weights_of(module, heads, x * scale, mask=only.expand(length, -1))
        check_attention_values(weights, only.double().expand(weights.shape))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
@example(1, (2, 3, LONG, 5))
@example(2, (3, 3, 3, 3))
def test_multi_head_attention_gives_zeros_where_everything_is_blocked(student, seed, sizes):
    """MultiHeadAttention: where every key is blocked, weights and output_proj's input are zero.

    Hint: what does a linear layer with a bias return for zeros?
    """
    batch, heads, length, d_head = sizes
    x = normal_tensor(batch, length, heads * d_head, seed=seed + 20)
    square = (length, length)
    for bias, shapes in ((True, (square, (batch, *square), (length, 1))), (False, (square,))):
        state = state_of(heads * d_head, seed=seed, bias=bias)
        module = module_of(student, state, heads, bias=bias)
        empty_output = state.get("output_proj.bias", torch.zeros(heads * d_head, dtype=torch.float64))
        for shape in shapes:
            mask = torch.ones(shape, dtype=torch.bool)
            mask[..., 1, :] = False
            output, weights = output_of(module, x, mask=mask), weights_of(module, heads, x, mask=mask)
            check_attention_values(output[:, 1], empty_output.expand(batch, -1))
            check_attention_values(weights[:, :, 1], torch.zeros(batch, heads, length, dtype=torch.float64))
            sums = weights[:, :, 0].sum(dim=-1)
            check_attention_values(
                sums, torch.ones_like(sums), says="the weights of the other queries do not sum to one"
            )
