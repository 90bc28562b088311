"""Hidden tests of the two blocks and of the stacks made of them.

Values are compared with PyTorch's layers with the same weights. Masks, caches and gradients are compared
with a different call of the student's own block, so that wrong values fail only the checks of values.
Stacks are compared with the student's own blocks, run in order.
"""

from itertools import pairwise

import torch
from differences import check_differentiates
from hypothesis import given
from remote_modules import helpers, in_order, load, made
from transformer_oracles import (
    DECODER_PARTS,
    ENCODER_PARTS,
    block_shapes,
    decoder_layer,
    encoder_layer,
    is_later,
    stack_shapes,
    state_of,
)

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_inputs_unchanged, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

AXES = "batch, length, d_model"
HEADS = 3

# The cache comes from stage 3: this stage's module need not import the name.
_NEW_CACHE = """
from multihead import KeyValueCache

def new_cache():
    return KeyValueCache()
"""


def state_for(parts, d_model, seed, d_hidden=8):
    return state_of(block_shapes(parts, d_model, d_hidden), seed)


def block_of(student, kind, state, num_heads=HEADS, **options):
    d_hidden, d_model = state["feed_forward.input_proj.weight"].shape
    return made(student, getattr(student, kind), d_model, num_heads, d_hidden, state=state, **options)


def encoder_block(student, seed, d_model=6, **options):
    return block_of(student, "EncoderBlock", state_for(ENCODER_PARTS, d_model, seed), **options)


def decoder_block(student, seed, d_model=6, **options):
    return block_of(student, "DecoderBlock", state_for(DECODER_PARTS, d_model, seed), **options)


def tokens_of(batch, length, seed, d_model=6):
    return normal_tensor(batch, length, d_model, seed=seed + 500)


def result_of(module, x, *rest, **options):
    """Return the result; fail one that has the wrong shape, is constant or equals the input."""
    result = module(x, *rest, **options)
    check_shape(result, tuple(x.shape), axes=AXES)
    check_finite(result)
    check_that(bool(result.max() > result.min()), "all values of the result are equal")
    check_that(bool((result - x).abs().max() > 1e-6), "the result equals the input")
    return result


def check_state_names(module, expected):
    """Check the names and shapes of a state dict."""
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(module.state_dict().items())}
    says = "the names in the state dict differ from those of the listed modules"
    check_equal(sorted(shapes), sorted(expected), says=says)
    says = "the shape of a parameter differs from that in the listed modules"
    check_equal(shapes, dict(sorted(expected.items())), says=says)


def check_dropped(added, rate, says):
    """Check that the share of zeros is within 7 standard deviations of `rate`."""
    share = (added == 0).double().mean().item()
    check_that(abs(share - rate) < 7 * (rate * (1 - rate) / added.numel()) ** 0.5, says)


def without(state, *parts):
    """Return the state with the output projections of these parts set to zero."""
    silent = tuple(f"{part}.output_proj" for part in parts)
    return {name: torch.zeros_like(tensor) if name.startswith(silent) else tensor for name, tensor in state.items()}


def check_drops_everywhere(student, kind, parts, seed, *memory):
    """Check dropout on each branch of a block, on its attention weights, and its absence in eval mode."""
    state = state_for(parts, 6, seed)
    branches = [part for part in ("attention", "self_attention", "cross_attention") if part in parts]
    x = tokens_of(800, 1, seed)
    for branch in [*branches, "feed_forward"]:
        others = without(state, *(part for part in [*branches, "feed_forward"] if part != branch))
        dropping = block_of(student, kind, others, num_heads=1, dropout=0.2)
        added = (result_of(dropping, x, *memory) - x).detach()
        if branch != "feed_forward":
            # One head and one key: dropping a weight sets the whole position to zero.
            whole = (added != 0).double().sum(dim=-1) > 0
            check_dropped(whole, 0.2, "dropout does not act on the attention weights at its rate")
            added = added[whole]
        check_dropped(added, 0.2, "dropout does not act at its rate on a branch before it is added")
        layer = student.FeedForward(6, 8, 0.5).to(x.dtype)
        if branch == "feed_forward" and bool((layer(x) - layer(x)).abs().max() > 0):
            # A FeedForward without dropout fails its own check.
            undropped = (result_of(block_of(student, kind, others, num_heads=1), x, *memory) - x).detach() / 0.8
            changed = ((added - undropped).abs() > 1e-9) & (added != 0)
            check_that(int(changed.sum()) > 0, "dropout does not act on the hidden layer")
    plain, dropping = (block_of(student, kind, state, dropout=rate) for rate in (0.0, 0.5))
    check_values(result_of(dropping.eval(), x, *memory), result_of(plain, x, *memory))


