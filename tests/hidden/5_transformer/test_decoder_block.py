"""Hidden tests of the decoder block. Checks of post-norm stand apart: an unfinished branch costs its own checks."""

from itertools import pairwise

import torch
from block_checks import (
    HEADS,
    NEW_CACHE,
    SEED,
    block_of,
    check_drops_everywhere,
    check_keeps_dtype_and_device,
    check_same,
    check_state_names,
    result_of,
    state_for,
    tokens_of,
)
from differences import check_differentiates
from remote_modules import helpers
from transformer_oracles import DECODER_PARTS, block_shapes, decoder_layer, is_later

from autograder.judge.compare import check_that
from autograder.judge.probes import check_computes, check_inputs_unchanged

# Different sizes, equal sizes, sizes of 1 and larger sizes, as (batch, query, key, heads, d_head).
SIZES = ((2, 4, 5, 3, 6), (3, 3, 3, 3, 3), (1, 1, 1, 1, 2), (2, 12, 5, 4, 5), (2, 4, 11, 2, 3))


def decoder_block(student, **options):
    return block_of(student, "DecoderBlock", state_for(DECODER_PARTS, 6, SEED), **options)


def check_decoder_block(student, **options):
    """Compare with PyTorch's layer for all `SIZES`."""
    for number, (batch, query, key, heads, d_head) in enumerate(SIZES):
        state = state_for(DECODER_PARTS, heads * d_head, SEED, d_hidden=8 + number)
        block = block_of(student, "DecoderBlock", state, heads, **options)
        x = tokens_of(batch, query, SEED, heads * d_head)
        memory = 2 * tokens_of(batch, key, SEED + 1, heads * d_head)
        expected = decoder_layer(state, heads, **options)(x, memory, is_later(query)).detach()
        check_same(block(x, memory), expected)


def check_is_causal(student, **options):
    """Check which earlier and later positions influence a result, without a mask and with a mask of only True."""
    block = decoder_block(student, **options)
    for batch, query, key in ((2, 4, 3), (1, 10, 2)):
        memory, x = tokens_of(batch, key, SEED + 1), tokens_of(batch, query, SEED)
        everything = torch.ones(query, query, dtype=torch.bool)
        for mask in (None, everything, everything.expand(batch, -1, -1), everything[:1].expand(batch, 1, -1, -1)):
            before = result_of(block, x, memory, mask=mask)
            for index in {1, query - 1}:
                changed = x.clone()
                changed[:, index:] = tokens_of(batch, query - index, SEED + 2)
                after = result_of(block, changed, memory, mask=mask)
                check_same(
                    after[:, :index],
                    before[:, :index],
                    says="the result at a position changes when a later position changes",
                )
                # A causal block must still see its own and earlier positions.
                moved = bool((after[:, index] - before[:, index]).abs().max() > 1e-6)
                check_that(moved, "the result at a position does not depend on the input at that position")
            first = x.clone()
            first[:, 0] = tokens_of(batch, 1, SEED + 3)[:, 0]
            looked_back = bool((result_of(block, first, memory, mask=mask) - before)[:, -1].abs().max() > 1e-6)
            check_that(looked_back, "the last position does not see the first position")


def check_obeys_masks(student, **options):
    """Check masks of two to four axes on the text, against calls without a mask."""
    block = decoder_block(student, **options)
    for batch, query, key in ((2, 4, 5), (HEADS, 3, 3), (1, 9, 2)):
        x, memory = tokens_of(batch, query, SEED), tokens_of(batch, key, SEED + 1)
        # With the first two positions blocked, the others give the results of a text that begins after them.
        real = (torch.arange(query) >= 2).expand(batch, 1, -1)
        kept = result_of(block, x[:, 2:], memory)
        for mask in (real, real.unsqueeze(1), real.expand(batch, query, -1)):
            check_same(result_of(block, x, memory, mask)[:, 2:], kept)
        own = torch.eye(query, dtype=torch.bool)
        own[1, 0] = True  # the second position sees the first too, and not the other way round
        alone = [result_of(block, x[:, index : index + 1], memory) for index in range(query)]
        alone[1] = result_of(block, x[:, :2], memory)[:, 1:]
        for mask in (own, own.expand(batch, HEADS, -1, -1)):
            check_same(result_of(block, x, memory, mask=mask), torch.cat(alone, dim=1))
    # The rows of a batch have masks of their own.
    x, memory = tokens_of(HEADS, HEADS, SEED), tokens_of(HEADS, HEADS, SEED + 1)
    starts = torch.tensor([0, 2, 1])
    masked = result_of(block, x, memory, mask=(torch.arange(HEADS) >= starts[:, None])[:, None, :])
    for row, start in enumerate(starts.tolist()):
        here = slice(row, row + 1)
        check_same(masked[here, start:], result_of(block, x[here, start:], memory[here]))


