"""Hidden tests of the GPT: comparison with PyTorch's attention and norms, and properties of causal models."""

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
from autograder.judge.strategies import distinct_sizes, normal_tensor, seeds

AXES = "batch, length, vocab"
# Large enough to estimate the standard deviation of each matrix to a few per cent.
START = {"vocab": 97, "context": 53, "d_model": 32, "d_hidden": 64}
INIT_STD, START_BLOCKS = 0.05, 3


def logits_of(model, tokens):
    """Return the model's logits; fail a wrong shape or equal logits."""
    logits = model(tokens)
    check_shape(logits, (*tokens.shape, VOCAB), axes=AXES)
    check_that(bool(logits.std() > 0), "all logits are equal")
    return logits


def first_state(student):
    """Return the initial parameters of a GPT."""
    sizes = (START["vocab"], START["context"], START["d_model"], 4, START_BLOCKS, START["d_hidden"])
    return student.GPT(student.GPTConfig(*sizes, init_std=INIT_STD)).state_dict()


def check_initialised(state, names, std):
    """Check that these parameters have mean 0 and this standard deviation, to 7 standard errors."""
    for name in names:
        check_that(name in state, "a listed parameter is missing")
        check_finite(state[name])
        numbers = state[name].double()
        error = 7 / math.sqrt(2 * numbers.numel())
        says = "a matrix starts with the wrong standard deviation"
        check_close(numbers.std().item(), std, rtol=error, atol=0.0, says=says)
        says = "the initial mean of a matrix is not 0"
        check_close(numbers.mean().item(), 0.0, rtol=0.0, atol=1.5 * error * std, says=says)
    pooled = torch.cat([state[name].double().flatten() for name in names]) / std
    # The fourth power of a standard normal number has mean 3, that of a uniform number with the same deviation 1.8.
    error = 7 * math.sqrt(96 / pooled.numel())
    says = "a matrix does not start with normally distributed numbers"
    check_close(pooled.pow(4).mean().item(), 3.0, rtol=0.0, atol=error, says=says)


def test_gpt_has_the_modules_listed(student):
    """GPT: the state dict holds the listed modules, and no output matrix.

    Hint: two embeddings, the blocks and a norm. Use the token embedding's weight for the logits; do not store a copy.
    """
    model, state = student.GPT(student.GPTConfig(VOCAB, CONTEXT, D_MODEL, 3, 2, 8)), gpt_shapes(2)
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(model.state_dict().items())}
    says = "the names in the state dict differ from those of the listed modules"
    check_equal(sorted(shapes), sorted(state), says=says)
    says = "the shape of a parameter differs from that in the listed modules"
    check_equal(shapes, dict(sorted(state.items())), says=says)


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=CONTEXT - 1))
def test_gpt_adds_tokens_and_places(student, seed, sizes):
    """GPT: the first block reads token plus position embedding, not scaled.

    Hint: positions are 0, 1, 2 …, the same in each row of the batch.
    """
    for shape in (sizes, (3, 3)):
        tokens = token_ids(*shape, seed=seed)
        model, state = gpt_of(student, seed)
        expected = state["token_embedding.weight"][tokens] + state["position_embedding.weight"][: shape[1]]
        read = in_worker(student).read_by_blocks(model, tokens)
        check_values(read, expected, axes="batch, length, d_model", accuracy=torch.float32)


@given(seeds(), distinct_sizes(count=2, min_size=2, max_size=CONTEXT - 1))
def test_gpt_gives_the_logits(student, seed, sizes):
    """GPT: the logits equal those of PyTorch's attention and norms with the same weights.

    Hint: embed, apply the blocks with a causal mask, apply the norm, and multiply by the token embedding's weight; no
    softmax.
    """
    for num_blocks, shape in ((2, sizes), (1, (3, 3)), (3, (1, CONTEXT - 1))):
        tokens = token_ids(*shape, seed=seed)
        model, state = gpt_of(student, seed, num_blocks)
        check_values(model(tokens), gpt_logits(state, tokens), axes=AXES, accuracy=torch.float32)