def check_keeps_dtype_and_device(student, kind, **memory_lengths):
    """Check a block of this kind, with a memory if it takes one, in two dtypes and on another device."""
    for dtype, norm_first in ((torch.bfloat16, False), (torch.float64, True)):
        module = getattr(student, kind)(6, HEADS, 8, norm_first=norm_first).to(dtype)
        xs = [tokens_of(2, 4, seed).to(dtype) for seed in (1, 2)]
        memory = [tokens_of(2, length, 3).to(dtype) for length in memory_lengths.values()]
        check_computes(module, [xs[0], *memory], [xs[1], *memory])
        check_dtype(module(xs[0], *memory), dtype)
    check_keeps_device(student, module, xs[0], *memory)


# --- EncoderBlock ----------------------------------------------------------------------------------------------------


def test_encoder_block_has_the_modules_listed(student):
    """EncoderBlock: the state dict holds the attention, the feed-forward and two norms.

    Hint: the linear layers of the attention have no biases here; the other modules have biases.
    """
    for norm_first in (True, False):
        check_state_names(student.EncoderBlock(6, 3, 7, norm_first=norm_first), block_shapes(ENCODER_PARTS, 6, 7))


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_encoder_block_gives_the_output(student, seed, sizes):
    """EncoderBlock: pre-norm adds both branches to the input, x + f(norm(x)).

    Hint: each branch reads the normalised x, and is added to the x that is not normalised. Which norm belongs to which
    branch?
    """
    batch, length, heads, d_head = sizes
    state = state_for(ENCODER_PARTS, heads * d_head, seed)
    x = tokens_of(batch, length, seed, heads * d_head)
    expected = encoder_layer(state, heads)(x).detach()
    check_values(block_of(student, "EncoderBlock", state, heads)(x), expected, axes=AXES)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_encoder_block_norms_last_on_request(student, seed, sizes):
    """EncoderBlock: `norm_first=False` normalises the sum, norm(x + f(x)).

    Hint: the feed-forward layer then reads the output of the first norm, and is added to it.
    """
    batch, length, heads, d_head = sizes
    state = state_for(ENCODER_PARTS, heads * d_head, seed)
    x = tokens_of(batch, length, seed, heads * d_head)
    expected = encoder_layer(state, heads, norm_first=False)(x).detach()
    check_values(block_of(student, "EncoderBlock", state, heads, norm_first=False)(x), expected, axes=AXES)


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=4))
def test_encoder_block_obeys_masks(student, seed, sizes):
    """EncoderBlock: positions that the mask blocks have no influence.

    Hint: pass the mask to the attention unchanged; True means "may attend".
    """
    batch, length = sizes
    x = tokens_of(batch, length, seed)
    for norm_first in (True, False):
        block = encoder_block(student, seed, norm_first=norm_first)
        # A position that may attend only to itself gives the result of a sequence of length 1.
        alone = [result_of(block, x[:, index : index + 1]) for index in range(length)]
        own = torch.eye(length, dtype=torch.bool)
        for mask in (own, own.expand(batch, -1, -1), own.expand(batch, 1, -1, -1)):
            check_values(result_of(block, x, mask=mask), torch.cat(alone, dim=1))
        # Padding does not change the results of real tokens.
        real = (torch.arange(length) < length - 1).expand(batch, 1, -1)
        kept = slice(0, length - 1)
        check_values(result_of(block, x, mask=real)[:, kept], result_of(block, x[:, kept]))
        check_that(
            bool((result_of(block, x) - result_of(block, x, mask=own)).abs().max() > 1e-6), "the mask changes nothing"
        )


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=5))
def test_encoder_block_goes_on_from_a_cache(student, seed, sizes):
    """EncoderBlock: with a cache, new positions give the result of one causal pass.

    Hint: pass the cache to the attention unchanged.
    """
    batch, length = sizes
    x = tokens_of(batch, length + 1, seed)
    for norm_first in (True, False):
        block = encoder_block(student, seed, norm_first=norm_first)
        whole = result_of(block, x, mask=~is_later(length + 1))
        cache = helpers(student, _NEW_CACHE).new_cache()
        first = result_of(block, x[:, :2], mask=~is_later(2), cache=cache)
        steps = [result_of(block, x[:, index : index + 1], cache=cache) for index in range(2, length + 1)]
        check_values(torch.cat([first, *steps], dim=1), whole)


