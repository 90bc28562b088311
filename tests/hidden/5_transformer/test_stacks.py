"""Hidden tests of the encoder and the decoder: PyTorch's layers and norm with the same weights are the oracle."""

from itertools import pairwise

import torch
from block_checks import (
    HEADS,
    NEW_CACHE,
    SEED,
    check_drops_everywhere,
    check_same,
    check_state_names,
    result_of,
    stack_of,
    stack_state,
    tokens_of,
)
from differences import check_differentiates
from remote_modules import helpers, load
from transformer_oracles import DECODER_PARTS, ENCODER_PARTS, decoded, encoded, stack_shapes

from autograder.judge.compare import check_close, check_equal


def check_has_blocks_of_its_own(student, kind, parts, **options):
    """Check names and shapes, and that no two blocks share a parameter."""
    norm_first = options.get("norm_first", True)
    for count in (1, 3):
        module = getattr(student, kind)(count, 6, HEADS, 8, **options)
        check_state_names(module, stack_shapes(parts, count, 6, 8, norm_first=norm_first))
    state = stack_state(parts, 3, 9, norm_first=norm_first)
    load(student, module.double(), state)
    found = dict(sorted(module.state_dict().items()))
    check_close(found, dict(sorted(state.items())), says="two blocks share a parameter")


def check_encoder(student, **options):
    """Compare with PyTorch's layers for one to three blocks."""
    for num_blocks, (batch, length, heads, d_head) in ((2, (2, 4, 3, 2)), (1, (3, 3, 3, 2)), (3, (1, 10, 1, 4))):
        norm_first = options.get("norm_first", True)
        state = stack_state(ENCODER_PARTS, num_blocks, SEED, heads * d_head, norm_first=norm_first)
        x = tokens_of(batch, length, SEED, heads * d_head)
        check_same(stack_of(student, "Encoder", state, heads, **options)(x), encoded(state, heads, x))


def check_decoder(student, **options):
    """Compare with PyTorch's layers for one to three blocks."""
    for num_blocks, (batch, query, key, heads) in ((2, (2, 4, 5, 3)), (1, (3, 3, 3, 3)), (3, (1, 10, 2, 1))):
        norm_first = options.get("norm_first", True)
        state = stack_state(DECODER_PARTS, num_blocks, SEED, 2 * heads, norm_first=norm_first)
        x, memory = (tokens_of(batch, length, SEED + length, 2 * heads) for length in (query, key))
        check_same(stack_of(student, "Decoder", state, heads, **options)(x, memory), decoded(state, heads, x, memory))


def test_encoder_has_blocks_of_its_own(student):
    """Encoder: each block has its own parameters, and a final norm follows them.

    Hint: the same module twice in a list is one module, and a plain Python list registers no parameters.
    """
    check_has_blocks_of_its_own(student, "Encoder", ENCODER_PARTS)


def test_encoder_applies_its_blocks_in_order(student):
    """Encoder: the blocks run in order, then the final norm.

    Hint: each block reads the output of the block before it. All arguments after `num_blocks` go to the blocks.
    """
    check_encoder(student)


def test_encoder_hands_the_mask_to_every_block(student):
    """Encoder: the mask acts in every block.

    Hint: the second block can still mix positions that the first block kept apart.
    """
    state = stack_state(ENCODER_PARTS, 3, SEED)
    encoder = stack_of(student, "Encoder", state)
    for batch, length in ((2, 4), (3, 3)):
        x = tokens_of(batch, length, SEED)
        mask = (torch.arange(length) < length - 1).expand(batch, 1, -1)
        check_same(result_of(encoder, x, mask), encoded(state, HEADS, x, mask))


def test_encoder_passes_gradients(student):
    """Encoder: gradients reach x and the parameters of all blocks.

    Hint: hand each block the output of the block before it, and not a detached copy.
    """
    state = stack_state(ENCODER_PARTS, 2, SEED)
    encoder = stack_of(student, "Encoder", state)
    check_differentiates(student, encoder, state, [tokens_of(2, 3, SEED)], SEED)


def test_encoder_hands_dropout_to_its_blocks(student):
    """Encoder: dropout acts in all places of the blocks, in training only.

    Hint: all arguments after `num_blocks` go to the blocks.
    """
    state = stack_state(ENCODER_PARTS, 1, SEED, d_hidden=1)
    check_drops_everywhere(lambda state, **rate: stack_of(student, "Encoder", state, 1, **rate), state)