@given(seeds())
def test_gpt_sees_nothing_later(student, seed):
    """GPT: a token changes the logits at its own and later positions only.

    Hint: every block needs the causal mask, and a blocked key must get weight 0, whatever its score.
    """
    tokens = token_ids(3, CONTEXT - 1, seed=seed)
    model, _ = gpt_of(student, seed, sharp=30.0)
    found = logits_of(model, tokens)
    for kept in (1, CONTEXT - 2):
        other = tokens.clone()
        other[:, kept:] = (tokens[:, kept:] + 1) % VOCAB
        changed = logits_of(model, other)
        says = "the predictions change when later tokens change: the model sees future tokens"
        check_values(changed[:, :kept], found[:, :kept], says=says, accuracy=torch.float32)
        moved = (changed[:, kept:] - found[:, kept:]).abs().amax(dim=(0, 2)).min()
        check_that(bool(moved > 1e-6), "a token does not change the predictions at its own and later positions")


@given(seeds())
def test_gpt_goes_on_token_by_token(student, seed):
    """GPT: with caches, reading token by token gives the logits of one pass.

    Hint: what is the position of a token when the caches hold earlier tokens? Each block has its own cache.
    """
    tokens = token_ids(2, CONTEXT - 1, seed=seed)
    model, _ = gpt_of(student, seed)
    expected = logits_of(model, tokens).detach()
    found = in_worker(student).in_pieces(model, tokens, list(range(CONTEXT)))
    check_values(found, expected, axes=AXES, accuracy=torch.float32)


@given(seeds())
def test_gpt_goes_on_in_pieces(student, seed):
    """GPT: with caches, reading several tokens at a time gives the logits of one pass.

    Hint: the mask is (new, cached + new); the last query lines up with the last key.
    """
    tokens = token_ids(2, CONTEXT - 1, seed=seed)
    model, _ = gpt_of(student, seed)
    expected = logits_of(model, tokens).detach()
    for cuts in ([0, 2, 5, CONTEXT - 1], [0, 4, 8]):
        found = in_worker(student).in_pieces(model, tokens, cuts)
        check_values(found, expected, axes=AXES, accuracy=torch.float32)


def test_gpt_refuses_what_is_too_long(student):
    """GPT: only more than `context_length` tokens raise ValueError.

    Hint: compare the length with `context_length` before you look up the positions.
    """
    model, _ = gpt_of(student)
    logits_of(model, token_ids(2, CONTEXT, seed=1))
    with check_raises(ValueError, says="more than context_length tokens raise no ValueError"):
        model(token_ids(2, CONTEXT + 1, seed=1))


def test_gpt_counts_what_the_caches_hold(student):
    """GPT: cached tokens count towards `context_length`.

    Hint: the position of the last token decides, wherever the first token is.
    """
    model, _ = gpt_of(student)
    tokens = token_ids(2, CONTEXT + 1, seed=1)
    logits = in_worker(student).in_pieces(model, tokens, [0, 5, CONTEXT])
    check_shape(logits, (2, CONTEXT, VOCAB), axes=AXES)
    with check_raises(ValueError, says="cached and new tokens beyond context_length raise no ValueError"):
        in_worker(student).in_pieces(model, tokens, [0, 5, CONTEXT + 1])


def test_gpt_starts_with_small_matrices(student):
    """GPT: embeddings and matrices start with mean 0 and std `init_std`.

    Hint: the matrices in the blocks too; PyTorch's default initialisation differs.
    """
    names = [name for name, shape in gpt_shapes(START_BLOCKS).items() if len(shape) == 2 and "output_proj" not in name]
    check_initialised(first_state(student), names, INIT_STD)


def test_gpt_starts_its_output_projections_smaller(student):
    """GPT: output projections start with std init_std / √(2·num_blocks).

    Hint: each block has two of them, in the attention and in the feed-forward layer.
    """
    names = [name for name in gpt_shapes(START_BLOCKS) if name.endswith("output_proj.weight")]
    check_initialised(first_state(student), names, INIT_STD / math.sqrt(2 * START_BLOCKS))