@given(seeds())
def test_encoder_block_passes_gradients(student, seed):
    """EncoderBlock: gradients reach x and all parameters, along the branches and past them.

    Hint: compute with the modules themselves; `.data` and `detach` leave the graph.
    """
    for norm_first in (True, False):
        state = state_for(ENCODER_PARTS, 6, seed)
        block = block_of(student, "EncoderBlock", state, norm_first=norm_first)
        check_differentiates(student, block, state, [tokens_of(2, 3, seed)], seed)


@given(seeds())
def test_encoder_block_drops_in_all_its_places(student, seed):
    """EncoderBlock: dropout acts on attention weights and each branch, in training only.

    Hint: pass the rate to the modules of the block, and apply dropout to the output of each branch before it is added.
    """
    check_drops_everywhere(student, "EncoderBlock", ENCODER_PARTS, seed)


def test_encoder_block_keeps_dtype_and_device(student):
    """EncoderBlock: the result has the dtype and the device of x.

    Hint: a tensor that you create needs both from x.
    """
    check_keeps_dtype_and_device(student, "EncoderBlock")


def test_encoder_block_leaves_its_inputs_alone(student):
    """EncoderBlock: neither x nor the mask is changed in place.

    Hint: `x += …` changes its input.
    """
    x, mask = tokens_of(2, 4, 5), ~is_later(4)
    for norm_first in (True, False):
        block = encoder_block(student, 6, norm_first=norm_first)
        check_computes(block, [x], [-2 * x])
        check_inputs_unchanged(student, block, x, mask=mask)


# --- DecoderBlock ----------------------------------------------------------------------------------------------------


def test_decoder_block_has_the_modules_listed(student):
    """DecoderBlock: the state dict holds two attentions, the feed-forward and three norms.

    Hint: the linear layers of the attentions have no biases here; the other modules have biases.
    """
    for norm_first in (True, False):
        check_state_names(student.DecoderBlock(6, 3, 7, norm_first=norm_first), block_shapes(DECODER_PARTS, 6, 7))


def check_decoder_block(student, seed, sizes, *, norm_first):
    """Compare with PyTorch's layer, for a memory of a different length and one as long as the text."""
    batch, query, key, d_head = sizes
    state = state_for(DECODER_PARTS, HEADS * d_head, seed)
    block = block_of(student, "DecoderBlock", state, norm_first=norm_first)
    x = tokens_of(batch, query, seed, HEADS * d_head)
    for length in (key, query):
        memory = 2 * tokens_of(batch, length, seed + 1, HEADS * d_head)
        expected = decoder_layer(state, HEADS, norm_first=norm_first)(x, memory, is_later(query)).detach()
        check_values(block(x, memory), expected, axes=AXES)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_decoder_block_gives_the_output(student, seed, sizes):
    """DecoderBlock: pre-norm adds three branches to x; the memory is not normalised.

    Hint: x first attends to itself, then to the memory. Where do the queries come from then, and where the keys and
    values?
    """
    check_decoder_block(student, seed, sizes, norm_first=True)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_decoder_block_norms_last_on_request(student, seed, sizes):
    """DecoderBlock: `norm_first=False` normalises each of three sums, norm(x + f(x)).

    Hint: each branch reads the output of the norm before it, and is added to that output.
    """
    check_decoder_block(student, seed, sizes, norm_first=False)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=4))
