"""Hidden tests of the encoder block. Checks of post-norm stand apart: an unfinished branch costs its own checks."""

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
    without,
)
from differences import check_differentiates
from remote_modules import helpers
from transformer_oracles import ENCODER_PARTS, block_shapes, encoder_layer, is_later

from autograder.judge.compare import check_that
from autograder.judge.probes import check_computes, check_inputs_unchanged

# Different sizes, equal sizes, sizes of 1 and larger sizes, as (batch, length, heads, d_head).
SIZES = ((2, 4, 3, 5), (5, 3, 2, 4), (3, 3, 3, 3), (1, 1, 1, 2), (2, 12, 4, 5))


def encoder_block(student, **options):
    return block_of(student, "EncoderBlock", state_for(ENCODER_PARTS, 6, SEED), **options)


def check_encoder_block(student, **options):
    """Compare with PyTorch's layer for all `SIZES`."""
    for number, (batch, length, heads, d_head) in enumerate(SIZES):
        state = state_for(ENCODER_PARTS, heads * d_head, SEED, d_hidden=8 + number)
        x = tokens_of(batch, length, SEED, heads * d_head)
        expected = encoder_layer(state, heads, **options)(x).detach()
        check_same(block_of(student, "EncoderBlock", state, heads, **options)(x), expected)


