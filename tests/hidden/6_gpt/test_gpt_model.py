"""Hidden tests of the GPT itself: against PyTorch's own attention and norms, and by laws any causal model obeys."""

import math

import torch
from gpt_oracles import CONTEXT, D_MODEL, VOCAB, gpt_logits, gpt_of, gpt_shapes, in_worker, token_ids
from hypothesis import given

from autograder.judge.compare import (
    check_close,
    check_dtype,
    check_equal,
    check_finite,
    check_raises,
    check_results,
    check_shape,
    check_that,
    check_values,
)
from autograder.judge.probes import check_computes, check_keeps_device
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds, sizes

AXES = "batch, length, vocab"
# Wide enough for the spread of each matrix to be known to a few per cent.
START = {"vocab": 97, "context": 53, "d_model": 32, "d_hidden": 64}
INIT_STD, START_BLOCKS = 0.05, 3


def logits_of(model, tokens):
    """The model's logits, a tensor of the right shape."""
    logits = model(tokens)
    check_shape(logits, (*tokens.shape, VOCAB), axes=AXES)
    check_that(bool(logits.std() > 0), "all logits are the same")
    return logits


def first_state(student):
    """The parameters of a GPT as it was made."""
    sizes = (START["vocab"], START["context"], START["d_model"], 4, START_BLOCKS, START["d_hidden"])
    return student.GPT(student.GPTConfig(*sizes, init_std=INIT_STD)).state_dict()


def check_spreads(state, names, spread):
    """The parameters of these names must be normal-sized around 0; 7 standard errors either way are allowed."""
    for name in names:
        check_that(name in state, "a parameter that is listed is missing")
        check_finite(state[name])
        numbers = state[name].double()
        error = 7 / math.sqrt(2 * numbers.numel())
        check_close(numbers.std().item(), spread, rtol=error, atol=0.0, says="a matrix starts with the wrong spread")
        says = "the numbers of a matrix do not start around 0"
        check_close(numbers.mean().item(), 0.0, rtol=0.0, atol=1.5 * error * spread, says=says)


def test_gpt_has_the_modules_listed(student):
    """The parameters are those of the modules listed; the logits have no matrix of their own.

    Hint: two embeddings, the blocks and a norm. The token embedding's weight is used again, not kept again.
    """
    model, state = student.GPT(student.GPTConfig(VOCAB, CONTEXT, D_MODEL, 3, 2, 8)), gpt_shapes(2)
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(model.state_dict().items())}
    says = "the state dict has other names than those of the modules listed"
    check_equal(sorted(shapes), sorted(state), says=says)
    says = "a parameter has another shape than the modules listed give it"
    check_equal(shapes, dict(sorted(state.items())), says=says)


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=CONTEXT))
def test_gpt_adds_tokens_and_places(student, seed, sizes):
    """What the first block reads is the token's embedding plus that of its place, not scaled.

    Hint: places are 0, 1, 2 …, the same in each row of the batch.
    """
    tokens = token_ids(*sizes, seed=seed)
    model, state = gpt_of(student, seed)
    expected = state["token_embedding.weight"][tokens] + state["position_embedding.weight"][: sizes[1]]
    check_values(in_worker(student).read_by_blocks(model, tokens), expected, axes="batch, length, d_model")


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=CONTEXT))
def test_gpt_gives_the_logits(student, seed, sizes):
    """The logits are those that PyTorch's own attention and norms give with the same weights.

    Hint: embed, block after block with a causal mask, norm, and times the token embedding's weight; no softmax.
    """
    tokens = token_ids(*sizes, seed=seed)
    model, state = gpt_of(student, seed)
    check_values(model(tokens), gpt_logits(state, tokens), axes=AXES)


@given(seeds(), sizes(min_size=2, max_size=CONTEXT - 2))
def test_gpt_sees_nothing_later(student, seed, kept):
    """Another token changes the logits at its place and after it, and never those before it.

    Hint: every block needs the causal mask, and a blocked key must get no weight at all, whatever its score.
    """
    tokens = token_ids(3, CONTEXT - 1, seed=seed)
    other = tokens.clone()
    other[:, kept:] = (tokens[:, kept:] + 1) % VOCAB
    model, _ = gpt_of(student, seed, sharp=30.0)
    found, changed = logits_of(model, tokens), logits_of(model, other)
    check_values(changed[:, :kept], found[:, :kept], says="a later token changes an earlier prediction")
    moved = (changed[:, kept:] - found[:, kept:]).abs().amax(dim=(0, 2)).min()
    check_that(bool(moved > 1e-6), "a token does not change the predictions from its place on")


@given(seeds(), sizes(min_size=2, max_size=CONTEXT - 1))
def test_gpt_goes_on_token_by_token(student, seed, length):
    """With caches, tokens read one by one give the logits that they give together.

    Hint: where does a token stand when the caches hold others? Each block has a cache of its own.
    """
    tokens = token_ids(2, length, seed=seed)
    model, _ = gpt_of(student, seed)
    expected = logits_of(model, tokens).detach()
    check_values(in_worker(student).in_pieces(model, tokens, list(range(length + 1))), expected, axes=AXES)


@given(seeds())
def test_gpt_goes_on_in_pieces(student, seed):
    """With caches, tokens read several at a time give the logits that they give together.

    Hint: the mask is (new, cached + new); the last query lines up with the last key.
    """
    tokens = token_ids(2, CONTEXT - 1, seed=seed)
    model, _ = gpt_of(student, seed)
    expected = logits_of(model, tokens).detach()
    check_values(in_worker(student).in_pieces(model, tokens, [0, 2, 5, CONTEXT - 1]), expected, axes=AXES)