def test_decoder_block_never_sees_what_comes_later(student, seed, sizes):
    """DecoderBlock: no position sees a later position, whatever the mask allows.

    Hint: the causal mask always applies, and a mask that is passed in can only block more.
    """
    batch, query, key = sizes
    memory = tokens_of(batch, key, seed + 1)
    x = tokens_of(batch, query, seed)
    everything = torch.ones(query, query, dtype=torch.bool)
    for norm_first, mask in (
        (True, None),
        (False, None),
        (True, everything),
        (False, everything.expand(batch, -1, -1)),
    ):
        block = decoder_block(student, seed, norm_first=norm_first)
        before = result_of(block, x, memory, mask=mask)
        for index in range(1, query):
            changed = x.clone()
            changed[:, index:] = tokens_of(batch, query - index, seed + 2)
            after = result_of(block, changed, memory, mask=mask)
            says = "the result at a position changes when a later position changes"
            check_values(after[:, :index], before[:, :index], says=says)
            # A causal block must still see its own and earlier positions.
            moved = bool((after[:, index] - before[:, index]).abs().max() > 1e-6)
            check_that(moved, "the result at a position does not depend on the input at that position")
        first = x.clone()
        first[:, 0] = tokens_of(batch, 1, seed + 3)[:, 0]
        looked_back = bool((result_of(block, first, memory, mask=mask) - before)[:, -1].abs().max() > 1e-6)
        check_that(looked_back, "the last position does not see the first position")


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=5))
def test_decoder_block_obeys_masks(student, seed, sizes):
    """DecoderBlock: `mask` blocks positions in addition to the causal mask.

    Hint: a query may attend where both masks are True.
    """
    batch, query, key = sizes
    x, memory = tokens_of(batch, query, seed), tokens_of(batch, key, seed + 1)
    for norm_first in (True, False):
        block = decoder_block(student, seed, norm_first=norm_first)
        # With the first two positions blocked, the others give the results of a text that begins after them.
        real = (torch.arange(query) >= 2).expand(batch, 1, -1)
        kept = result_of(block, x[:, 2:], memory)
        check_values(result_of(block, x, memory, mask=real)[:, 2:], kept)
        own = torch.eye(query, dtype=torch.bool)
        alone = [result_of(block, x[:, index : index + 1], memory) for index in range(query)]
        check_values(result_of(block, x, memory, mask=own), torch.cat(alone, dim=1))


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=5))
def test_decoder_block_obeys_memory_masks(student, seed, sizes):
    """DecoderBlock: `memory_mask` blocks memory positions for each query separately.

    Hint: this mask belongs to the cross-attention. Its key axis is the memory's, and nothing there is causal.
    """
    batch, query, key = sizes
    x, memory = tokens_of(batch, query, seed), tokens_of(batch, key, seed + 1)
    for norm_first in (True, False):
        block = decoder_block(student, seed, norm_first=norm_first)
        real = (torch.arange(key) < key - 1).expand(batch, 1, -1)
        masked = result_of(block, x, memory, memory_mask=real)
        check_values(masked, result_of(block, x, memory[:, : key - 1]))
        mask = torch.ones(query, key, dtype=torch.bool)
        mask[0, 1:] = False  # the first query sees only the first memory position, the others see all
        masked = result_of(block, x, memory, memory_mask=mask)
        check_values(masked[:, :1], result_of(block, x, memory[:, :1])[:, :1])
        check_values(masked[:, 1:], result_of(block, x, memory)[:, 1:])


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=5))
def test_decoder_block_goes_on_from_a_cache(student, seed, sizes):
    """DecoderBlock: with a cache, new positions give the result of one full pass.

    Hint: the causal mask has one row per new position, and one column per cached and per new position.
    """
    batch, length, key = sizes
    x, memory = tokens_of(batch, length + 2, seed), tokens_of(batch, key, seed + 1)
    for norm_first in (True, False):
        block = decoder_block(student, seed, norm_first=norm_first)
        whole = result_of(block, x, memory)
        cache = helpers(student, _NEW_CACHE).new_cache()
        ends = [0, 1, 3, *range(4, length + 3)]
        pieces = [result_of(block, x[:, start:end], memory, cache=cache) for start, end in pairwise(ends)]
        check_values(torch.cat(pieces, dim=1), whole)