def test_encoder_norms_last_on_request(student):
    """Encoder: `norm_first=False` makes a post-norm stack, which has no final norm.

    Hint: pass `norm_first` to the blocks. The last block of a post-norm stack has normalised its output already.
    """
    check_has_blocks_of_its_own(student, "Encoder", ENCODER_PARTS, norm_first=False)
    check_encoder(student, norm_first=False)


# --- Decoder ---------------------------------------------------------------------------------------------------------


def test_decoder_has_blocks_of_its_own(student):
    """Decoder: each block has its own parameters, and a final norm follows them.

    Hint: the same module twice in a list is one module, and a plain Python list registers no parameters.
    """
    check_has_blocks_of_its_own(student, "Decoder", DECODER_PARTS)


def test_decoder_applies_its_blocks_in_order(student):
    """Decoder: the blocks run in order with one memory, then the final norm.

    Hint: each block reads the output of the block before it, and the unchanged memory.
    """
    check_decoder(student)


def test_decoder_hands_the_masks_to_every_block(student):
    """Decoder: `mask` and `memory_mask` reach every block, each in its role.

    Hint: one mask is for the text so far, the other for the memory.
    """
    state = stack_state(DECODER_PARTS, 3, SEED)
    decoder = stack_of(student, "Decoder", state)
    for batch, query, key in ((2, 4, 5), (3, 3, 3)):
        x, memory = (tokens_of(batch, length, SEED + number) for number, length in enumerate((query, key)))
        mask = (torch.arange(query) > 0).expand(batch, 1, -1) | torch.eye(query, dtype=torch.bool)
        memory_mask = (torch.arange(key) < key - 1).expand(batch, 1, -1)
        for masks in ((mask, None), (None, memory_mask), (mask, memory_mask)):
            check_same(result_of(decoder, x, memory, *masks), decoded(state, HEADS, x, memory, *masks))


def test_decoder_gives_each_block_its_cache(student):
    """Decoder: with one cache per block, new positions give the result of one full pass.

    Hint: pair the caches with the blocks.
    """
    batch, length, key = 2, 4, 3
    for num_blocks in (1, 3):
        decoder = stack_of(student, "Decoder", stack_state(DECODER_PARTS, num_blocks, SEED))
        x, memory = tokens_of(batch, length + 1, SEED), tokens_of(batch, key, SEED + 1)
        whole = result_of(decoder, x, memory)
        caches = [helpers(student, NEW_CACHE).new_cache() for _ in range(num_blocks)]
        ends = [0, 2, *range(3, length + 2)]
        pieces = [result_of(decoder, x[:, start:end], memory, None, None, caches) for start, end in pairwise(ends)]
        check_same(torch.cat(pieces, dim=1), whole)
        for cache in caches:
            check_equal(len(cache), length + 1, says="a block's cache does not hold all positions")


def test_decoder_passes_gradients(student):
    """Decoder: gradients reach x, the memory and the parameters of all blocks.

    Hint: hand each block the output of the block before it, and not a detached copy.
    """
    state = stack_state(DECODER_PARTS, 2, SEED)
    decoder = stack_of(student, "Decoder", state)
    check_differentiates(student, decoder, state, [tokens_of(2, 3, SEED), tokens_of(2, 4, SEED + 1)], SEED)


def test_decoder_hands_dropout_to_its_blocks(student):
    """Decoder: dropout acts in all places of the blocks, in training only.

    Hint: all arguments after `num_blocks` go to the blocks.
    """
    state = stack_state(DECODER_PARTS, 1, SEED, d_hidden=1)
    memory = tokens_of(800, 1, SEED + 1)
    check_drops_everywhere(lambda state, **rate: stack_of(student, "Decoder", state, 1, **rate), state, memory)


def test_decoder_norms_last_on_request(student):
    """Decoder: `norm_first=False` makes a post-norm stack, which has no final norm.

    Hint: pass `norm_first` to the blocks. The last block of a post-norm stack has normalised its output already.
    """
    check_has_blocks_of_its_own(student, "Decoder", DECODER_PARTS, norm_first=False)
    check_decoder(student, norm_first=False)