def test_gpt_refuses_what_is_too_long(student):
    """More tokens than the context has are a ValueError; just as many are not.

    Hint: compare the length with `context_length` before you look places up.
    """
    model, _ = gpt_of(student)
    logits_of(model, token_ids(2, CONTEXT, seed=1))
    with check_raises(ValueError, says="more tokens than the context has are not refused"):
        model(token_ids(2, CONTEXT + 1, seed=1))


def test_gpt_counts_what_the_caches_hold(student):
    """Tokens in the caches count against the context too.

    Hint: what matters is the place of the last token, wherever the first one stands.
    """
    model, _ = gpt_of(student)
    tokens = token_ids(2, CONTEXT + 1, seed=1)
    logits = in_worker(student).in_pieces(model, tokens, [0, 5, CONTEXT])
    check_shape(logits, (2, CONTEXT, VOCAB), axes=AXES)
    with check_raises(ValueError, says="the caches and the new tokens are more than the context has"):
        in_worker(student).in_pieces(model, tokens, [0, 5, CONTEXT + 1])


def test_gpt_starts_with_small_matrices(student):
    """Embeddings and matrices start around 0 with the spread `init_std`.

    Hint: those of the blocks too; PyTorch's own start is another one.
    """
    names = [name for name, shape in gpt_shapes(START_BLOCKS).items() if len(shape) == 2 and "output_proj" not in name]
    check_spreads(first_state(student), names, INIT_STD)


def test_gpt_starts_its_output_projections_smaller(student):
    """Each output projection starts with the spread init_std / √(2·num_blocks).

    Hint: each block has two of them, one in the attention and one in the feed-forward layer.
    """
    names = [name for name in gpt_shapes(START_BLOCKS) if name.endswith("output_proj.weight")]
    check_spreads(first_state(student), names, INIT_STD / math.sqrt(2 * START_BLOCKS))


def test_gpt_starts_without_biases(student):
    """Biases start at 0, and gains at 1.

    Hint: PyTorch draws the biases of a linear at random.
    """
    state = first_state(student)
    for name, shape in gpt_shapes(START_BLOCKS, **START).items():
        if len(shape) == 1:
            check_that(name in state, "a parameter that is listed is missing")
            expected = torch.full(shape, 1.0 if name.endswith("norm.weight") else 0.0)
            check_values(state[name], expected, says="a bias or a gain starts with another value")


@given(seeds())
def test_gpt_learns_all_its_parameters(student, seed):
    """Gradients reach every parameter; the token embedding's come from both of its uses.

    Hint: no copy, no detach: the logits use the very weight that the tokens are looked up in.
    """
    tokens = token_ids(3, 5, seed=seed)
    towards = normal_tensor(3, 5, VOCAB, seed=seed + 1)
    model, state = gpt_of(student, seed)
    moves = {name: normal_tensor(*one.shape, seed=seed + 50 + n) for n, (name, one) in enumerate(state.items())}
    logits_of(model, tokens)
    by_gradient, by_moving = check_results(in_worker(student).slopes(model, tokens, towards, moves), 2)
    check_equal([slope is None for slope in by_gradient], [False] * len(by_gradient), says="a parameter never learns")
    says = "a parameter's gradient does not say how the logits change"
    check_close(by_gradient, by_moving, says=says, rtol=1e-2, atol=1e-2)


@given(seeds())
def test_gpt_drops_in_all_its_places(student, seed):
    """In training, dropout acts on the embeddings and in every block; in eval mode nowhere.

    Hint: drop after the places are added, and hand the rate to the blocks.
    """
    rate = 0.2
    model, _ = gpt_of(student, seed, dropout=rate)
    tokens = token_ids(45, CONTEXT - 1, seed=seed)
    found = logits_of(model.eval(), tokens[:2])
    check_values(logits_of(model, tokens[:2]), found.detach(), says="something is dropped in eval mode")
    whole = in_worker(student).read_by_blocks(model, tokens)
    model, _ = gpt_of(student, seed, dropout=rate)
    drops = in_worker(student).blocks_that_drop(model, normal_tensor(2, 5, D_MODEL, seed=seed + 1))
    check_equal(drops, [True, True], says="a block drops nothing")
    found = in_worker(student).read_by_blocks(model, tokens)
    for read in (found, whole):
        check_shape(read, (*tokens.shape, D_MODEL), axes="batch, length, d_model")
    dropped = found == 0
    # 432 of 2160 on average; seven standard deviations either way.
    share = dropped.double().mean().item()
    check_that(abs(share - rate) < 0.061, "dropout does not act on the sum of the embeddings at its rate")
    check_values(found.detach(), torch.where(dropped, 0.0, whole.detach() / (1 - rate)))


def test_gpt_keeps_dtype_and_device(student):
    """The logits have the dtype of the model, and are where the tokens are.

    Hint: places and mask are made on the device of the tokens; a tensor made beforehand may have to take numbers of
    another dtype.
    """
    tokens = token_ids(2, 5, seed=1)
    model, _ = gpt_of(student)
    fresh = student.GPT(student.GPTConfig(VOCAB, CONTEXT, D_MODEL, 3, 2, 8))
    exact = logits_of(fresh, tokens)
    rounded = in_worker(student).under_autocast(fresh, tokens)
    # Rounding makes about a hundredth of the spread.
    check_close(rounded, exact, rtol=0.0, atol=0.2 * exact.std().item(), says="under autocast the logits are others")
    for dtype in (torch.bfloat16, torch.float64):
        model.to(dtype)
        check_computes(model, [tokens], [tokens.flip(1)])
        check_dtype(model(tokens), dtype)
    check_keeps_device(student, model, tokens)