@given(seeds())
def test_decoder_block_passes_gradients(student, seed):
    """DecoderBlock: gradients reach x, the memory and all parameters.

    Hint: compute with the modules themselves; `.data` and `detach` leave the graph.
    """
    for norm_first in (True, False):
        state = state_for(DECODER_PARTS, 6, seed)
        block = block_of(student, "DecoderBlock", state, norm_first=norm_first)
        check_differentiates(student, block, state, [tokens_of(2, 3, seed), tokens_of(2, 4, seed + 1)], seed)


@given(seeds())
def test_decoder_block_drops_in_all_its_places(student, seed):
    """DecoderBlock: dropout acts on both attentions and each branch, in training only.

    Hint: pass the rate to the modules of the block, and apply dropout to the output of each branch before it is added.
    """
    check_drops_everywhere(student, "DecoderBlock", DECODER_PARTS, seed, tokens_of(800, 1, seed + 1))


def test_decoder_block_keeps_dtype_and_device(student):
    """DecoderBlock: the result has the dtype and the device of x.

    Hint: create the causal mask on the device of x.
    """
    check_keeps_dtype_and_device(student, "DecoderBlock", memory=5)


def test_decoder_block_leaves_its_inputs_alone(student):
    """DecoderBlock: x, the memory and the masks are not changed in place.

    Hint: `x += …` and `mask &= …` change their input.
    """
    x, memory = tokens_of(2, 4, 5), tokens_of(2, 5, 6)
    mask, memory_mask = torch.ones(4, 4, dtype=torch.bool), torch.ones(4, 5, dtype=torch.bool)
    for norm_first in (True, False):
        block = decoder_block(student, 6, norm_first=norm_first)
        check_computes(block, [x, memory], [-2 * x, memory])
        check_inputs_unchanged(student, block, x, memory, mask=mask, memory_mask=memory_mask)


# --- Encoder and Decoder ---------------------------------------------------------------------------------------------

BLOCKS = 2


def stack_of(student, kind, parts, seed, d_model=6, num_heads=HEADS, **options):
    """Create the student's stack in float64 with known parameters."""
    state = state_of(stack_shapes(parts, BLOCKS, d_model, 8, norm_first=options.get("norm_first", True)), seed)
    return made(student, getattr(student, kind), BLOCKS, d_model, num_heads, 8, state=state, **options)


def check_has_blocks_of_its_own(student, kind, parts):
    """Check names and shapes, and that no two blocks share a parameter."""
    for norm_first in (True, False):
        for count in (1, 3):
            shapes = stack_shapes(parts, count, 6, 8, norm_first=norm_first)
            module = getattr(student, kind)(count, 6, HEADS, 8, norm_first=norm_first)
            check_state_names(module, shapes)
        state = state_of(shapes, 9)
        load(student, module.double(), state)
        says = "two blocks share a parameter"
        check_close(dict(sorted(module.state_dict().items())), dict(sorted(state.items())), says=says)


def test_encoder_has_blocks_of_its_own(student):
    """Encoder: each block has its own parameters; only a pre-norm stack has a final norm.

    Hint: the same module twice in a list is one module, and a plain Python list registers no parameters.
    """
    check_has_blocks_of_its_own(student, "Encoder", ENCODER_PARTS)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_encoder_applies_its_blocks_in_order(student, seed, sizes):
    """Encoder: the blocks run in order, then the final norm if there is one.

    Hint: each block reads the output of the block before it. All arguments after `num_blocks` go to the blocks.
    """
    batch, length, heads, d_head = sizes
    d_model = heads * d_head
    x = tokens_of(batch, length, seed, d_model)
    for norm_first in (True, False):
        encoder = stack_of(student, "Encoder", ENCODER_PARTS, seed, d_model, heads, norm_first=norm_first)
        block = student.EncoderBlock
        expected = in_order(student, encoder, block, (d_model, heads, 8), x, norm_first=norm_first)
        check_values(result_of(encoder, x), expected, axes=AXES)