def check_obeys_memory_masks(student, **options):
    """Check padding, and a mask that differs between queries, for memories of any length."""
    block = decoder_block(student, **options)
    # A square mask has equal sizes; one that is transposed must still give a different result.
    for batch, query, key in ((2, 3, 5), (HEADS, 3, 3), (2, 4, 4), (1, 2, 10)):
        x, memory = tokens_of(batch, query, SEED), tokens_of(batch, key, SEED + 1)
        real = (torch.arange(key) < key - 1).expand(batch, 1, -1)
        shorter = result_of(block, x, memory[:, : key - 1])
        for mask in (real, real.unsqueeze(1)):
            check_same(result_of(block, x, memory, memory_mask=mask), shorter)
        mask = torch.ones(query, key, dtype=torch.bool)
        mask[0, 1:] = False  # the first query sees only the first memory position, the others see all
        for chosen in (mask, mask.expand(batch, -1, -1), mask.expand(batch, HEADS, -1, -1)):
            masked = result_of(block, x, memory, None, chosen)
            check_same(masked[:, :1], result_of(block, x, memory[:, :1])[:, :1])
            check_same(masked[:, 1:], result_of(block, x, memory)[:, 1:])
    # The rows of a batch have masks of their own.
    x, memory = tokens_of(HEADS, HEADS, SEED), tokens_of(HEADS, HEADS, SEED + 1)
    ends = torch.tensor([3, 1, 2])
    masked = result_of(block, x, memory, memory_mask=(torch.arange(HEADS) < ends[:, None])[:, None, :])
    for row, end in enumerate(ends.tolist()):
        here = slice(row, row + 1)
        check_same(masked[here], result_of(block, x[here], memory[here, :end]))


def check_goes_on_from_a_cache(student, **options):
    """Compare pieces of a text with one pass, without a mask and with a mask that spans old and new keys."""
    block = decoder_block(student, **options)
    for batch, length, key in ((2, 4, 3), (1, 8, 2)):
        x, memory = tokens_of(batch, length + 2, SEED), tokens_of(batch, key, SEED + 1)
        real = (torch.arange(length + 2) != 1).expand(batch, 1, -1)
        for mask in (None, real):
            whole = result_of(block, x, memory, mask=mask)
            cache = helpers(student, NEW_CACHE).new_cache()
            pieces = []
            for start, end in pairwise([0, 1, 3, *range(4, length + 3)]):
                spanning = None if mask is None else mask[..., :end]
                pieces.append(result_of(block, x[:, start:end], memory, spanning, None, cache))
            check_same(torch.cat(pieces, dim=1), whole)


def check_passes_gradients(student, **options):
    state = state_for(DECODER_PARTS, 6, SEED)
    block = block_of(student, "DecoderBlock", state, **options)
    check_differentiates(student, block, state, [tokens_of(2, 3, SEED), tokens_of(2, 4, SEED + 1)], SEED)


def check_drops(student, **options):
    def make(state, **rate):
        return block_of(student, "DecoderBlock", state, num_heads=1, **options, **rate)

    state = state_for(DECODER_PARTS, 6, SEED, d_hidden=1)
    check_drops_everywhere(make, state, tokens_of(800, 1, SEED + 1))


def check_leaves_inputs_alone(student, **options):
    x, memory = tokens_of(2, 4, 5), tokens_of(2, 5, 6)
    mask, memory_mask = torch.ones(4, 4, dtype=torch.bool), torch.ones(4, 5, dtype=torch.bool)
    block = decoder_block(student, **options)
    check_computes(block, [x, memory], [-2 * x, memory])
    check_inputs_unchanged(student, block, x, memory, mask=mask, memory_mask=memory_mask)