def check_obeys_masks(student, **options):
    """Check masks of two to four axes against calls without a mask, and with silent heads."""
    state = state_for(ENCODER_PARTS, 6, SEED)
    block = block_of(student, "EncoderBlock", state, **options)
    for batch, length in ((2, 4), (HEADS, 3), (1, 9)):
        x = tokens_of(batch, length, SEED)
        # A position that sees itself and the earlier positions gives the last result of a shorter sequence.
        seen = sorted({0, length // 2, length - 1})
        expected = torch.cat([result_of(block, x[:, : index + 1])[:, index:] for index in seen], dim=1)
        lower = ~is_later(length)
        for mask in (lower, lower.expand(batch, -1, -1), lower.expand(batch, HEADS, -1, -1)):
            check_same(result_of(block, x, mask=mask)[:, seen], expected)
        # Padding does not change the results of real tokens, whatever the lengths of the other rows.
        lengths = [max(1, length - row) for row in range(batch)]
        real = (torch.arange(length) < torch.tensor(lengths)[:, None])[:, None, :]
        masked = result_of(block, x, mask=real)
        for row, count in enumerate(lengths):
            check_same(masked[row : row + 1, :count], result_of(block, x[row : row + 1, :count]))
    # The number of sequences equals the number of heads: a mask per head blocks a head, not a sequence.
    x = tokens_of(HEADS, 3, SEED)
    mask = torch.ones(HEADS, HEADS, 3, 3, dtype=torch.bool)
    mask[0, 1] = False
    mask[2, :, 0] = False
    silent = without(state, "attention")
    nothing = result_of(block_of(student, "EncoderBlock", silent, **options), x)
    output_proj = state["attention.output_proj.weight"].clone()
    output_proj[:, 2:4] = 0
    headless = state | {"attention.output_proj.weight": output_proj}
    expected = result_of(block, x).clone()
    expected[0] = result_of(block_of(student, "EncoderBlock", headless, **options), x)[0]
    expected[2, 0] = nothing[2, 0]
    found = result_of(block, x, mask)
    check_same(found, expected)
    check_that(bool((found - result_of(block, x)).abs().max() > 1e-6), "the mask changes nothing")


def check_goes_on_from_a_cache(student, **options):
    """Compare pieces of a text with one pass, with masks whose key axis spans old and new keys."""
    for batch, length in ((2, 4), (1, 9)):
        x = tokens_of(batch, length + 1, SEED)
        block = encoder_block(student, **options)
        causal = ~is_later(length + 1)
        without_first = causal.clone()
        without_first[2:, 0] = False
        for allowed in (causal, without_first):
            whole = result_of(block, x, mask=allowed)
            cache = helpers(student, NEW_CACHE).new_cache()
            pieces = []
            for start, end in pairwise([0, 2, *range(3, length + 2)]):
                # A single new position sees all earlier positions: it needs no causal mask.
                needed = allowed is without_first or end - start > 1
                mask = allowed[start:end, :end] if needed else None
                pieces.append(result_of(block, x[:, start:end], mask, cache))
            check_same(torch.cat(pieces, dim=1), whole)


def check_leaves_inputs_alone(student, **options):
    x, mask = tokens_of(2, 4, 5), ~is_later(4)
    block = encoder_block(student, **options)
    check_computes(block, [x], [-2 * x])
    check_inputs_unchanged(student, block, x, mask=mask)


def dropping_block(student, **options):
    """Return a function that creates a block with one head."""
    return lambda state, **rate: block_of(student, "EncoderBlock", state, num_heads=1, **options, **rate)


def test_encoder_block_has_the_modules_listed(student):
    """EncoderBlock: the state dict holds the attention, the feed-forward and two norms.

    Hint: the linear layers of the attention have no biases here; the other modules have biases.
    """
    check_state_names(student.EncoderBlock(6, 3, 7), block_shapes(ENCODER_PARTS, 6, 7))


def test_encoder_block_gives_the_output(student):
    """EncoderBlock: pre-norm adds both branches to the input, x + f(norm(x)).

    Hint: each branch reads the normalised x, and is added to the x that is not normalised. Which norm belongs to which
    branch?
    """
    check_encoder_block(student)


def test_encoder_block_obeys_masks(student):
    """EncoderBlock: positions that the mask blocks have no influence.

    Hint: pass the mask to the attention unchanged; True means "may attend".
    """
    check_obeys_masks(student)


def test_encoder_block_goes_on_from_a_cache(student):
    """EncoderBlock: with a cache, new positions give the result of one causal pass.

    Hint: pass the cache to the attention unchanged.
    """
    check_goes_on_from_a_cache(student)


def test_encoder_block_passes_gradients(student):
    """EncoderBlock: gradients reach x and all parameters, along the branches and past them.

    Hint: compute with the modules themselves; `.data` and `detach` leave the graph.
    """
    state = state_for(ENCODER_PARTS, 6, SEED)
    block = block_of(student, "EncoderBlock", state)
    check_differentiates(student, block, state, [tokens_of(2, 3, SEED)], SEED)


def test_encoder_block_drops_in_all_its_places(student):
    """EncoderBlock: dropout acts on attention weights and each branch, in training only.

    Hint: pass the rate to the modules of the block, and apply dropout to the output of each branch before it is added.
    """
    check_drops_everywhere(dropping_block(student), state_for(ENCODER_PARTS, 6, SEED, d_hidden=1))


def test_encoder_block_keeps_dtype_and_device(student):
    """EncoderBlock: the result has the dtype and the device of x.

    Hint: a tensor that you create needs both from x.
    """
    check_keeps_dtype_and_device(student, "EncoderBlock", norm_first=True)


def test_encoder_block_leaves_its_inputs_alone(student):
    """EncoderBlock: neither x nor the mask is changed in place.

    Hint: `x += …` changes its input.
    """
    check_leaves_inputs_alone(student)


# --- Post-norm -------------------------------------------------------------------------------------------------------


def test_encoder_block_norms_last_on_request(student):
    """EncoderBlock: `norm_first=False` normalises the sum, norm(x + f(x)).

    Hint: the feed-forward layer then reads the output of the first norm, and is added to it.
    """
    check_encoder_block(student, norm_first=False)
    check_state_names(student.EncoderBlock(6, 3, 7, norm_first=False), block_shapes(ENCODER_PARTS, 6, 7))


def test_encoder_block_norms_last_with_mask_and_cache(student):
    """EncoderBlock: a post-norm block obeys its mask and continues from a cache.

    Hint: the attention of both branches of the code needs the mask and the cache.
    """
    check_obeys_masks(student, norm_first=False)
    check_goes_on_from_a_cache(student, norm_first=False)


def test_encoder_block_norms_last_in_training(student):
    """EncoderBlock: a post-norm block passes gradients and applies dropout in all its places.

    Hint: apply dropout to the output of each branch, before it is added and normalised.
    """
    state = state_for(ENCODER_PARTS, 6, SEED)
    block = block_of(student, "EncoderBlock", state, norm_first=False)
    check_differentiates(student, block, state, [tokens_of(2, 3, SEED)], SEED)
    single = state_for(ENCODER_PARTS, 6, SEED, d_hidden=1)
    check_drops_everywhere(dropping_block(student, norm_first=False), single)


def test_encoder_block_norms_last_and_leaves_its_inputs_alone(student):
    """EncoderBlock: a post-norm block keeps dtype and device, and changes no input in place.

    Hint: `x += …` changes its input, and a tensor that you create needs dtype and device from x.
    """
    check_keeps_dtype_and_device(student, "EncoderBlock", norm_first=False)
    check_leaves_inputs_alone(student, norm_first=False)