@given(seeds(), distinct_sizes(count=2, min_size=3, max_size=6))
def test_encoder_hands_the_mask_to_every_block(student, seed, sizes):
    """Encoder: the mask acts in every block.

    Hint: the second block can still mix positions that the first block kept apart.
    """
    batch, length = sizes
    encoder = stack_of(student, "Encoder", ENCODER_PARTS, seed)
    x = tokens_of(batch, length, seed)
    mask = (torch.arange(length) < length - 1).expand(batch, 1, -1)
    expected = in_order(student, encoder, student.EncoderBlock, (6, HEADS, 8), x, mask=mask)
    check_values(result_of(encoder, x, mask=mask), expected, axes=AXES)


def test_decoder_has_blocks_of_its_own(student):
    """Decoder: each block has its own parameters; only a pre-norm stack has a final norm.

    Hint: the same module twice in a list is one module, and a plain Python list registers no parameters.
    """
    check_has_blocks_of_its_own(student, "Decoder", DECODER_PARTS)


@given(seeds(), distinct_sizes(count=4, min_size=2, max_size=5))
def test_decoder_applies_its_blocks_in_order(student, seed, sizes):
    """Decoder: the blocks run in order with one memory, then the final norm if there is one.

    Hint: each block reads the output of the block before it, and the unchanged memory.
    """
    batch, query, key, heads = sizes
    d_model = 2 * heads
    x, memory = (tokens_of(batch, length, seed, d_model) for length in (query, key))
    for norm_first in (True, False):
        decoder = stack_of(student, "Decoder", DECODER_PARTS, seed, d_model, heads, norm_first=norm_first)
        block = student.DecoderBlock
        expected = in_order(student, decoder, block, (d_model, heads, 8), x, memory, norm_first=norm_first)
        check_values(result_of(decoder, x, memory), expected, axes=AXES)


@given(seeds(), distinct_sizes(count=3, min_size=3, max_size=6))
def test_decoder_hands_the_masks_to_every_block(student, seed, sizes):
    """Decoder: `mask` and `memory_mask` reach every block, each in its role.

    Hint: one mask is for the text so far, the other for the memory.
    """
    batch, query, key = sizes
    decoder = stack_of(student, "Decoder", DECODER_PARTS, seed)
    x, memory = (tokens_of(batch, length, seed) for length in (query, key))
    mask = (torch.arange(query) > 0).expand(batch, 1, -1) | torch.eye(query, dtype=torch.bool)
    memory_mask = (torch.arange(key) < key - 1).expand(batch, 1, -1)
    for masks in ({"mask": mask}, {"memory_mask": memory_mask}, {"mask": mask, "memory_mask": memory_mask}):
        expected = in_order(student, decoder, student.DecoderBlock, (6, HEADS, 8), x, memory, **masks)
        check_values(result_of(decoder, x, memory, **masks), expected, axes=AXES)


@given(seeds(), distinct_sizes(count=3, min_size=2, max_size=5))
def test_decoder_gives_each_block_its_cache(student, seed, sizes):
    """Decoder: with one cache per block, new positions give the result of one full pass.

    Hint: pair the caches with the blocks.
    """
    batch, length, key = sizes
    decoder = stack_of(student, "Decoder", DECODER_PARTS, seed)
    x, memory = tokens_of(batch, length + 1, seed), tokens_of(batch, key, seed + 1)
    whole = result_of(decoder, x, memory)
    caches = [helpers(student, _NEW_CACHE).new_cache() for _ in range(BLOCKS)]
    pieces = [result_of(decoder, x[:, index : index + 1], memory, caches=caches) for index in range(length + 1)]
    check_values(torch.cat(pieces, dim=1), whole)
    for cache in caches:
        check_equal(len(cache), length + 1, says="a block's cache does not hold all positions")