def test_decoder_block_has_the_modules_listed(student):
    """DecoderBlock: the state dict holds two attentions, the feed-forward and three norms.

    Hint: the linear layers of the attentions have no biases here; the other modules have biases.
    """
    check_state_names(student.DecoderBlock(6, 3, 7), block_shapes(DECODER_PARTS, 6, 7))


def test_decoder_block_gives_the_output(student):
    """DecoderBlock: pre-norm adds three branches to x; the memory is not normalised.

    Hint: x first attends to itself, then to the memory. Where do the queries come from then, and where the keys and
    values?
    """
    check_decoder_block(student)


def test_decoder_block_never_sees_what_comes_later(student):
    """DecoderBlock: no position sees a later position, whatever the mask allows.

    Hint: the causal mask always applies, and a mask that is passed in can only block more.
    """
    check_is_causal(student)


def test_decoder_block_obeys_masks(student):
    """DecoderBlock: `mask` blocks positions in addition to the causal mask.

    Hint: a query may attend where both masks are True.
    """
    check_obeys_masks(student)


def test_decoder_block_obeys_memory_masks(student):
    """DecoderBlock: `memory_mask` blocks memory positions for each query separately.

    Hint: this mask belongs to the cross-attention. Its key axis is the memory's, and nothing there is causal.
    """
    check_obeys_memory_masks(student)


def test_decoder_block_goes_on_from_a_cache(student):
    """DecoderBlock: with a cache, new positions give the result of one full pass.

    Hint: the causal mask has one row per new position, and one column per cached and per new position.
    """
    check_goes_on_from_a_cache(student)


def test_decoder_block_passes_gradients(student):
    """DecoderBlock: gradients reach x, the memory and all parameters.

    Hint: compute with the modules themselves; `.data` and `detach` leave the graph.
    """
    check_passes_gradients(student)


def test_decoder_block_drops_in_all_its_places(student):
    """DecoderBlock: dropout acts on both attentions and each branch, in training only.

    Hint: pass the rate to the modules of the block, and apply dropout to the output of each branch before it is added.
    """
    check_drops(student)


def test_decoder_block_keeps_dtype_and_device(student):
    """DecoderBlock: the result has the dtype and the device of x.

    Hint: create the causal mask on the device of x.
    """
    check_keeps_dtype_and_device(student, "DecoderBlock", norm_first=True, memory=5)


def test_decoder_block_leaves_its_inputs_alone(student):
    """DecoderBlock: x, the memory and the masks are not changed in place.

    Hint: `x += …` and `mask &= …` change their input.
    """
    check_leaves_inputs_alone(student)


# --- Post-norm -------------------------------------------------------------------------------------------------------


def test_decoder_block_norms_last_on_request(student):
    """DecoderBlock: `norm_first=False` normalises each of three sums, norm(x + f(x)).

    Hint: each branch reads the output of the norm before it, and is added to that output.
    """
    check_decoder_block(student, norm_first=False)
    check_state_names(student.DecoderBlock(6, 3, 7, norm_first=False), block_shapes(DECODER_PARTS, 6, 7))


def test_decoder_block_norms_last_with_masks(student):
    """DecoderBlock: a post-norm block is causal and obeys both masks.

    Hint: both branches of the code need the same masks.
    """
    check_is_causal(student, norm_first=False)
    check_obeys_masks(student, norm_first=False)
    check_obeys_memory_masks(student, norm_first=False)


def test_decoder_block_norms_last_with_a_cache(student):
    """DecoderBlock: a post-norm block continues from a cache.

    Hint: the causal mask has one row per new position, and one column per cached and per new position.
    """
    check_goes_on_from_a_cache(student, norm_first=False)


def test_decoder_block_norms_last_in_training(student):
    """DecoderBlock: a post-norm block passes gradients and applies dropout in all its places.

    Hint: apply dropout to the output of each branch, before it is added and normalised.
    """
    check_passes_gradients(student, norm_first=False)
    check_drops(student, norm_first=False)


def test_decoder_block_norms_last_and_leaves_its_inputs_alone(student):
    """DecoderBlock: a post-norm block keeps dtype and device, and changes no input in place.

    Hint: `x += …` and `mask &= …` change their input; create the causal mask on the device of x.
    """
    check_keeps_dtype_and_device(student, "DecoderBlock", norm_first=False, memory=5)
    check_leaves_inputs_alone(student, norm_first=False)