def test_gpt_starts_without_biases(student):
    """GPT: biases start at 0 and gains at 1.

    Hint: PyTorch initialises the biases of a linear layer at random.
    """
    state = first_state(student)
    for name, shape in gpt_shapes(START_BLOCKS, **START).items():
        if len(shape) == 1:
            check_that(name in state, "a listed parameter is missing")
            expected = torch.full(shape, 1.0 if name.endswith("norm.weight") else 0.0)
            check_values(state[name], expected, says="a bias does not start at 0, or a gain not at 1")


@given(seeds())
def test_gpt_learns_all_its_parameters(student, seed):
    """GPT: gradients reach every parameter, through both uses of the token embedding.

    Hint: do not copy or detach: the logits use the same weight as the token look-up.
    """
    tokens = token_ids(3, 5, seed=seed)
    towards = normal_tensor(3, 5, VOCAB, seed=seed + 1)
    model, state = gpt_of(student, seed)
    moves = {name: normal_tensor(*tensor.shape, seed=seed + 50 + n) for n, (name, tensor) in enumerate(state.items())}
    logits_of(model, tokens)
    by_gradient, by_moving = check_results(in_worker(student).slopes(model, tokens, towards, moves), 2)
    says = "no gradient reaches a parameter"
    check_equal([slope is None for slope in by_gradient], [False] * len(by_gradient), says=says)
    says = "the gradient of a parameter differs from the change of the logits"
    check_close(by_gradient, by_moving, says=says, rtol=1e-2, atol=1e-2)


@given(seeds())
def test_gpt_drops_in_all_its_places(student, seed):
    """GPT: dropout acts on the embeddings and in every block, in training only.

    Hint: apply dropout after the positions are added, and pass the rate to the blocks.
    """
    rate = 0.2
    model, _ = gpt_of(student, seed, dropout=rate)
    tokens = token_ids(45, CONTEXT - 1, seed=seed)
    found = logits_of(model.eval(), tokens[:2])
    check_values(logits_of(model, tokens[:2]), found.detach(), says="dropout acts in eval mode")
    whole = in_worker(student).read_by_blocks(model, tokens)
    model, _ = gpt_of(student, seed, dropout=rate)
    drops = in_worker(student).blocks_that_drop(model, normal_tensor(2, 5, D_MODEL, seed=seed + 1))
    check_equal(drops, [True, True], says="a block applies no dropout")
    found = in_worker(student).read_by_blocks(model, tokens)
    for read in (found, whole):
        check_shape(read, (*tokens.shape, D_MODEL), axes="batch, length, d_model")
    dropped = found == 0
    # The mean is 432 of 2160; the tolerance is seven standard deviations.
    share = dropped.double().mean().item()
    check_that(abs(share - rate) < 0.061, "dropout does not act on the sum of the embeddings at its rate")
    check_values(found.detach(), torch.where(dropped, 0.0, whole.detach() / (1 - rate)))


def test_gpt_keeps_dtype_and_device(student):
    """GPT: the logits have the dtype of the model and the device of the tokens.

    Hint: create positions and mask on the device of the tokens. A tensor that you allocate in advance may have to take
    values of another dtype.
    """
    tokens = token_ids(2, 5, seed=1)
    model, _ = gpt_of(student)
    fresh = student.GPT(student.GPTConfig(VOCAB, CONTEXT, D_MODEL, 3, 2, 8))
    exact = logits_of(fresh, tokens)
    rounded = in_worker(student).under_autocast(fresh, tokens)
    # Rounding changes about a hundredth of the standard deviation.
    check_close(rounded, exact, rtol=0.0, atol=0.2 * exact.std().item(), says="the logits are wrong under autocast")
    for dtype in (torch.bfloat16, torch.float64):
        model.to(dtype)
        check_computes(model, [tokens], [tokens.flip(1)])
        check_dtype(model(tokens), dtype)
    check_keeps_device(student, model, tokens)
